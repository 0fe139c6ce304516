"""The pipelines: one verb a module, run with `python -m jobs.<verb>` or `ray job submit`."""
