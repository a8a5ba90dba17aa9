"""What a constant may become: its range, the scale it is searched on, and the coordinate it has there.

The range follows from the base value, the name and the comment alone, so it stays fixed for an epoch. Coordinates
run from 0 to 1 over the range; values are rounded to two figures, as people write them. Pure functions.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoresearch.adapters.researchers.constants import Constant, Kind
from autoresearch.domain.model import Scalar

SPAN = 8.0
"""A positive float is searched from base / SPAN to base * SPAN."""
INT_SPAN = 4.0
WIDEST = 1000.0
"""The farthest a comment's range may reach from the base value on a logarithmic scale."""
FIGURES = 2
SWITCH = 0.25
"""Share of a zero-or-more range's coordinate that stands for exactly 0."""
NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
BETWEEN = re.compile(
    rf"{NUMBER}\s*(?:\.\.+|–|\bto\b|<=?\s*\w+\s*<=?)\s*{NUMBER}|[\[(]\s*{NUMBER}\s*[,;]\s*{NUMBER}\s*[\])]"
)
AT_LEAST = re.compile(rf"(?:>=|≥|at least)\s*{NUMBER}")
AT_MOST = re.compile(rf"(?:<=|≤|<|at most|below)\s*{NUMBER}")
MULTIPLE = re.compile(r"multiple of (\d+)|divisible by (\d+)", re.IGNORECASE)
POWER = re.compile(r"power of (?:2|two)", re.IGNORECASE)
SHARE = re.compile(
    r"BETA|MOMENTUM|DROPOUT|DROP_|_DROP$|PROB|FRAC|RATIO|SHARE|SMOOTHING|GAMMA|LAMBDA|EMA|WARMUP|WARMDOWN|COOLDOWN|DECAY$|KEEP|"
    r"QUANTILE|MIXUP|ALPHA|RHO|TAU|DISCOUNT|^MU$"
)
SHARE_WORDS = re.compile(r"\b(?:share|fraction|probability|proportion|portion) of\b|\bprobability\b", re.IGNORECASE)
STEPS = re.compile(r"STEPS|ITERS|BATCHES|TOKENS|SAMPLES|EXAMPLES")


class Scale(StrEnum):
    """How a coordinate becomes a value."""

    LOG = "log"
    LINEAR = "linear"
    COMPLEMENT = "complement"
    """Logarithm of 1 − value: for momenta, betas and the like close to 1."""
    SWITCHED = "switched"
    """Exactly 0, or a log range above it: for weight decays and the like that may be off."""
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """The range of one constant. `low` and `high` are values; for SWITCHED they bound the part above 0."""

    id: str
    kind: Kind
    base: Scalar
    scale: Scale
    low: float = 0.0
    high: float = 1.0
    choices: tuple[Scalar, ...] = ()
    multiple: int = 1
    """Integers are multiples of this."""
    binary: bool = False
    """Integers are powers of two."""

    @property
    def categorical(self) -> bool:
        """Whether its values have no order."""
        return self.scale is Scale.CHOICE


def dimension(constant: Constant, base: Scalar | None = None) -> Dimension | None:
    """The range of a constant whose value in the base tree is `base` (None: what it is now); None when it has none."""
    start = constant.value if base is None or type(base) is not type(constant.value) else base
    if constant.choices:
        return Dimension(id=constant.id, kind=constant.kind, base=start, scale=Scale.CHOICE, choices=constant.choices)
    if isinstance(start, str):
        return None
    if constant.kind is Kind.INT:
        return _integer(constant, int(start))
    return _real(constant, float(start))


def _integer(constant: Constant, base: int) -> Dimension | None:
    low_hint, high_hint = _hints(constant.comment, base)
    multiple = _multiple(constant.comment)
    binary = POWER.search(constant.comment) is not None or (base >= 32 and base & (base - 1) == 0)
    if base < 0:
        return None
    if base == 0:
        steps = STEPS.search(constant.name.upper()) is not None
        scale, low, high = (Scale.SWITCHED, 10.0, 1000.0) if steps else (Scale.LINEAR, 0.0, 4.0)
    elif base < 8:
        scale, low, high = Scale.LINEAR, 1.0, 2.0 * base + 1
    else:
        scale, low, high = Scale.LOG, max(1.0, base / INT_SPAN), base * INT_SPAN
    low, high = _bounded(low, high, low_hint, high_hint, positive=scale is not Scale.LINEAR)
    if math.ceil(low) >= math.floor(high):
        return None
    return Dimension(
        id=constant.id,
        kind=constant.kind,
        base=base,
        scale=scale,
        low=low,
        high=high,
        multiple=multiple if base % multiple == 0 else 1,
        binary=binary and base > 0 and base & (base - 1) == 0,
    )


def _real(constant: Constant, base: float) -> Dimension | None:
    hints = _hints(constant.comment, base)
    named = SHARE.search(constant.name.upper()) or SHARE_WORDS.search(constant.comment) or hints == (0, 1)
    share = bool(named) and 0 <= base <= 1
    scale, low, high = _reals(base, share)
    low, high = _bounded(low, high, *hints, positive=scale in (Scale.LOG, Scale.SWITCHED) and base >= 0)
    if scale is Scale.COMPLEMENT:
        high = min(high, 1 - (1 - base) / SPAN)
    if scale is Scale.LOG and base > 0:
        low, high = max(low, base / WIDEST), min(high, base * WIDEST)
    if not low < high:
        return None
    return Dimension(id=constant.id, kind=constant.kind, base=base, scale=scale, low=low, high=high)


