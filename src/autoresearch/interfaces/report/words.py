"""Numbers as people read them: values with as many digits as the noise allows, durations, sizes, shares.

Every number on the pages is written by one of these functions, so the same number reads the same everywhere.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, inf, isfinite, log10
from statistics import median

from autoresearch.interfaces.report.data import ReportData

MINUS = "−"
NONE = "–"


@dataclass(frozen=True, slots=True)
class Scale:
    """How values of the metric are written: with so many decimals, or (None) with six significant digits."""

    decimals: int | None

    def value(self, number: float | None) -> str:
        """A value of the metric."""
        if number is None or not isfinite(number):
            return NONE
        text = f"{number:,.{self.decimals}f}" if self.decimals is not None else f"{number:.6g}"
        return text.replace("-", MINUS)

    def gain(self, number: float | None) -> str:
        """An effect, with its sign."""
        if number is None or not isfinite(number):
            return NONE
        return ("+" if number >= 0 else "") + self.value(number)

    def interval(self, low: float | None, high: float | None) -> str:
        """An interval of effects; one without an end says so."""
        if low is None or high is None or (low == -inf and high == inf):
            return NONE
        return f"{self._end(low)} to {self._end(high)}"

    def _end(self, number: float) -> str:
        if isfinite(number):
            return self.gain(number)
        return "+∞" if number > 0 else f"{MINUS}∞"


def scale_of(data: ReportData) -> Scale:
    """One digit beyond the leading digit of the noise, or of a typical gain where the noise is unknown or zero."""
    gains = [abs(row.effect) for row in data.kept if row.effect]
    grain = data.facts.sigma or (median(gains) if gains else 0.0)
    if not grain or not isfinite(grain):
        return Scale(None)
    decimals = ceil(-log10(grain)) + 1
    size = max((abs(point.value) for point in data.points if point.value is not None), default=0.0)
    if decimals > 8 or size >= 1e12:
        return Scale(None)
    return Scale(max(0, decimals))


def share(part: float, whole: float) -> str:
    """`part` as a percentage of `whole`."""
    if whole == 0.0 or not isfinite(part) or not isfinite(whole):
        return NONE
    return f"{_significant(100 * part / abs(whole))} %".replace("-", MINUS)


def _significant(number: float) -> str:
    """Two decimals below 1, one below 100, none above; two significant digits for the very small."""
    size = abs(number)
    if size == 0.0 or size >= 0.1:
        return f"{number:,.{2 if size < 1 else 1 if size < 100 else 0}f}"
    return f"{number:.2g}"


def count(number: int, one: str, many: str = "") -> str:
    """``1 trial``, ``12,345 trials``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """The two largest units that matter: ``7 h 31 min``, ``4 min 12 s``, ``3.4 s``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for size, unit, part, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError(whole)


def memory(size: int) -> str:
    """Bytes in binary units."""
    number, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    return f"{number:.3g} {units[0]}"


def money(usd: float) -> str:
    """US dollars; cents, and more digits below ten cents."""
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.2g}"


def p_value(p: float | None) -> str:
    """A probability; no more precision than anybody can use."""
    if p is None or not isfinite(p):
        return NONE
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.2g}" if p >= 0.001 else f"{p:.1g}"


def moment(at: float) -> str:
    """Minute of a wall clock, in UTC."""
    return datetime.fromtimestamp(floor(at), tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
