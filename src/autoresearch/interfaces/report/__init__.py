"""Package `interfaces/report`."""
