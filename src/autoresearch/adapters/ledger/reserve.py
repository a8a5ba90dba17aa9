"""Space set aside beside a ledger: when the disk is full it is given up, and what was measured can still be recorded.

It is set aside again the next time the ledger is opened and there is room.
"""

import contextlib
import os
from pathlib import Path

BYTES = 1 << 20
"""Room for the records of some dozens of steps."""


def keep(ledger: Path) -> None:
    """Set the space aside, if it is not and the disk has room."""
    path = _path(ledger)
    if path.exists():
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, os.urandom(BYTES))  # no hole, nothing to compress
        finally:
            os.close(descriptor)
        if path.stat().st_size < BYTES:
            path.unlink()
    except OSError:  # no room: the ledger works without
        with contextlib.suppress(OSError):
            path.unlink()


def spend(ledger: Path) -> bool:
    """Give the space up; False when there was none."""
    try:
        _path(ledger).unlink()
    except OSError:
        return False
    return True


def _path(ledger: Path) -> Path:
    return ledger.with_suffix(".reserve")
