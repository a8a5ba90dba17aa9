"""Package `adapters/exporters`."""
