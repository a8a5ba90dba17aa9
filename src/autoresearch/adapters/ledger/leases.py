"""Leases on steps: who may perform what until when, with fencing tokens that only ever grow.

A lease is alive while its end lies ahead by no more than twice its length (a clock set back must not freeze a step);
one that ran out still counts as held until another worker takes it.
No lease need outlast a power cut, as no worker does.
"""

from dataclasses import dataclass

from autoresearch.adapters.ledger import schema
from autoresearch.adapters.ledger.database import Database
from autoresearch.domain.errors import LostLease
from autoresearch.ports import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease as others see it. `until` is wall clock, seconds since 1970."""

    step: str
    worker: str
    token: int
    until: float


def claim(database: Database, step: str, worker: str, seconds: float, now: float) -> Lease | None:
    """Take the lease on `step` for `seconds`; None while another worker's is alive."""
    if _barred(database, step, worker, now):  # a look first: who waits for a step must not queue for the write lock
        return None
    with database.write(lasting=False):
        if _barred(database, step, worker, now):
            return None
        found = database.one(schema.NEXT_TOKEN)
        token = int(found[0]) if found else 0
        database.run(schema.DROP_STEP, {"name": step})
        row = {"step": step, "worker": worker, "token": token, "until": now + seconds, "seconds": seconds}
        database.run(schema.PUT_LEASE, row)
    return Lease(step=step, worker=worker, token=token)


def extend(database: Database, lease: Lease, seconds: float, now: float) -> None:
    """Move the lease's end to `seconds` from now. Raises `LostLease`."""
    with database.write(lasting=False):
        change = {**_key(lease), "until": now + seconds, "seconds": seconds}
        if database.one(schema.SET_LEASE, change) is None:
            raise lost(lease)


def release(database: Database, lease: Lease) -> None:
    """Give the lease back; a lost one is ignored."""
    with database.write(lasting=False):
        database.one(schema.DROP_LEASE, _key(lease))


def spend(database: Database, lease: Lease) -> None:
    """End the lease, inside a `write`, because its result is being recorded. Raises `LostLease`."""
    if database.one(schema.DROP_LEASE, _key(lease)) is None:
        raise lost(lease)


def alive(until: float, seconds: float, now: float) -> bool:
    """Whether a lease of length `seconds` that ends at `until` still binds others."""
    return now < until <= now + 2 * seconds


def held(database: Database, now: float) -> tuple[Held, ...]:
    """The leases that are alive, oldest first."""
    return tuple(
        Held(step=step, worker=worker, token=token, until=until)
        for step, worker, token, until, seconds in database.all(schema.ALL_LEASES)
        if alive(until, seconds, now)
    )


def lost(lease: Lease) -> LostLease:
    """The error for a lease that its holder no longer has."""
    return LostLease(
        f"worker {lease.worker!r} no longer holds the lease on {lease.step!r} (token {lease.token}): "
        "another worker took the step over or it was given back; drop the result and plan again"
    )


def _barred(database: Database, step: str, worker: str, now: float) -> bool:
    found = database.one(schema.GET_LEASE, {"name": step})
    return found is not None and found[0] != worker and alive(found[1], found[2], now)


def _key(lease: Lease) -> dict[str, object]:
    return {"name": lease.step, "fence": lease.token, "holder": lease.worker}
