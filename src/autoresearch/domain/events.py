"""Everything that can happen to a study, one frozen class each; the record is a sequence of these.

A new fact is a new class or a new field with a default, never a free attribute. `codec` writes and reads them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from autoresearch.domain.model import (
    Atom,
    Cost,
    Move,
    RunKey,
    RunResult,
    Scores,
    Setting,
    Standing,
    Study,
)


class Purpose(StrEnum):
    """Why a run was asked for."""

    CALIBRATE = "calibrate"
    """A/A runs of the incumbent: how large is the noise?"""
    SCREEN = "screen"
    """A new tree's first run, on a seed of the pool."""
    RACE = "race"
    """A trial and its incumbent on fresh paired seeds."""
    CONFIRM = "confirm"
    """A cell of a confirmation round."""
    HEADLINE = "headline"
    """Base against the confirmed-only tree."""


CLEAN = (Purpose.CALIBRATE, Purpose.RACE, Purpose.CONFIRM, Purpose.HEADLINE)
"""Purposes whose readings are draws like any other: nothing was selected by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Subclasses with a `trial` that is not None belong to that trial's hash chain."""

    names: ClassVar[dict[str, type["Event"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Enter the class in the table that `codec` reads by."""
        Event.names[cls.__name__] = cls

    @property
    def chain(self) -> int | None:
        """Number of the trial whose hash chain the event belongs to; None for the study's own chain."""
        number: int | None = getattr(self, "trial", None)
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event with its place in the record."""

    seq: int
    at: float
    """Wall clock, seconds since 1970: for people, never for order or durations."""
    event: Event


# ---------------------------------------------------------------- the study


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyCreated(Event):
    """The first event of every record."""

    study: Study
    spec: str
    """Text of the spec file."""
    program: str = ""
    """Text of the program file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAmended(Event):
    """The spec changed, or, before the first trial, the base commit; where numbers do not compare, an epoch follows."""

    study: Study
    spec: str
    program: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochOpened(Event):
    """What measurements depend on changed (or was fixed for the first time): other epochs no longer compare."""

    epoch: int
    fingerprint: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJoined(Event):
    """A worker began."""

    worker: str
    sandbox: str
    safe: bool
    hardware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLeft(Event):
    """A worker ended in an orderly way after so many seconds of work."""

    worker: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """No step is due until `Resumed`."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """The study goes on; also takes back a `StopRequested` or `StudyFinished`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(Event):
    """No further trials: open ones end, confirmation follows."""

    reason: str
    now: bool = False
    """Without confirmation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmRequested(Event):
    """A person asks for a confirmation round now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFinished(Event):
    """Nothing is due any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered(Event):
    """A hint for all briefs to come."""

    hint: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HintDropped(Event):
    """A hint is withdrawn."""

    hint: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(Event):
    """An infra_error: the step stays due."""

    step: str
    reason: str


# ---------------------------------------------------------------- runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRequested(Event):
    """These runs are due. `trial` says on whose behalf, `round` in which confirmation round."""

    purpose: Purpose
    runs: tuple[RunKey, ...]
    trial: int | None = None
    round: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """A run was executed; with status `ok` its score is due."""

    run: RunKey
    result: RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMeasured(Event):
    """The scorer gave numbers."""

    run: RunKey
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRefused(Event):
    """The scorer refused a number."""

    run: RunKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLost(Event):
    """The artifacts of a run that ended well were gone before they were scored: it is to be executed again."""

    run: RunKey
    reason: str


# ---------------------------------------------------------------- trials


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOpened(Event):
    """A proposal is due."""

    trial: int
    parent: int
    move: Move
    researcher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProposed(Event):
    """The researcher answered and the tree is frozen: open → ready."""

    trial: int
    tree: str
    hypothesis: str
    cost: Cost
    settings: tuple[Setting, ...] = ()
    paths: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAbandoned(Event):
    """Nothing came of it: the researcher proposed nothing, or the study was stopped."""

    trial: int
    reason: str
    cost: Cost = Cost()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialVetoed(Event):
    """A guardrail refused the proposal before any run."""

    trial: int
    rule: str
    reason: str
    hypothesis: str = ""
    tree: str = ""
    same_as: int | None = None
    """The earlier trial with the same tree, whose result stands for this one."""
    cost: Cost = Cost()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialKept(Event):
    """Better than `over`, the incumbent it replaces. Effects are gains: positive is better, in the metric's unit."""

    trial: int
    over: int
    effect: float
    low: float
    high: float
    reason: str
    value: float | None = None
    """Mean of the metric over the trial's own runs, in the metric's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDiscarded(Event):
    """Not better than the incumbent, or not surely enough (`unsure`)."""

    trial: int
    effect: float
    low: float
    high: float
    reason: str
    unsure: bool = False
    rule: str = "acceptance"
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCrashed(Event):
    """A run of it failed, or the scorer refused its number."""

    trial: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChanged(Event):
    """What is known of a kept trial changed."""

    trial: int
    standing: Standing
    reason: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None


# ---------------------------------------------------------------- confirmation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of a factorial design: the atoms switched off, and its tree (None: it cannot be built)."""

    off: tuple[int, ...]
    tree: str | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomOutcome:
    """What a round says of one atom: the loss when it is removed from the full tree, in the metric's unit."""

    atom: int
    standing: Standing
    effect: float
    low: float
    high: float
    p: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOpened(Event):
    """A confirmation round of the kept changes between `reference` (confirmed so far) and `full` (the incumbent)."""

    round: int
    reference: str
    full: str
    incumbent: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSplit(Event):
    """The changes were split into atoms and the cells' trees were built."""

    round: int
    atoms: tuple[Atom, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundJudged(Event):
    """All cells are measured: confirmed, refuted, undecided."""

    round: int
    outcomes: tuple[AtomOutcome, ...]
    level: float = 0.0
    """Error level that the round used of the study's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundComposed(Event):
    """The confirmed-only tree, and the incumbent's without what was refuted (None: it conflicts, or nothing was)."""

    round: int
    confirmed: str
    working: str | None
    over: int
    """The incumbent that `working` was made from; composed anew when another one has taken its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSettled(Event):
    """The standings are written and what was refuted is out of the incumbent: the round is over."""

    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineJudged(Event):
    """Base against the confirmed-only tree on fresh seeds: values in the metric's unit, `effect` as a gain."""

    round: int
    base: float
    confirmed: float
    effect: float
    low: float
    high: float
    runs: int
    holdout_effect: float | None = None
    holdout_se: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineFailed(Event):
    """The confirmed-only tree does not run by itself: nothing of the round is claimed."""

    round: int
    reason: str
