"""The neutral log: what every dialect of a results file says, one row per trial.

Pure data. A row whose run crashed has no value, whatever number the dialect writes for it, so it can never be best.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autoresearch.domain.model import Direction

CRASHES = frozenset({"crash", "crashed", "error", "failed", "metric-error", "oom", "timeout"})
"""Statuses whose number, if any, is a placeholder."""
KEEPS = frozenset({"baseline", "keep", "kept"})

LARGEST = 1e300
"""A larger number is taken for none: differences and squares of it would overflow."""

_HIGHER = ("acc", "score", "reward", "f1", "auc", "throughput", "per_sec", "r2", "sharpe", "pass_rate", "win_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTrial:
    """One row of a results file."""

    label: str
    """Its number as written there (``5a`` for one of a batch), else its place from 0."""
    commit: str
    value: float | None
    """None: it crashed, or no finite number is given."""
    status: str
    """As written, in lower case, without remarks in parentheses."""
    description: str
    metrics: tuple[tuple[str, float], ...] = ()
    """Other numbers of the row by name, as ``memory_gb``."""
    extra: tuple[tuple[str, str], ...] = ()
    """Other texts of the row by name, as ``guard``, ``hypothesis``, ``timestamp``."""

    @property
    def crashed(self) -> bool:
        """Whether its run failed."""
        return self.status in CRASHES

    @property
    def kept(self) -> bool:
        """Whether it became the incumbent."""
        return self.status in KEEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLog:
    """A results file: rows in order, and what its header says."""

    rows: tuple[ImportedTrial, ...]
    metric: str
    direction: Direction
    name: str = ""
    unit: str = ""
    comments: tuple[tuple[str, str], ...] = ()
    skipped: int = 0
    """Lines that did not read (a torn last line, other software's remarks)."""

    def best(self) -> ImportedTrial | None:
        """The row with the best value; a crash never is."""
        measured = [row for row in self.rows if row.value is not None]
        sign = 1 if self.direction is Direction.MINIMIZE else -1
        return min(measured, key=lambda row: sign * (row.value or 0.0), default=None)


def finite(value: float) -> float | None:
    """`value` (a negative zero as zero) if it is a number that can be reckoned with."""
    return value + 0.0 if abs(value) <= LARGEST else None


def status_of(text: str) -> str:
    """A status as written, without remark: ``"Keep (reworked)"`` is ``keep``."""
    return text.partition("(")[0].strip().lower()


def direction_of(text: str) -> Direction | None:
    """``lower``, ``higher_is_better``, ``minimize`` and their like; None for anything else."""
    word = text.strip().lower()
    if word.startswith(("lower", "min")):
        return Direction.MINIMIZE
    return Direction.MAXIMIZE if word.startswith(("higher", "max")) else None


def guessed_direction(metric: str, rows: Iterable[ImportedTrial]) -> Direction:
    """Where nothing says it: which way the kept values went, else what the metric's name suggests, else lower."""
    steps = list(_steps(rows))
    falls, rises = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    if falls != rises:
        return Direction.MINIMIZE if falls > rises else Direction.MAXIMIZE
    return Direction.MAXIMIZE if any(word in metric.lower() for word in _HIGHER) else Direction.MINIMIZE


def _steps(rows: Iterable[ImportedTrial]) -> Iterator[float]:
    last: float | None = None
    for row in rows:
        if row.kept and row.value is not None:
            if last is not None:
                yield row.value - last
            last = row.value
