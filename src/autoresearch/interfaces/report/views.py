"""What the report is told beside the rows: confirmation rounds, epochs, and the facts of the study's surroundings.

`rounds_from_events` and `epochs_from_events` are the only code of the report that knows events.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from autoresearch.domain.events import (
    AtomOutcome,
    EpochOpened,
    HeadlineFailed,
    HeadlineJudged,
    Recorded,
    RoundJudged,
    RoundOpened,
    RoundSplit,
    TrialOpened,
)
from autoresearch.domain.model import Atom


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """A confirmation round as far as it has come."""

    number: int
    reason: str
    at_trial: int
    """Highest trial number when the round was opened."""
    atoms: tuple[Atom, ...] = ()
    cells: int = 0
    """Combinations measured; 0 until the changes are split."""
    outcomes: tuple[AtomOutcome, ...] = ()
    headline: HeadlineJudged | None = None
    level: float = 0.0
    """Error level that the round used of the study's; 0.0 until it is judged."""
    failed: str = ""
    """Why nothing of the round is claimed: the confirmed changes do not run by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochView:
    """A change of conditions: measurements before and after it do not compare."""

    number: int
    reason: str
    at_trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What rows cannot say. Times are seconds since 1970, durations seconds."""

    written_at: float
    version: str
    branch: str
    """The branch that `apply` makes."""
    started: float | None = None
    ended: float | None = None
    elapsed: float = 0.0
    """Seconds during which at least one worker worked."""
    running: bool = False
    stop_reason: str = ""
    workers: int = 1
    sandbox: str = ""
    """Name of the sandbox; empty when nothing was run (an imported log)."""
    safe: bool = True
    protects: tuple[tuple[str, bool], ...] = ()
    """What the sandbox does and does not protect: (sentence, held)."""
    self_reported: bool = False
    hardware: str = ""
    spec: str = ""
    incumbents: tuple[int, ...] = ()
    """Numbers of the trials that were the incumbent, oldest first."""
    sigma: float | None = None
    """Standard deviation of one measurement when only the seed changes; None: unknown, 0.0: deterministic."""
    dof: float = 0.0
    epoch: int = 0
    epochs: tuple[EpochView, ...] = ()
    record_verified: bool | None = None
    """Whether the hash chains of the record were checked just now and hold; None: not checked."""
    confirmation: str = ""
    """A sentence on how false claims are kept out, with the levels used."""


def rounds_from_events(recorded: Iterable[Recorded]) -> tuple[RoundView, ...]:
    """The confirmation rounds, oldest first. Other events are passed over."""
    rounds: dict[int, RoundView] = {}
    newest = 0
    for entry in recorded:
        match entry.event:
            case TrialOpened(trial=trial):
                newest = max(newest, trial)
            case RoundOpened(round=number, reason=reason):
                rounds[number] = RoundView(number=number, reason=reason, at_trial=newest)
            case RoundSplit(round=number, atoms=atoms, cells=cells):
                rounds[number] = replace(rounds[number], atoms=atoms, cells=len(cells))
            case RoundJudged(round=number, outcomes=outcomes, level=level):
                rounds[number] = replace(rounds[number], outcomes=outcomes, level=level)
            case HeadlineJudged(round=number):
                rounds[number] = replace(rounds[number], headline=entry.event)
            case HeadlineFailed(round=number, reason=reason):
                rounds[number] = replace(rounds[number], failed=reason)
    return tuple(rounds[number] for number in sorted(rounds))


def epochs_from_events(recorded: Iterable[Recorded]) -> tuple[EpochView, ...]:
    """The epochs, oldest first."""
    found: list[EpochView] = []
    newest = 0
    for entry in recorded:
        match entry.event:
            case TrialOpened(trial=trial):
                newest = max(newest, trial)
            case EpochOpened(epoch=number, reason=reason):
                found.append(EpochView(number=number, reason=reason, at_trial=newest))
    return tuple(found)
