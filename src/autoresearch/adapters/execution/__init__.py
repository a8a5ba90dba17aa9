"""Package `adapters/execution`."""
