"""Package `interfaces/cli`."""
