"""The rows people and researchers read: one per trial, one per run, each a function of its events.

`trial_row` and `run_row` are the only places that say how an event changes a row; the ledger stores what they return.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from autoresearch.domain.events import (
    Event,
    Purpose,
    RunEnded,
    RunLost,
    RunMeasured,
    RunRefused,
    StandingChanged,
    TrialAbandoned,
    TrialCrashed,
    TrialDiscarded,
    TrialKept,
    TrialOpened,
    TrialProposed,
    TrialVetoed,
)
from autoresearch.domain.lifecycle import after
from autoresearch.domain.model import Cost, Move, RunKey, RunStatus, Setting, Standing, TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """A trial as it stands. Effects are gains (positive is better) in the metric's unit."""

    number: int
    parent: int
    move: Move
    researcher: str
    state: TrialState
    standing: Standing = Standing.NONE
    tree: str = ""
    hypothesis: str = ""
    reason: str = ""
    rule: str = ""
    same_as: int | None = None
    over: int | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    confirmed_effect: float | None = None
    confirmed_low: float | None = None
    confirmed_high: float | None = None
    cost: Cost = Cost()
    settings: tuple[Setting, ...] = ()
    paths: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    opened_at: float = 0.0
    ended_at: float | None = None
    value: float | None = None
    """Mean of the metric over the tree's own measurements when the verdict fell, in the metric's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it stands: `status` None means asked for and not yet executed."""

    key: RunKey
    purpose: Purpose
    trial: int | None
    round: int | None
    status: RunStatus | None = None
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    holdout: dict[str, float] = field(default_factory=dict)
    notes: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    tail: str = ""
    sandbox: str = ""
    requested_at: float = 0.0
    ended_at: float | None = None

    @property
    def id(self) -> str:
        """The run's short name."""
        return self.key.id


COPIED: dict[type[Event], tuple[str, ...]] = {
    TrialProposed: ("tree", "hypothesis", "cost", "settings", "paths", "dropped"),
    TrialAbandoned: ("reason",),
    TrialVetoed: ("reason", "rule", "hypothesis", "tree", "same_as", "cost", "settings"),
    TrialKept: ("over", "effect", "low", "high", "reason", "value"),
    TrialDiscarded: ("effect", "low", "high", "reason", "rule", "value"),
    TrialCrashed: ("reason",),
    StandingChanged: ("standing", "reason"),
}
"""What a trial's row takes over from an event as it stands there."""


def trial_row(row: TrialRow | None, event: Event, at: float) -> TrialRow:
    """The row after a trial event. `row` is None only for `TrialOpened`."""
    if isinstance(event, TrialOpened):
        return TrialRow(
            number=event.trial,
            parent=event.parent,
            move=event.move,
            researcher=event.researcher,
            state=TrialState.OPEN,
            opened_at=at,
        )
    if row is None:
        raise ValueError(f"{type(event).__name__} for a trial that was never opened")
    state = after(event) or row.state
    changes: dict[str, Any] = {name: getattr(event, name) for name in COPIED.get(type(event), ())}
    changes |= _worked_out(row, event)
    if state.ended and row.ended_at is None:
        changes["ended_at"] = at
    return replace(row, state=state, **changes)


def _worked_out(row: TrialRow, event: Event) -> dict[str, Any]:
    """What a row takes from an event under another name, or by its kind alone."""
    match event:
        case TrialAbandoned():
            return {"rule": "abandoned", "cost": _plus(row.cost, event.cost)}
        case TrialKept():
            return {"standing": Standing.UNCONFIRMED, "rule": "acceptance"}
        case TrialCrashed():
            return {"rule": "crash"}
        case StandingChanged():
            names = ("effect", "low", "high")
            return {f"confirmed_{name}": getattr(event, name) for name in names}
    return {}


def run_row(row: RunRow, event: Event, at: float) -> RunRow:
    """The row after a run event."""
    match event:
        case RunEnded():
            result = event.result
            return replace(
                row,
                status=result.status,
                reason=result.reason,
                wall=result.wall,
                cpu=result.cpu,
                memory=result.memory,
                tail="" if result.status.ok else result.tail,
                sandbox=result.sandbox,
                ended_at=at,
            )
        case RunMeasured():
            return replace(
                row, metrics=event.scores.metrics, holdout=event.scores.holdout, notes=event.scores.notes, ended_at=at
            )
        case RunRefused():
            return replace(row, status=RunStatus.REFUSED, reason=event.reason, ended_at=at)
        case RunLost():
            return replace(row, status=None, reason=event.reason, ended_at=None)
    return row


def _plus(one: Cost, other: Cost) -> Cost:
    return Cost(
        seconds=one.seconds + other.seconds,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_cached=one.tokens_cached + other.tokens_cached,
        tokens_out=one.tokens_out + other.tokens_out,
        usd=math.fsum((one.usd, other.usd)),
    )
