"""The state of a study: what `plan` looks at.

Data and questions about it; `lineage.fold` alone changes it. State is bounded: a trial that ended without a keep leaves
only counts, so planning costs the same at 10 and at 100,000 trials.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from autoresearch.domain import events as e
from autoresearch.domain.brief import Hint
from autoresearch.domain.model import BASE, Atom, Move, RunKey, Standing, Study, TrialState
from autoresearch.domain.stats import Scatter

CONTROLLER = "confirmation"
"""Researcher of the trials that take refuted changes out again: they are no one's idea and count towards no limit."""
FINAL = "final"
"""Reason of the round at the end of a study."""
PERSON = "person"
"""Researcher of what people do by hand: `try`, `discard`."""


class Control(StrEnum):
    """Whether anything is due."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    """No new trials; open ones end, confirmation follows."""
    FINISHED = "finished"


class Stage(StrEnum):
    """What a requested run waits for."""

    EXECUTE = "execute"
    SCORE = "score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A run that is due."""

    run: RunKey
    purpose: e.Purpose
    trial: int | None
    round: int | None
    stage: Stage = Stage.EXECUTE
    measures: dict[str, float] = field(default_factory=dict)
    """What the controller measured of it, once it was executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of one tree, with its numbers, or with the reason why there are none."""

    run: RunKey
    purpose: e.Purpose
    metrics: dict[str, float] = field(default_factory=dict)
    holdout: dict[str, float] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrial:
    """A trial without a verdict."""

    number: int
    parent: int
    move: Move
    researcher: str
    ordinal: int = 0
    """How many trials researchers were given up to this one, itself included."""
    state: TrialState = TrialState.OPEN
    tree: str = ""
    hypothesis: str = ""
    issued: int = 0
    """Fresh seeds issued for its race so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTrial:
    """A trial of the lineage; number 0 is the base."""

    number: int
    parent: int
    tree: str
    researcher: str = ""
    hypothesis: str = ""
    standing: Standing = Standing.UNCONFIRMED
    effect: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A confirmation round."""

    number: int
    reference: str
    full: str
    incumbent: int
    reason: str
    atoms: tuple[Atom, ...] | None = None
    cells: tuple[e.Cell, ...] = ()
    requested: bool = False
    outcomes: tuple[e.AtomOutcome, ...] | None = None
    level: float = 0.0
    composed: bool = False
    confirmed: str = ""
    working: str | None = None
    over: int = BASE
    settled: bool = False
    headline: e.HeadlineJudged | None = None


class StudyState:
    """Where a study stands after `seq` events. Changed by `fold` alone."""

    def __init__(self) -> None:
        """Before the first event."""
        self.seq = 0
        self._study: Study | None = None
        self.spec = ""
        self.program = ""
        self.epoch = -1
        self.fingerprint = ""
        self.control = Control.RUNNING
        self.reason = ""
        self.stop_now = False
        self.confirm_asked = False
        self.headline_asked = False
        self.hints: dict[int, Hint] = {}
        self.next_hint = 1
        self.next_trial = 1
        self.proposed_trials = 0
        """Trials opened for researchers: what `stop.trials` counts."""
        self.open: dict[int, OpenTrial] = {}
        self.kept: dict[int, KeptTrial] = {}
        self.incumbent = BASE
        self.pending: dict[RunKey, Pending] = {}
        self.readings: dict[str, list[Measured]] = {}
        self.scatter = Scatter()
        self.counts: Counter[str] = Counter()
        self.since_keep = 0
        self.fruitless = 0
        """Proposals in a row that led to no run: vetoed or abandoned."""
        self.usd = 0.0
        self.runs = 0
        """Runs ended, whatever for."""
        self.confirm_runs = 0
        """Of these, runs for confirmation and headlines."""
        self.fresh_issued = 0
        """Seeds issued for calibration in this epoch."""
        self.incumbent_failures = 0
        """Runs of the incumbent that failed in a row."""
        self.rounds: list[Round] = []
        self.confirmed_tree = ""
        self.final_held = False
        """Whether the last round was a final one and nothing was proposed since."""
        self.headline_due = False
        """Whether the confirmed-only tree has changed since it was last measured beside the base."""
        self.given_up: Counter[str] = Counter()
        """Trials abandoned after their tree was proposed, by tree: their runs are not asked for a second time."""
        self.infra: Counter[str] = Counter()
        """Infra errors in a row, by step."""
        self.infra_reason = ""
        """What the last of them said."""

    @property
    def study(self) -> Study:
        """The study. Raises `ValueError` before `StudyCreated`."""
        if self._study is None:
            raise ValueError("the record is empty: no study was created")
        return self._study

    @property
    def exists(self) -> bool:
        """Whether a study was created."""
        return self._study is not None

    @property
    def incumbent_trial(self) -> KeptTrial:
        """The kept trial that newcomers must beat."""
        return self.kept[self.incumbent]

    @property
    def round(self) -> Round | None:
        """The confirmation round under way."""
        if self.rounds and not self.rounds[-1].settled:
            return self.rounds[-1]
        return None

    def readings_of(self, tree: str) -> list[Measured]:
        """Runs of a tree in the present epoch, failed ones included, oldest first."""
        return [each for each in self.readings.get(tree, ()) if each.run.epoch == self.epoch]

    def gains(self, tree: str, *purposes: e.Purpose) -> list[float]:
        """Gains (higher is better) of a tree's successful runs in the present epoch."""
        metric = self.study.metric
        return [
            metric.gain(each.metrics[metric.name])
            for each in self.readings_of(tree)
            if not each.failure and (not purposes or each.purpose in purposes)
        ]

    def lineage(self) -> list[KeptTrial]:
        """The kept trials from the base to the incumbent, oldest first."""
        path = [self.incumbent_trial]
        while path[-1].number != BASE:
            path.append(self.kept[path[-1].parent])
        return path[::-1]

    def waits_for(self, *, trial: int | None = None, round: int | None = None) -> bool:
        """Whether a run requested on behalf of this trial or round is still due."""
        if trial is not None:
            return any(each.trial == trial for each in self.pending.values())
        return any(each.round == round for each in self.pending.values() if each.round is not None)
