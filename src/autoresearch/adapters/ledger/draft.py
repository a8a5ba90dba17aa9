"""The rows that a batch of events touches: loaded when first needed, changed in memory, written back once.

Used inside one write transaction and then thrown away.
"""

from typing import Any

from autoresearch.adapters.ledger import schema
from autoresearch.adapters.ledger.database import Database
from autoresearch.adapters.ledger.packing import canonical, pack, parse
from autoresearch.adapters.ledger.rows import read_run, read_trial, run_columns, trial_columns
from autoresearch.adapters.ledger.totals import Totals, counted
from autoresearch.domain.codec import dump, load
from autoresearch.domain.events import (
    Event,
    HeadlineFailed,
    HeadlineJudged,
    RoundComposed,
    RoundJudged,
    RoundOpened,
    RoundSettled,
    RoundSplit,
    RunEnded,
    RunLost,
    RunMeasured,
    RunRefused,
    RunsRequested,
)
from autoresearch.domain.lifecycle import TABLE
from autoresearch.domain.model import RunKey, TrialState
from autoresearch.domain.records import RunRow, TrialRow, run_row, trial_row

OF_ROUND = (RoundOpened, RoundSplit, RoundJudged, RoundComposed, RoundSettled, HeadlineJudged, HeadlineFailed)
"""Events of confirmation rounds."""


def once_in_round(event: Event) -> str:
    """What at most one event of a confirmation round may be: composed for an incumbent, given a headline, ..."""
    match event:
        case RoundComposed():
            return f"{type(event).__name__} over {event.over}"
        case HeadlineJudged() | HeadlineFailed():
            return "Headline"
    return type(event).__name__


class Draft:
    """The projection as it would stand after some more events."""

    def __init__(self, database: Database, seq: int, totals: Totals) -> None:
        self.seq = seq
        self.totals = totals
        self._database = database
        self._trials: dict[int, TrialRow | None] = {}
        self._runs: dict[str, RunRow | None] = {}
        self._rounds: dict[int, set[str]] = {}
        self._changed_trials: set[int] = set()
        self._changed_runs: set[str] = set()
        self._new_trials: set[int] = set()
        self._new_runs: dict[str, int] = {}
        self._new_rounds: list[dict[str, Any]] = []

    def trial(self, number: int) -> TrialRow | None:
        """A trial as it would stand."""
        if number not in self._trials:
            found = self._database.one(schema.GET_TRIAL, {"number": number})
            self._trials[number] = read_trial(found) if found else None
        return self._trials[number]

    def ready_with(self, tree: str) -> set[int]:
        """Numbers of the trials that would wait for a verdict on `tree`."""
        found = self._database.all(schema.READY_OF_TREE, {"tree": tree, "state": TrialState.READY.value})
        rows = [row for row in map(read_trial, found) if row.number not in self._trials]
        rows += [row for row in self._trials.values() if row is not None]
        return {row.number for row in rows if row.tree == tree and row.state is TrialState.READY}

    def run(self, key: RunKey) -> RunRow | None:
        """A run as it would stand, by its short name."""
        name = key.id
        if name not in self._runs:
            found = self._database.one(schema.GET_RUN, {"name": name})
            self._runs[name] = read_run(found) if found else None
        return self._runs[name]

    def steps_of_round(self, number: int) -> set[str]:
        """What confirmation round `number` would have had, as `once_in_round` calls it."""
        if number not in self._rounds:
            found = self._database.all(schema.GET_ROUND, {"number": number})
            self._rounds[number] = {kind for (kind,) in found}
        return self._rounds[number]

    def apply(self, event: Event, at: float) -> None:
        """Let `event`, which fits, happen."""
        self.seq += 1
        before = after = None
        if type(event) in TABLE and event.chain is not None:
            before = self.trial(event.chain)
            after = self._trials[event.chain] = trial_row(before, event, at)
            (self._new_trials if before is None else self._changed_trials).add(event.chain)
        elif isinstance(event, RunsRequested):
            self._request(event, at)
        elif isinstance(event, RunEnded | RunMeasured | RunRefused | RunLost):
            if (run := self.run(event.run)) is not None:
                self._runs[run.id] = run_row(run, event, at)
                self._changed_runs.add(run.id)
        elif isinstance(event, OF_ROUND):
            kind = once_in_round(event)
            self.steps_of_round(event.round).add(kind)
            self._new_rounds.append({"round": event.round, "kind": kind, "seq": self.seq})
        self.totals = counted(self.totals, event, before, after)

    def flush(self) -> None:
        """Write what changed, except for the totals."""
        put_trials = [trial_columns(row) for number in sorted(self._new_trials) if (row := self._trials[number])]
        self._run(schema.PUT_TRIAL, put_trials)
        for number in sorted(self._changed_trials - self._new_trials):
            if row := self._trials[number]:
                columns = trial_columns(row)
                self._database.run(schema.SET_TRIAL, {"key": columns.pop("number"), **columns})
        put_runs = [run_columns(run, number) for name, number in self._new_runs.items() if (run := self._runs[name])]
        self._run(schema.PUT_RUN, put_runs)
        for name in sorted(self._changed_runs - self._new_runs.keys()):
            if run := self._runs[name]:
                columns = run_columns(run, 0)
                changes = {"name": name, "status": columns["status"], "row": columns["row"]}
                self._database.run(schema.SET_RUN, changes)
        self._run(schema.PUT_ROUND, self._new_rounds)

    def _request(self, event: RunsRequested, at: float) -> None:
        for place, key in enumerate(event.runs, self.totals.runs + 1):
            row = RunRow(key=key, purpose=event.purpose, trial=event.trial, round=event.round, requested_at=at)
            self._runs[row.id] = row
            self._new_runs[row.id] = place

    def _run(self, statement: Any, params: list[dict[str, Any]]) -> None:
        if params:
            self._database.run(statement, *params)


def packed_totals(totals: Totals) -> bytes:
    """Totals as their column."""
    return pack(canonical(dump(totals)))


def read_totals(column: bytes) -> Totals:
    """The totals in their column. Raises `CorruptRecord`."""
    totals: Totals = load(Totals, parse(column))
    return totals
