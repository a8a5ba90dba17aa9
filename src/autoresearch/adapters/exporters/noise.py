"""Which keeps of a log lie within its noise, judged by the log alone.

The noise is what a row shows that changed nothing but the seed, or nothing at all. A keep within it may be luck; one
beyond it still rests on one run.
"""

import math
import re
from dataclasses import dataclass

from autoresearch.adapters.exporters.log import ImportedLog, ImportedTrial
from autoresearch.domain.model import Direction

_SEED = frozenset({"seed", "seeds"})
_AGAIN = frozenset({"rerun", "re-run", "rerunning", "repeat", "repeated", "remeasure", "re-measure", "again"})
_FILLING = frozenset({
    "a", "another", "baseline", "best", "change", "changed", "code", "config", "current", "different", "from",
    "incumbent", "new", "no", "of", "only", "other", "random", "rng", "same", "set", "swap", "the", "to", "try",
    "unchanged", "with",
})  # fmt: skip
_WORD = re.compile(r"[a-z][a-z-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A row that changed nothing that matters, beside the incumbent it repeats."""

    row: int
    """Its place in the log, from 0."""
    difference: float
    """Its value less the incumbent's, in the metric's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEffect:
    """A kept row beside the incumbent it replaced."""

    row: int
    label: str
    description: str
    effect: float
    """Gain: positive is better, in the metric's unit."""
    within: bool
    """Whether the gain is smaller than the noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseReading:
    """What a log says of its own noise. `sigma` and `threshold` are None where nothing tells them."""

    sigma: float | None
    """Standard deviation of one run, in the metric's unit."""
    threshold: float | None
    """Typical difference of two runs of the same code: sigma times the square root of 2."""
    shifts: tuple[Shift, ...]
    keeps: tuple[KeepEffect, ...]

    @property
    def within(self) -> tuple[KeepEffect, ...]:
        """The keeps that lie within the noise."""
        return tuple(keep for keep in self.keeps if keep.within)

    def sentence(self) -> str:
        """The finding in one line."""
        if self.threshold is None:
            return f"{len(self.keeps)} keeps; nothing in this log tells its noise, so none of them can be judged."
        source = (
            "The noise given" if not self.shifts else f"Changing nothing but the seed ({_times(len(self.shifts))} here)"
        )
        return (
            f"{source} moves the metric by {self.threshold:.2g}; "
            f"{len(self.within)} of {len(self.keeps)} keeps gained less than that."
        )


def within_noise(log: ImportedLog, sigma: float | None = None) -> NoiseReading:
    """The keeps of `log` against `sigma`, the standard deviation of one run; None: estimated from the log itself.

    The estimate is sqrt(mean(d²)/2) over the differences d of repeated runs: each is of two runs, hence 2σ² is its
    mean square.
    """
    shifts = () if sigma is not None else seed_shifts(log)
    if shifts:
        sigma = math.hypot(*(shift.difference for shift in shifts)) / math.sqrt(2 * len(shifts))
    threshold = None if sigma is None else sigma * math.sqrt(2)
    return NoiseReading(sigma=sigma, threshold=threshold, shifts=shifts, keeps=_keeps(log, threshold))


def seed_shifts(log: ImportedLog) -> tuple[Shift, ...]:
    """Rows whose description says that only the seed changed, or nothing, with what that did."""
    shifts: list[Shift] = []
    incumbent: float | None = None
    for place, row in enumerate(log.rows):
        if row.value is None:
            continue
        if incumbent is not None and repeats(row):
            shifts.append(Shift(row=place, difference=row.value - incumbent))
        if row.kept:
            incumbent = row.value
    return tuple(shifts)


def repeats(row: ImportedTrial) -> bool:
    """Whether a row says that it changed nothing but the seed: ``random seed 42 to 137``, ``rerun baseline``."""
    words = set(_WORD.findall(row.description.lower()))
    return bool(words & (_SEED | _AGAIN)) and words <= _SEED | _AGAIN | _FILLING


def _keeps(log: ImportedLog, threshold: float | None) -> tuple[KeepEffect, ...]:
    sign = -1.0 if log.direction is Direction.MINIMIZE else 1.0
    keeps: list[KeepEffect] = []
    incumbent: float | None = None
    for place, row in enumerate(log.rows):
        if not row.kept or row.value is None:
            continue
        if incumbent is not None and not repeats(row):
            effect = sign * (row.value - incumbent)
            within = threshold is not None and abs(effect) < threshold
            keep = KeepEffect(row=place, label=row.label, description=row.description, effect=effect, within=within)
            keeps.append(keep)
        incumbent = row.value
    return tuple(keeps)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
