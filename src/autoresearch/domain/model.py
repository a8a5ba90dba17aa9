"""The nouns: metrics, budgets, runs, measurements, trials.

Everything here is frozen data; what changes them stands in `lineage` (folding events) and nowhere else.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

Scalar = bool | int | float | str

BASE = 0
"""Number of the trial that stands for the base commit: the first incumbent, never proposed by anybody."""

LARGEST = 1e100
"""Largest size of a number that is believed: squares and sums of squares stay finite, so that no fold can fail."""


class Direction(StrEnum):
    """Which way a metric improves."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Source(StrEnum):
    """Where a metric's value comes from."""

    SCORE = "score"
    """Sealed: a trusted scorer computes it from artifacts."""
    STDOUT = "stdout"
    """Self-reported: read from the run's own output, and labelled so everywhere."""


class Clock(StrEnum):
    """Which clock a budget counts."""

    WALL = "wall"
    CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A size of effect, absolute or as a share of a reference value."""

    value: float
    relative: bool

    def at(self, reference: float) -> float:
        """The bound in the metric's own unit (>= 0) beside `reference`."""
        return abs(reference) * self.value if self.relative else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The number that decides."""

    name: str
    direction: Direction
    min_effect: Bound = Bound(value=0.0, relative=True)
    implausible: Bound | None = None
    source: Source = Source.SCORE

    def gain(self, value: float) -> float:
        """`value` with the sign under which higher is better."""
        return value if self.direction is Direction.MAXIMIZE else 0.0 - value

    def value(self, gain: float) -> float:
        """The inverse of `gain`."""
        return self.gain(gain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A secondary metric that must not regress by more than a bound."""

    metric: str
    max_increase: Bound | None = None
    max_decrease: Bound | None = None

    def broken_by(self, value: float, reference: float) -> bool:
        """Whether `value` is outside the band around the incumbent's `reference`; NaN always is."""
        if math.isnan(value):
            return True
        rise = self.max_increase is not None and value - reference > self.max_increase.at(reference)
        fall = self.max_decrease is not None and reference - value > self.max_decrease.at(reference)
        return rise or fall


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Hard limits of one run, enforced from outside. Seconds and bytes."""

    seconds: float
    clock: Clock = Clock.WALL
    wall_guard: float | None = None
    """With a CPU budget: wall-clock limit; None means three times `seconds` plus 10 s."""
    memory: int = 4 << 30
    processes: int = 256
    disk: int = 2 << 30
    log: int = 8 << 20
    grace: float = 2.0
    """Seconds between TERM and KILL."""

    @property
    def wall(self) -> float:
        """The wall-clock limit in seconds, whichever clock is budgeted."""
        if self.clock is Clock.WALL:
            return self.seconds
        return self.wall_guard if self.wall_guard is not None else 3 * self.seconds + 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A level of budget at which trees are measured."""

    name: str
    budget: Budget
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RunKey:
    """What a measurement belongs to: one tree, at one rung, with one seed, in one epoch; not a trial.

    `repeat` is above 0 for a second run of the very same thing (is the seed obeyed? was the first one disturbed?).
    """

    tree: str
    rung: str
    seed: int
    epoch: int = 0
    repeat: int = 0

    @property
    def id(self) -> str:
        """A short name, usable as a file name."""
        tail = f"-r{self.repeat}" if self.repeat else ""
        return f"{self.tree[:16]}-{self.rung}-{self.seed}-e{self.epoch}{tail}"


