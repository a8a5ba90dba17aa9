"""Package `adapters`."""
