"""The ledger on SQLite: events, the rows projected from them, and leases on steps, in one file per study.

Importing this package is cheap; SQLAlchemy (about 0.3 s) is imported when `open_ledger` or `SqlLedger` is first named.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoresearch.adapters.ledger.ledger import SqlLedger, open_ledger
    from autoresearch.adapters.ledger.record import SqlRecord, open_record

__all__ = ["SqlLedger", "SqlRecord", "open_ledger", "open_record"]

_HOMES = {"SqlLedger": "ledger", "open_ledger": "ledger", "SqlRecord": "record", "open_record": "record"}


def __getattr__(name: str) -> Any:
    """The lazily imported names of this package (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
