"""autoresearch: does experiments while you sleep."""

__version__ = "0.1.0"
