"""Measurements behind every number in the docs; each prints one JSON line."""