def _reals(base: float, share: bool) -> tuple[Scale, float, float]:
    if base < 0:
        return Scale.LOG, base * SPAN, base / SPAN
    if base == 0:
        return (Scale.SWITCHED, 0.01, 0.8) if share else (Scale.SWITCHED, 1e-4, 1.0)
    if share and base == 1:
        return Scale.LINEAR, 0.0, 1.0
    if share and base >= 0.8:
        return Scale.COMPLEMENT, max(0.0, 1 - (1 - base) * SPAN), 1 - (1 - base) / SPAN
    if share and base >= 0.2:
        return Scale.LINEAR, 0.02, 0.98
    return Scale.LOG, base / SPAN, min(base * SPAN, 0.9) if share else base * SPAN


def _multiple(comment: str) -> int:
    found = MULTIPLE.search(comment)
    return max(1, int(found[1] or found[2])) if found else 1


def _hints(comment: str, base: float) -> tuple[float | None, float | None]:
    """Bounds that a comment names; those that the base value itself breaks are not believed."""
    between = BETWEEN.search(comment)
    if between:
        low, high = (float(each) for each in between.groups() if each is not None)
        return (low, high) if low <= base <= high and low < high else (None, None)
    least, most = AT_LEAST.search(comment), AT_MOST.search(comment)
    low_hint = float(least[1]) if least and float(least[1]) <= base else None
    high_hint = float(most[1]) if most and float(most[1]) >= base else None
    return low_hint, high_hint


def _bounded(
    low: float, high: float, low_hint: float | None, high_hint: float | None, *, positive: bool
) -> tuple[float, float]:
    """The range cut to what the comment allows, and widened to it when it names both ends."""
    both = low_hint is not None and high_hint is not None
    if low_hint is not None and not (positive and low_hint <= 0):
        low = low_hint if both else max(low, low_hint)
    if high_hint is not None:
        high = high_hint if both else min(high, high_hint)
    return low, high


# ---------------------------------------------------------------- coordinates


def coordinate(dim: Dimension, value: Scalar) -> float:
    """Where a value lies, 0 to 1 over the range and beyond for values outside it; a choice's index for choices."""
    if dim.categorical:
        return float(dim.choices.index(value)) if value in dim.choices else -1.0
    number = float(value)
    if dim.scale is Scale.SWITCHED:
        return 0.0 if number <= 0 else max(SWITCH, SWITCH + (1 - SWITCH) * _share(dim, number))
    return _share(dim, number)


def _share(dim: Dimension, number: float) -> float:
    low, high, at = (_bent(dim, each) for each in (dim.low, dim.high, number))
    return min(1.5, max(-0.5, (at - low) / (high - low)))


def _bent(dim: Dimension, number: float) -> float:
    if dim.scale is Scale.LINEAR:
        return number
    if dim.scale is Scale.COMPLEMENT:
        return -math.log(max(1e-12, 1 - number))
    return math.log(max(1e-300, abs(number))) * (-1 if dim.low < 0 else 1)


def value_at(dim: Dimension, at: float) -> Scalar:
    """The value at a coordinate, clipped to the range and rounded as people write it; the inverse of `coordinate`."""
    if dim.categorical:
        return dim.choices[int(at) % len(dim.choices)]
    if dim.scale is Scale.SWITCHED:
        if at < SWITCH / 2:
            return 0 if dim.kind is Kind.INT else 0.0
        at = (at - SWITCH) / (1 - SWITCH)
    low, high = _bent(dim, dim.low), _bent(dim, dim.high)
    number = _unbent(dim, low + min(1.0, max(0.0, at)) * (high - low))
    return _whole(dim, number) if dim.kind is Kind.INT else _rounded(dim, number)


def _unbent(dim: Dimension, bent: float) -> float:
    if dim.scale is Scale.LINEAR:
        return bent
    if dim.scale is Scale.COMPLEMENT:
        return 1 - math.exp(-bent)
    return -math.exp(-bent) if dim.low < 0 else math.exp(bent)


def _whole(dim: Dimension, number: float) -> int:
    if dim.binary and number > 0:
        return int(2 ** round(math.log2(number)))
    figures = number if number < 100 else float(f"{number:.{FIGURES - 1}e}")
    unit = dim.multiple
    low, high = math.ceil(dim.low / unit) * unit, math.floor(dim.high / unit) * unit
    return int(min(high, max(low, round(figures / unit) * unit)))


def _rounded(dim: Dimension, number: float) -> float:
    if dim.scale is Scale.COMPLEMENT:
        left = float(f"{1 - number:.{FIGURES - 1}e}")
        return min(dim.high, max(dim.low, float(f"{1 - left:.12g}")))
    return min(dim.high, max(dim.low, float(f"{number:.{FIGURES - 1}e}")))


def values_of(dim: Dimension, limit: int = 64) -> tuple[Scalar, ...] | None:
    """Every value the range holds, when there are at most `limit`; None for a finer range."""
    if dim.categorical:
        return dim.choices
    grid = dict.fromkeys(value_at(dim, step / 400) for step in range(401))
    return tuple(grid) if len(grid) <= limit else None


def dimensions(found: Sequence[Constant], base: dict[str, Scalar]) -> tuple[Dimension, ...]:
    """The ranges of those constants that have one."""
    each = (dimension(constant, base.get(constant.id)) for constant in found)
    return tuple(dim for dim in each if dim is not None)
