"""Package `adapters/ledger`."""
