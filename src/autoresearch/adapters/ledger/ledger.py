"""The ledger: the one way to write a study's record.

Events, the rows projected from them, the seal and the end of the lease go to disk in one transaction or not at all.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autoresearch.adapters.ledger import chain, leases, migrations, reserve, schema, verify
from autoresearch.adapters.ledger.database import Database, DiskFullError, touch
from autoresearch.adapters.ledger.draft import Draft, packed_totals, read_totals
from autoresearch.adapters.ledger.fit import fits
from autoresearch.adapters.ledger.packing import canonical, pack
from autoresearch.adapters.ledger.record import SqlRecord, study_row
from autoresearch.adapters.ledger.totals import Totals
from autoresearch.domain.codec import dump
from autoresearch.domain.errors import CorruptRecord, LedgerError
from autoresearch.domain.events import Event
from autoresearch.ports import Lease


class SqlLedger(SqlRecord):
    """Implements `ports.Ledger` and `ports.Record` on one SQLite file.

    Threads may share it; every process opens its own.
    """

    def __init__(self, database: Database, key: bytes, clock: Callable[[], float] = time.time) -> None:
        """Write to `database`, whose tables exist, sealing with `key`."""
        super().__init__(database, clock)
        self._key = key
        self._known = (b"", Totals())

    def claim(self, step: str, worker: str, seconds: float) -> Lease | None:
        """Take the lease on a step; None while another worker's is alive. The same worker gets a new token."""
        return leases.claim(self._database, step, worker, seconds, self._clock())

    def extend(self, lease: Lease, seconds: float) -> None:
        """Heartbeat: the lease ends `seconds` from now. Raises `LostLease`."""
        leases.extend(self._database, lease, seconds, self._clock())

    def release(self, lease: Lease) -> None:
        """Give a lease back without a result; a lost one is ignored."""
        leases.release(self._database, lease)

    def record(self, events: Sequence[Event], *, lease: Lease | None = None, lasting: bool = True) -> int | None:
        """Append events, project them, end the lease: one transaction. Returns the new sequence number.

        One that is not `lasting` does not wait for the disk: see `ports.Ledger`.

        None when an event does not fit (see `fit`): nothing is written then, and the lease is still held.
        Raises `LostLease`, `InfraError` (disk full, read-only), `CorruptRecord` (the head is not sealed with our key).
        """
        try:
            return self._record(events, lease, lasting=lasting)
        except DiskFullError:
            if not reserve.spend(self.path):
                raise
        return self._record(events, lease, lasting=lasting)

    def verify(self) -> list[str]:
        """What is wrong with the record, in sentences; empty when every event is as it was sealed."""
        return verify.verify_chains(self._database, self._key)

    def verify_projection(self) -> list[str]:
        """Where the tables differ from the fold of the events; empty when they do not."""
        return verify.verify_projection(self._database)

    def repair_projection(self) -> None:
        """Make the tables anew from the events. Raises `CorruptRecord` when the events themselves contradict."""
        verify.repair_projection(self._database)

    def _record(self, events: Sequence[Event], lease: Lease | None, *, lasting: bool) -> int | None:
        at = float(self._clock())
        try:
            with self._database.write(lasting=lasting):
                if lease is not None:
                    leases.spend(self._database, lease)
                return self._append(events, at)
        except _MisfitError:
            return None

    def _append(self, events: Sequence[Event], at: float) -> int:
        """Inside a transaction: raises `_MisfitError` to undo it."""
        head, totals = self._head()
        draft = Draft(self._database, head.seq, totals)
        ends: dict[int | None, bytes] = {}
        rows = []
        for event in events:
            if not fits(event, draft):
                raise _MisfitError
            draft.apply(event, at)
            row = self._sealed(event, draft.seq, at, ends)
            head = head.then(row["hash"])
            rows.append(row)
        if rows:
            self._database.run(schema.PUT_EVENT, *rows)
            draft.flush()
            seal = chain.seal_head(self._key, head)
            sums = self._known[0] if draft.totals is totals else packed_totals(draft.totals)
            self._database.run(schema.SET_STUDY, {"seq": head.seq, "head": head.hash, "mac": seal, "totals": sums})
            self._known = (sums, draft.totals)
        return head.seq

    def _head(self) -> tuple[chain.Head, Totals]:
        """The end of the record and the totals. Raises `CorruptRecord`: a forged head must not be sealed over."""
        seq, hashed, mac, totals = study_row(self._database)
        head = chain.Head(seq=seq, hash=hashed)
        if not chain.same(chain.seal_head(self._key, head), mac):
            raise CorruptRecord(
                f"the end of the record in {self.path} is not sealed with this study's key: it was changed from "
                "outside, or the key file was; `autoresearch doctor` says more"
            )
        if totals != self._known[0]:
            self._known = (totals, read_totals(totals))
        return head, self._known[1]

    def _sealed(self, event: Event, seq: int, at: float, ends: dict[int | None, bytes]) -> dict[str, Any]:
        """The event as the columns of `events`; `ends` holds the last hash of each chain seen in this batch."""
        number, kind, payload = event.chain, type(event).__name__, canonical(dump(event))
        before = ends[number] if number in ends else self._end_of(number)
        hashed = chain.link(before, seq=seq, at=at, kind=kind, chain=number, payload=payload)
        ends[number] = hashed
        return {
            "seq": seq,
            "at": at,
            "kind": kind,
            "chain": number,
            "payload": pack(payload),
            "hash": hashed,
            "mac": chain.seal_event(self._key, hashed),
        }

    def _end_of(self, number: int | None) -> bytes:
        if number is None:
            found = self._database.one(schema.LAST_OF_STUDY)
        else:
            found = self._database.one(schema.LAST_OF_TRIAL, {"link": number})
        return found[0] if found else chain.START


class _MisfitError(Exception):
    """Undoes the transaction in which an event turned out not to fit."""


def open_ledger(path: Path, key: bytes, clock: Callable[[], float] = time.time, *, create: bool = False) -> SqlLedger:
    """Open a study's ledger, bringing an older schema up to date; `create` makes a missing one (mode 0600).

    `clock` gives wall-clock seconds since 1970. Raises `LedgerError` when there is none, `CorruptRecord` when the file
    is damaged or of a newer version, `InfraError` when it cannot be read or written.
    """
    if create:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        touch(path)
    database = Database(path)
    try:
        if create:
            _create(database, key)
        if migrations.version(database) == 0:
            raise LedgerError(f"{path} is empty: the study was never begun; `autoresearch run` begins it")
        migrations.migrate(database)
        reserve.keep(path)
    except BaseException:
        database.close()
        raise
    return SqlLedger(database, key, clock)


def _create(database: Database, key: bytes) -> None:
    if database.has_tables():
        return
    with database.write():
        if migrations.create(database):
            database.run(schema.PUT_STUDY, verify.empty_study(key))
