"""User profiles that follow what people care about now."""

__version__ = "0.1.0"
