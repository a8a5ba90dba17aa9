"""Package `adapters/git`."""
