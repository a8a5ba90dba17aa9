"""The SQLite ledger keeps the contract of every ledger."""

from collections.abc import Callable
from pathlib import Path

from autoresearch.adapters.ledger import open_ledger
from autoresearch.testing.ledger_cases import KEY
from autoresearch.testing.ledger_contract import CheckedLedger, LedgerContract


class TestSqlLedger(LedgerContract):
    def open(self, place: Path, clock: Callable[[], float]) -> CheckedLedger:
        return open_ledger(place / "ledger.db", KEY, clock, create=True)
