"""The report of a study from its record: facts gathered, files written.

Everything is read from the ledger; the key is used only to say whether the record verifies.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoresearch import __version__
from autoresearch.adapters.execution.choose import best_sandbox
from autoresearch.adapters.exporters.lineage import RUNG, log_of
from autoresearch.adapters.exporters.noise import within_noise
from autoresearch.adapters.ledger import SqlRecord, open_ledger
from autoresearch.bootstrap.fingerprint import hardware
from autoresearch.bootstrap.place import Place
from autoresearch.bootstrap.study import open_record_of
from autoresearch.domain import events as e
from autoresearch.domain.confirmation import SCHEDULE, noise_of
from autoresearch.domain.lineage import fold
from autoresearch.domain.model import BASE, Source
from autoresearch.domain.records import RunRow, TrialRow
from autoresearch.domain.state import Control, StudyState
from autoresearch.domain.stats import Noise
from autoresearch.interfaces.cli.applying import UNDONE
from autoresearch.interfaces.cli.glance import at_work
from autoresearch.interfaces.cli.shown import EVERYTHING
from autoresearch.interfaces.report import (
    Facts,
    Paths,
    RoundView,
    epochs_from_events,
    gather,
    rounds_from_events,
    write_report,
)


@dataclass(slots=True)
class Shift:
    """Who was at work when, as far as the record tells. Durations in seconds."""

    leaving: frozenset[str]
    """Workers that left in an orderly way, or are alive: only these are known to have gone on working."""
    at_work: set[str] = field(default_factory=set)
    most: int = 0
    seconds: float = 0.0
    last: float | None = None

    def see(self, at: float, event: e.Event) -> None:
        """Take in the next event."""
        if isinstance(event, e.WorkerJoined):  # what was at work and never left had died by now
            self.at_work &= self.leaving
        if self.at_work and self.last is not None:
            self.seconds += max(0.0, at - self.last)
        if isinstance(event, e.WorkerJoined):
            self.at_work.add(event.worker)
            self.most = max(self.most, len(self.at_work))
        elif isinstance(event, e.WorkerLeft):
            self.at_work.discard(event.worker)
        self.last = at


def write_report_of(place: Place, name: str, directory: Path | None = None) -> dict[str, Path]:
    """Write the report of a study into `directory` (default: ``report`` of its state directory).

    Returns the places of ``html``, ``markdown``, ``svg`` and ``png``. Raises `UsageError` when there is no such study.
    """
    with contextlib.closing(open_record_of(place, name)) as record:
        recorded = record.events()
        trials, runs = record.trials(limit=EVERYTHING), record.runs(limit=EVERYTHING)
        state = folded_from(recorded)
        facts = _facts(place, name, record, recorded, state, trials, runs)
    data = gather(state.study, trials, runs, _rounds(recorded), facts)
    paths: Paths = write_report(data, directory or place.of(name) / "report")
    return {"html": paths.html, "markdown": paths.markdown, "svg": paths.svg, "png": paths.png}


def folded_from(recorded: Iterable[e.Recorded]) -> StudyState:
    """The state after these events."""
    state = StudyState()
    for entry in recorded:
        fold(state, entry)
    return state


def _facts(
    place: Place,
    name: str,
    record: SqlRecord,
    recorded: Sequence[e.Recorded],
    state: StudyState,
    trials: Sequence[TrialRow],
    runs: Sequence[RunRow],
) -> Facts:
    now, workers = time.time(), at_work(record)
    joined = [entry.event for entry in recorded if isinstance(entry.event, e.WorkerJoined)]
    shift = _shift(recorded, workers)
    noise = _noise(state, trials, runs)
    sandbox = joined[-1].sandbox if joined else ""
    return Facts(
        written_at=now,
        version=__version__,
        branch=f"autoresearch/{name}",
        started=recorded[0].at if recorded else None,
        ended=recorded[-1].at if recorded and not workers else None,
        elapsed=shift.seconds + (max(0.0, now - (shift.last or now)) if workers else 0.0),
        running=bool(workers),
        stop_reason=state.reason if state.control is not Control.RUNNING else "",
        workers=max(1, shift.most),
        sandbox=sandbox,
        safe=all(each.safe for each in joined),
        protects=_protects(sandbox),
        self_reported=state.study.metric.source is Source.STDOUT,
        hardware=(joined[-1].hardware or hardware()) if joined else "",
        spec=state.spec,
        incumbents=(BASE, *(entry.event.trial for entry in recorded if isinstance(entry.event, e.TrialKept))),
        sigma=noise.sigma if noise.dof else None,
        dof=noise.dof,
        epoch=max(0, state.epoch),
        epochs=epochs_from_events(recorded),
        record_verified=verified(place, name),
        confirmation=_confirmation(state),
    )


def _rounds(recorded: Sequence[e.Recorded]) -> tuple[RoundView, ...]:
    """The rounds, without headlines of trees that were given up afterwards."""
    void = 0
    for entry in recorded:
        if isinstance(entry.event, e.HeadlineFailed) or (
            isinstance(entry.event, e.RoundOpened) and entry.event.reason == UNDONE
        ):
            void = entry.event.round
    return tuple(replace(view, headline=None) if view.number < void else view for view in rounds_from_events(recorded))


def _shift(recorded: Sequence[e.Recorded], workers: Sequence[str]) -> Shift:
    left = {entry.event.worker for entry in recorded if isinstance(entry.event, e.WorkerLeft)}
    shift = Shift(frozenset(left | set(workers)))
    for entry in recorded:
        shift.see(entry.at, entry.event)
    return shift


def _noise(state: StudyState, trials: Sequence[TrialRow], runs: Sequence[RunRow]) -> Noise:
    """The noise of one run; of an imported log, what the log itself tells."""
    if state.study.rung.name != RUNG:
        return noise_of(state)
    told = within_noise(log_of(state.study, trials, runs))
    return Noise(sigma=told.sigma or 0.0, dof=float(len(told.shifts)) if told.sigma is not None else 0.0)


def _protects(sandbox: str) -> tuple[tuple[str, bool], ...]:
    """What the sandbox that was used does on this machine; nothing when it is not the one that would be used now."""
    if not sandbox:
        return ()
    best = best_sandbox()
    return tuple(best.protects()) if best.name == sandbox else ()


def verified(place: Place, name: str) -> bool | None:
    """Whether the record's hash chains hold; None where the key is not there to tell."""
    if not (place.of(name) / "key").exists():
        return None
    with contextlib.closing(open_ledger(place.ledger(name), place.key(name))) as ledger:
        return not ledger.verify()


def _confirmation(state: StudyState) -> str:
    """How false claims are kept out, with the levels that were used; empty before the first round."""
    levels = [each.level for each in state.rounds if each.outcomes is not None and each.level > 0]
    if not levels:
        return ""
    used = ", ".join(f"{100 * level:.2g} %" for level in levels)
    rounds = "1 round" if len(levels) == 1 else f"{len(levels)} rounds"
    return (
        "A change is called confirmed only when taking it out measurably hurts on fresh seeds, drawn after the tree "
        f"was frozen. {rounds} of confirmation used an error level of {used}, corrected for the number of changes; "
        f"a study in which nothing works claims anything at all with a chance of at most {100 * SCHEDULE.false:.2g} %."
    )