class RunStatus(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    """Exit status other than 0, or death by a signal of its own."""
    TIMEOUT = "timeout"
    """Still running at the end of its budget and grace."""
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    REFUSED = "refused"
    """It ended well, but the scorer refused a number."""

    @property
    def ok(self) -> bool:
        """Whether artifacts may be scored."""
        return self is RunStatus.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What the controller measured of one run: seconds, bytes, and why it ended."""

    MEASURES: ClassVar[tuple[str, ...]] = ("peak_memory_mb", "cpu_seconds", "wall_seconds")
    """Names under which guards find it: nothing that a run or a scorer says replaces these."""

    status: RunStatus
    reason: str = ""
    exit_code: int | None = None
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    log_bytes: int = 0
    log_truncated: bool = False
    tail: str = ""
    """The last lines of the log, printable characters only, at most 2,000 of them."""
    sandbox: str = ""
    """Name of the sandbox it ran in."""

    @property
    def measures(self) -> dict[str, float]:
        """MiB and seconds by the names of `MEASURES`."""
        return dict(zip(self.MEASURES, (self.memory / 2**20, self.cpu, self.wall), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a scorer says of one run. `holdout` is empty unless asked for."""

    metrics: dict[str, float]
    holdout: dict[str, float] = field(default_factory=dict)
    notes: str = ""


class TrialState(StrEnum):
    """Where a trial stands; the last five end it (`lifecycle` holds the table)."""

    OPEN = "open"
    READY = "ready"
    KEPT = "kept"
    DISCARDED = "discarded"
    VETOED = "vetoed"
    CRASHED = "crashed"
    ABANDONED = "abandoned"

    @property
    def ended(self) -> bool:
        """Whether the verdict has fallen."""
        return self not in (TrialState.OPEN, TrialState.READY)


class Standing(StrEnum):
    """What is known of a kept trial; changes after its verdict by later events."""

    NONE = ""
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    HELD = "held"


class Move(StrEnum):
    """The kind of change a policy asks for."""

    EXPLOIT = "exploit"
    EXPLORE = "explore"
    COMBINE = "combine"
    SIMPLIFY = "simplify"
    REVISIT = "revisit"
    WILD = "wild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a proposal cost. Seconds of wall clock, tokens, US dollars."""

    seconds: float = 0.0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One resolved constant of a tree: what the code says, not what somebody said about it."""

    name: str
    """``file.py:NAME``."""
    value: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A researcher's answer; the edited tree is in the workspace it was given."""

    hypothesis: str
    """One line."""
    cost: Cost = Cost()
    settings: tuple[Setting, ...] = ()
    empty: str = ""
    """Why nothing is proposed (the trial is then abandoned); empty when something is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that differs between a parent tree and a proposed one."""

    path: str
    status: str
    """``added``, ``modified`` or ``deleted``."""
    kind: str
    """``file``, ``symlink``, ``gitlink`` or ``other`` (devices, sockets): the new entry's, or the deleted one's."""
    size: int = 0
    executable: bool = False
    text: str | None = None
    """New content when it is UTF-8 text of at most 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """The smallest part of the kept changes that can be toggled alone."""

    id: int
    summary: str
    """``train.py: LR 0.001 → 0.003`` or ``train.py:120-131 (+8 −3)``."""
    trials: tuple[int, ...] = ()
    """Kept trials whose change it is, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When a study ends by itself. None: not for this reason."""

    trials: int | None = 100
    runs: int | None = None
    """Of all kinds, confirmation included."""
    hours: float | None = None
    """Of one `run`, not of the calendar."""
    cost_usd: float | None = None
    """Reaching it pauses the study."""
    target: float | None = None
    """Value of the metric at which the incumbent is good enough."""
    patience: int | None = None
    """Trials in a row without a keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A goal pursued from one base commit under one spec, as far as decisions depend on it."""

    name: str
    goal: str
    base_commit: str
    base_tree: str
    seed: int
    """From which all seeds of the study are derived; secret to researchers and runs."""
    metric: Metric
    guards: tuple[Guard, ...] = ()
    rungs: tuple[Rung, ...]
    acceptance: str = "race"
    policy: str = "ratchet"
    researcher: str = "tune"
    stop: Stop = Stop()
    holdout: bool = False
    """Whether the scorer has a holdout split; only headline runs are scored on it."""

    @property
    def rung(self) -> Rung:
        """The rung at which trials are measured."""
        return self.rungs[0]
