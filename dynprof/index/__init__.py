"""Nearest items: exact by bounds, approximate above a size, with what came in live beside them. See docs/index.md."""
