"""Counts and sums over a whole study, kept up to date event by event so that reading them costs nothing.

`counted` is the only place that says how an event changes them.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from autoresearch.domain.events import (
    EpochOpened,
    Event,
    RoundOpened,
    RunEnded,
    RunMeasured,
    RunsRequested,
    Steered,
    TrialAbandoned,
    TrialKept,
    TrialOpened,
    TrialProposed,
    TrialVetoed,
    WorkerLeft,
)
from autoresearch.domain.model import BASE, Cost
from autoresearch.domain.records import TrialRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A study in numbers."""

    trials: int = 0
    """Number of the trial opened last."""
    incumbent: int = BASE
    value: float | None = None
    """The incumbent's metric when it was kept, in the metric's unit."""
    epoch: int = -1
    """The epoch opened last; -1 before the first."""
    round: int = 0
    hint: int = -1
    """The largest number of a hint so far."""
    states: dict[str, int] = field(default_factory=dict)
    """Trials by state."""
    standings: dict[str, int] = field(default_factory=dict)
    """Kept trials by standing."""
    runs: int = 0
    """Runs requested."""
    runs_ended: int = 0
    runs_measured: int = 0
    run_wall: float = 0.0
    """Seconds."""
    run_cpu: float = 0.0
    """Seconds."""
    worker_seconds: float = 0.0
    """Seconds of work by workers that ended in an orderly way."""
    cost: Cost = Cost()
    """Of all proposals."""


def counted(totals: Totals, event: Event, before: TrialRow | None, after: TrialRow | None) -> Totals:
    """The totals after `event`, which took its trial's row (if it has one) from `before` to `after`."""
    changes = _changes(totals, event)
    if after is not None:
        if (states := _shifted(totals.states, before.state if before else None, after.state)) is not None:
            changes["states"] = states
        if (standings := _shifted(totals.standings, before.standing if before else None, after.standing)) is not None:
            changes["standings"] = standings
    return replace(totals, **changes) if changes else totals


def _changes(totals: Totals, event: Event) -> dict[str, Any]:
    match event:
        case TrialOpened():
            return {"trials": event.trial}
        case TrialProposed() | TrialVetoed() | TrialAbandoned():
            return {} if event.cost == Cost() else {"cost": _plus(totals.cost, event.cost)}
        case TrialKept():
            return {"incumbent": event.trial, "value": event.value}
        case RunsRequested():
            return {"runs": totals.runs + len(event.runs)}
        case RunEnded():
            return {
                "runs_ended": totals.runs_ended + 1,
                "run_wall": totals.run_wall + event.result.wall,
                "run_cpu": totals.run_cpu + event.result.cpu,
            }
        case RunMeasured():
            return {"runs_measured": totals.runs_measured + 1}
        case EpochOpened():
            return {"epoch": event.epoch}
        case RoundOpened():
            return {"round": event.round}
        case Steered():
            return {"hint": event.hint}
        case WorkerLeft():
            return {"worker_seconds": totals.worker_seconds + event.seconds}
    return {}


def _shifted(counts: dict[str, int], old: str | None, new: str) -> dict[str, int] | None:
    """`counts` with one moved from `old` to `new` (an empty name is not counted); None when nothing moves."""
    if old == new or not (old or new):
        return None
    shifted = dict(counts)
    if old:
        shifted[str(old)] -= 1
    if new:
        shifted[str(new)] = shifted.get(str(new), 0) + 1
    return shifted


def _plus(one: Cost, other: Cost) -> Cost:
    return Cost(
        seconds=one.seconds + other.seconds,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_cached=one.tokens_cached + other.tokens_cached,
        tokens_out=one.tokens_out + other.tokens_out,
        usd=one.usd + other.usd,
    )
