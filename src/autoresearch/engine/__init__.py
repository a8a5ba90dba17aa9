"""Package `engine`."""
