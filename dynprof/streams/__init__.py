"""Streams of events from elsewhere, as consumers that feed the log of live events. See docs/streams.md."""
