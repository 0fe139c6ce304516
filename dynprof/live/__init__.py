"""Live events: the durable log, and the overlay that readers lay over a snapshot. See docs/live.md."""
