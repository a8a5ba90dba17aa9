"""Running sums over rows: each row is added once and then forgotten, unless it is among the few that are shown.

A tally only counts and remembers; what its sums mean is said by `data`.
"""

import re
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from heapq import heappush, heappushpop
from math import fsum, isfinite

from autoresearch.domain.events import CLEAN, Purpose
from autoresearch.domain.model import BASE, Cost, Metric, RunStatus, Standing, Study, TrialState
from autoresearch.domain.records import RunRow, TrialRow
from autoresearch.domain.text import plain

SHOWN = 8
"""Near misses shown."""
RECENT = 100
"""Last trials shown."""
GROUPS = 200
"""Different failures told apart, of one kind."""
OTHERS = "other reasons"

_NUMBER = re.compile(r"(⟨U\+\w+⟩)|[-+−]?\d[\d.,]*(?:e[-+]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Trials (or runs) that ended badly in the same way."""

    kind: str
    """``crashed``, ``vetoed``, ``abandoned`` or ``refused``."""
    reason: str
    """What they have in common: the rule, or the reason with its numbers left out."""
    count: int
    first: int | None
    """Number of the first such trial."""
    example: str
    """The first one's reason in full."""
    hypothesis: str = ""


class Failures:
    """Failures by kind and reason; their number is bounded however inventive the reasons are."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Failure] = {}

    def add(self, kind: str, group: str, reason: str, trial: int | None, hypothesis: str = "") -> None:
        """Count one more."""
        key = kind, group or "no reason given"
        if key not in self._groups and len(self._groups) >= GROUPS:
            key = kind, OTHERS
        known = self._groups.get(key)
        if known is not None:
            self._groups[key] = replace(known, count=known.count + 1)
            return
        self._groups[key] = Failure(
            kind=kind,
            reason=key[1],
            count=1,
            first=trial,
            example=plain(reason, 300),
            hypothesis=plain(hypothesis, 200),
        )

    def list(self) -> tuple[Failure, ...]:
        """The groups, most frequent first within each kind."""
        return tuple(sorted(self._groups.values(), key=lambda failure: (failure.kind, -failure.count)))


def common_part(reason: str) -> str:
    """A reason with its numbers left out, short: what reasons of one sort share."""
    return _NUMBER.sub(lambda found: found[1] or "…", plain(reason, 100)).replace("… …", "…")


class TrialTally:
    """Sums over trials that come by ascending number."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._best: float | None = None
        self._near: list[tuple[float, int, TrialRow]] = []
        self._usd: list[float] = []
        self.count = 0
        self.states: Counter[TrialState] = Counter()
        self.standings: Counter[Standing] = Counter()
        self.kept: list[TrialRow] = []
        self.recent: deque[TrialRow] = deque(maxlen=RECENT)
        self.failures = Failures()
        self.cost = Cost()
        self.base_value: float | None = None

    def add(self, row: TrialRow) -> None:
        """Take in the next trial; the base, if it has a row, only gives the value to start from."""
        if row.number == BASE:
            self.base_value = self._best = _finite(row.value)
            return
        self.count += 1
        self.states[row.state] += 1
        self.cost = _sum(self.cost, row.cost)
        self.recent.append(row)
        match row.state:
            case TrialState.KEPT:
                self._keep(row)
            case TrialState.DISCARDED:
                self._discard(row)
            case TrialState.VETOED:
                self.failures.add("vetoed", row.rule, row.reason, row.number, row.hypothesis)
            case TrialState.CRASHED | TrialState.ABANDONED:
                self.failures.add(row.state.value, common_part(row.reason), row.reason, row.number, row.hypothesis)

    def near(self) -> tuple[TrialRow, ...]:
        """The discarded trials with the largest gains, largest first."""
        return tuple(row for _, _, row in sorted(self._near, key=lambda entry: (-entry[0], -entry[1])))

    def _keep(self, row: TrialRow) -> None:
        self.standings[row.standing] += 1
        value = _finite(row.value)
        if row.effect is None and value is not None and self._best is not None:
            row = replace(row, effect=self._metric.gain(value) - self._metric.gain(self._best))
        if value is not None:
            self._best = value
        self.kept.append(row)

    def _discard(self, row: TrialRow) -> None:
        if row.effect is None or not isfinite(row.effect) or row.effect <= 0.0:
            return
        entry = (row.effect, -row.number, row)
        if len(self._near) < SHOWN:
            heappush(self._near, entry)
        else:
            heappushpop(self._near, entry)


@dataclass(slots=True)
class Mean:
    """A mean that grows."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """One more value."""
        self.total += value
        self.count += 1

    @property
    def mean(self) -> float:
        """Defined after the first `add`."""
        return self.total / self.count


@dataclass(slots=True)
class RunTally:
    """Sums over runs. Fresh for a kept tree: nothing was selected by it, and another trial (or none) asked for it."""

    study: Study
    owners: dict[str, int]
    """Number of the kept trial that proposed a tree."""
    count: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    purposes: Counter[Purpose] = field(default_factory=Counter)
    statuses: Counter[RunStatus] = field(default_factory=Counter)
    failures: Failures = field(default_factory=Failures)
    base: dict[int, Mean] = field(default_factory=dict)
    """By epoch."""
    _fresh: dict[int, dict[int, Mean]] = field(default_factory=dict)
    _epochs: dict[int, int] = field(default_factory=dict)

    def add(self, run: RunRow) -> None:
        """Take in a run; one that is not executed yet is passed over."""
        if run.status is None:
            return
        self.count += 1
        self.wall += run.wall
        self.cpu += run.cpu
        self.memory = max(self.memory, run.memory)
        self.purposes[run.purpose] += 1
        self.statuses[run.status] += 1
        if run.status is RunStatus.REFUSED:
            self.failures.add("refused", common_part(run.reason), run.reason, run.trial)
        value = _finite(run.metrics.get(self.study.metric.name))
        if run.status.ok and value is not None:
            self._measured(run, value)

    def fresh_of(self, trial: int) -> Mean | None:
        """Fresh runs of a kept trial's tree, of the epoch in which it was kept."""
        levels = self._fresh.get(trial, {})
        return levels.get(self._epochs.get(trial, min(levels, default=0)))

    def _measured(self, run: RunRow, value: float) -> None:
        epoch = run.key.epoch
        if run.trial is not None and run.trial == self.owners.get(run.key.tree):
            self._epochs.setdefault(run.trial, epoch)
            return
        if run.purpose not in CLEAN:
            return
        if run.key.tree == self.study.base_tree:
            self.base.setdefault(epoch, Mean()).add(value)
        owner = self.owners.get(run.key.tree)
        if owner is not None:
            self._fresh.setdefault(owner, {}).setdefault(epoch, Mean()).add(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _sum(one: Cost, other: Cost) -> Cost:
    return Cost(
        seconds=one.seconds + other.seconds,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_cached=one.tokens_cached + other.tokens_cached,
        tokens_out=one.tokens_out + other.tokens_out,
        usd=fsum((one.usd, other.usd)),
    )
