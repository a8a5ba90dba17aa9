"""Package `adapters/scoring`."""
