"""The projected state of a ledger, for reading: every query is served by an index and bounded.

Reading needs no key; only `SqlLedger` writes.
"""

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autoresearch.adapters.ledger import leases, migrations, schema
from autoresearch.adapters.ledger.database import Database
from autoresearch.adapters.ledger.draft import read_totals
from autoresearch.adapters.ledger.packing import parse
from autoresearch.adapters.ledger.rows import read_run, read_trial
from autoresearch.adapters.ledger.totals import Totals
from autoresearch.domain.codec import load_event
from autoresearch.domain.errors import CorruptRecord, LedgerError
from autoresearch.domain.events import Recorded
from autoresearch.domain.model import RunKey, TrialState
from autoresearch.domain.records import RunRow, TrialRow

_BATCH = 2000


class SqlRecord:
    """Implements `ports.Record`, and what status and report need beside it."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Read from `database`; `clock` says which leases are alive."""
        self._database = database
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._database.path

    def trials(
        self, *, after: int = -1, limit: int = 100, newest: bool = False, states: Sequence[str] = ()
    ) -> Sequence[TrialRow]:
        """Trials numbered above `after`, ascending or from the newest down, at most `limit`; no `states` means all."""
        bounds: dict[str, Any] = {"after": after, "most": limit}
        if not states:
            return self._trials(schema.TRIALS_NEWEST if newest else schema.TRIALS, bounds)
        one = schema.TRIALS_IN_NEWEST if newest else schema.TRIALS_IN
        found = [self._database.all(one, {**bounds, "state": str(state)}) for state in sorted(set(states))]
        merged = heapq.merge(*found, key=lambda columns: columns[0], reverse=newest)
        return [read_trial(columns) for columns in islice(merged, limit)]

    def trial(self, number: int) -> TrialRow | None:
        """One trial."""
        found = self._database.one(schema.GET_TRIAL, {"number": number})
        return read_trial(found) if found else None

    def trial_of_tree(self, tree: str) -> TrialRow | None:
        """The first trial that proposed this tree and has, or will have, a result: not vetoed, not abandoned."""
        found = self._database.one(schema.TRIAL_OF_TREE, {"tree": tree})
        return read_trial(found) if found else None

    def runs(self, *, tree: str | None = None, limit: int = 1000) -> Sequence[RunRow]:
        """Runs in the order of their requests, at most `limit`."""
        if tree is None:
            return [read_run(columns) for columns in self._database.all(schema.RUNS, {"most": limit})]
        bounds = {"tree": tree, "most": limit}
        return [read_run(columns) for columns in self._database.all(schema.RUNS_OF_TREE, bounds)]

    def run(self, key: RunKey) -> RunRow | None:
        """One run."""
        found = self._database.one(schema.GET_RUN, {"name": key.id})
        row = read_run(found) if found else None
        return row if row is not None and row.key == key else None

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Everything recorded later than sequence number `after`, in order. Raises `CorruptRecord`."""
        return list(self.stream(after))

    def stream(self, after: int = 0) -> Iterator[Recorded]:
        """The same, a batch at a time in bounded memory."""
        while True:
            batch = self._database.all(schema.GET_EVENTS, {"after": after, "most": _BATCH})
            for columns in batch:
                yield read_event(columns)
            if len(batch) < _BATCH:
                return
            after = batch[-1][0]

    def events_of(self, trial: int) -> Sequence[Recorded]:
        """The events of one trial's chain, in order."""
        return [read_event(columns) for columns in self._database.all(schema.GET_CHAIN, {"link": trial})]

    def totals(self) -> Totals:
        """The study in numbers."""
        return read_totals(self._study()[3])

    def counts(self) -> dict[TrialState, int]:
        """Number of trials in each state."""
        states = self.totals().states
        return {state: states.get(state, 0) for state in TrialState}

    def incumbent(self) -> int:
        """The kept trial that newcomers must beat; 0 for the base."""
        return self.totals().incumbent

    def last(self) -> int:
        """Sequence number of the last event; 0 in an empty record."""
        return int(self._study()[0])

    def leases(self) -> Sequence[leases.Held]:
        """The leases that are alive, oldest first: who is at work on what."""
        return leases.held(self._database, self._clock())

    def backup(self, path: Path) -> None:
        """A consistent copy of the file while others go on writing."""
        self._database.copy_to(path)

    def _study(self) -> tuple[Any, ...]:
        return study_row(self._database)

    def _trials(self, statement: Any, params: dict[str, Any]) -> list[TrialRow]:
        return [read_trial(columns) for columns in self._database.all(statement, params)]


def open_record(path: Path, clock: Callable[[], float] = time.time) -> SqlRecord:
    """Open a ledger for reading alone.

    Raises `LedgerError` when there is none, `CorruptRecord` when it is damaged or of a newer version.
    """
    database = Database(path, read_only=True)
    try:
        found = migrations.check(database)
        if found == 0:
            raise LedgerError(f"{path} is empty: the study was never begun; `autoresearch run` begins it")
        if found < schema.VERSION:
            raise CorruptRecord(
                f"{path} has the older schema version {found}; `autoresearch doctor` brings it up to date"
            )
    except BaseException:
        database.close()
        raise
    return SqlRecord(database, clock)


def study_row(database: Database) -> tuple[Any, ...]:
    """The row of `study`: last sequence number, head, its seal, totals. Raises `CorruptRecord` when it is gone."""
    found = database.one(schema.GET_STUDY)
    if found is None:
        raise CorruptRecord(f"{database.path} has lost the row that holds its head; put a backup in its place")
    return found


def read_event(columns: tuple[Any, ...]) -> Recorded:
    """The event in (seq, at, kind, payload). Raises `CorruptRecord`."""
    seq, at, kind, payload = columns
    return Recorded(seq=seq, at=at, event=load_event(kind, parse(payload)))
