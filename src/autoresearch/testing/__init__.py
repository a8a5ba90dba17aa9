"""Package `testing`."""
