"""Package `adapters/researchers`."""
