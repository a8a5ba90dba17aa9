"""Who is at work on a study: names of workers, and the leases of those that died on this machine.

A worker's name says host, process and the process's start, so that a reused process number is not taken for it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

from autoresearch.adapters.ledger import SqlLedger
from autoresearch.domain.errors import UsageError
from autoresearch.engine.worker import PRESENCE
from autoresearch.ports import Lease

PREPARING = 600.0
"""Seconds that somebody may be present before a worker's heart beats: `check` looks at a run first."""


def own_name() -> str:
    """The name of this process as a worker."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def present(ledger: SqlLedger) -> list[str]:
    """Names of the workers that are alive, after the leases of dead ones of this machine were taken from them."""
    alive = []
    for held in ledger.leases():
        if dead(held.worker):
            if (lease := ledger.claim(held.step, held.worker, 1.0)) is not None:
                ledger.release(lease)
        elif held.step.startswith(PRESENCE):
            alive.append(held.worker)
    return alive


@contextmanager
def attending(ledger: SqlLedger, *, join: bool) -> Iterator[tuple[Lease | None, tuple[str, ...]]]:
    """Be present while the block lasts; gives our lease and the names of those who were there before.

    Of several that begin at once the first stays. Raises `UsageError` when others are there and it is not to `join`.
    """
    name = own_name()
    lease = ledger.claim(f"{PRESENCE}{name}", name, PREPARING)
    try:
        alive = present(ledger)
        before = tuple(takewhile(lambda other: other != name, alive))
        if before and not join:
            raise UsageError(
                f"the study is at work already: {', '.join(map(who, before))}. "
                "Join it with `autoresearch run --join`, or end it with `autoresearch stop`"
            )
        yield lease, before
    finally:
        if lease is not None:
            ledger.release(lease)


def who(name: str) -> str:
    """A worker's name for people."""
    host, pid, *_ = [*name.split(":"), ""]
    return f"process {pid} on {host}"


def dead(name: str) -> bool:
    """Whether a worker surely died: it was a process of this machine, and is none any more."""
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdigit():
        return False
    return _start_of(int(rest)) != started


def _start_of(pid: int) -> str:
    """When a process began, in the machine's own terms; ``gone`` for none, ``?`` where the machine does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return _start_without_proc(pid)
    except OSError:
        return "gone"
    fields = text.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19] + _boot()


def _start_without_proc(pid: int) -> str:
    if Path("/proc/self").exists():
        return "gone"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        return "?"
    return "?"


def _boot() -> str:
    try:
        return "." + Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""
