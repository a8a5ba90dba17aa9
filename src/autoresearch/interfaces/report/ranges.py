"""How much of the value axis is shown: what matters for the story, whatever wild values there are.

Pure arithmetic; what lies outside the range is drawn as a triangle at the edge.
"""

from collections.abc import Sequence
from math import isfinite

from autoresearch.domain.model import BASE, Direction, Standing, TrialState
from autoresearch.interfaces.report.data import ReportData


def robust_range(data: ReportData) -> tuple[float, float]:
    """Lower and upper end of the value axis, in the metric's unit; (0, 1) when there is nothing to show.

    The base, the headline and every kept trial that was not refuted are inside. Of the others so many as do not
    stretch the axis: up to three interquartile ranges beyond the quartiles, and at most to the 2nd and 98th percentile.
    """
    needed = _needed(data)
    others = sorted(
        point.value
        for point in data.points
        if point.value is not None and isfinite(point.value) and point.state is not TrialState.OPEN
    )
    if not needed and not others:
        return 0.0, 1.0
    low, high = _fences(others) if others else (needed[0], needed[0])
    low, high = min([low, *needed]), max([high, *needed])
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    if data.metric.direction is Direction.MINIMIZE:
        return low - _LABELS * pad, high + pad
    return low - pad, high + _LABELS * pad


_LABELS = 3.0
"""Room on the better side, where the labels go, in units of the room on the other."""


def _needed(data: ReportData) -> list[float]:
    values = [row.value for row in data.kept if row.standing is not Standing.REFUTED]
    values += [point.value for point in data.points if point.number == BASE]
    if data.base is not None:
        values.append(data.base.value)
    if (line := data.headline) is not None:
        middle, sign = line.confirmed, data.metric.gain(1.0)
        values += [
            line.base,
            middle,
            middle + sign * (line.low - line.effect),
            middle + sign * (line.high - line.effect),
        ]
    return [value for value in values if value is not None and isfinite(value)]


def _fences(ordered: Sequence[float]) -> tuple[float, float]:
    """The outermost of `ordered` (ascending, not empty) that are not outliers."""

    def quantile(share: float) -> float:
        return ordered[round(share * (len(ordered) - 1))]

    first, third = quantile(0.25), quantile(0.75)
    reach = 3 * (third - first)
    low, high = max(quantile(0.02), first - reach), min(quantile(0.98), third + reach)
    inside = [value for value in ordered if low <= value <= high]
    return (inside[0], inside[-1]) if inside else (first, third)


def spread_apart(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places for two labels at two values, at least `gap` apart and inside the axis."""
    first, second = values
    middle, half = (first + second) / 2, max(abs(first - second), gap) / 2
    middle = min(max(middle, low + half), high - half)
    return [middle + half, middle - half] if first >= second else [middle - half, middle + half]
