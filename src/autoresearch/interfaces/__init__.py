"""Package `interfaces`."""
