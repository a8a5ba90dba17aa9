"""Package `domain/policies`."""
