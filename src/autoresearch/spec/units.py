"""Durations, sizes and bounds as people write them.

Pure text to numbers and back; what does not read raises `ValueError` whose text says how to write it.
"""

import math
import re
from dataclasses import dataclass

from autoresearch.domain.model import Bound, Clock

LONGEST = 366 * 24 * 3600.0
"""Seconds; a longer duration is a slip of the pen."""
LARGEST = 1 << 50
"""Bytes; a larger size is a slip of the pen."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PART = re.compile(rf"\s*({_NUMBER})\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)(?![a-z])\s*", re.I)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(rf"\s*({_NUMBER})\s*([kmgt]?)(i?)(b?)\s*", re.I)
_BOUND = re.compile(rf"\s*({_NUMBER}(?:e[+-]?[0-9]+)?)\s*(%?)\s*", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time on one of the two clocks. Seconds."""

    seconds: float
    clock: Clock = Clock.WALL

    def __str__(self) -> str:
        return duration_text(self.seconds) + (" cpu" if self.clock is Clock.CPU else "")


def span(value: object) -> Span:
    """``"60s"``, ``"1h30m"``, ``"20s cpu"``, ``"300"`` or a number of seconds, as a `Span`."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.lower().endswith("cpu"):
        return Span(seconds=duration(text[:-3]), clock=Clock.CPU)
    return Span(seconds=duration(text))


def duration(value: object) -> float:
    """Seconds > 0 of ``"60s"``, ``"5m"``, ``"1h30m"``, ``"1.5h"``, ``"300"`` or a number."""
    seconds = _seconds(value)
    if seconds is None or not 0 < seconds <= LONGEST:
        raise ValueError(f'{value!r} is not a duration; write it as "60s", "5m" or "1h30m" (above 0, at most a year)')
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or len(value) > 100:
        return None
    if re.fullmatch(_NUMBER, value.strip()):
        return float(value)
    total, at = 0.0, 0
    while at < len(value):
        part = _PART.match(value, at)
        if part is None:
            return None
        total += float(part[1]) * _SECONDS["ms" if part[2].lower() == "ms" else part[2][0].lower()]
        at = part.end()
    return total


def duration_text(seconds: float) -> str:
    """Seconds >= 0 as ``"1h30m"``, ``"2.5s"`` or ``"500ms"``; `duration` reads it back, to a millisecond."""
    milli = round(seconds * 1000)
    hours, rest = divmod(milli, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    if not hours and not minutes and rest < 1000:
        return f"{rest}ms"
    tail = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s" if rest else ""
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + tail


def size(value: object) -> int:
    """Bytes > 0 of ``"4GiB"`` (binary), ``"500MB"`` (decimal), ``"4G"`` (binary, as shells write it) or a number."""
    count = _bytes(value)
    if count is None or not 0 < count <= LARGEST:
        raise ValueError(f'{value!r} is not a size; write it as "4GiB" or "500MB" (above 0)')
    return count


def _bytes(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) <= 100 else None
    if match is None or (match[3] and not match[2]):
        return None
    decimal = match[4] and not match[3]
    power = " kmgt".index(match[2].lower() or " ")
    unit: int = (1000 if decimal else 1024) ** power
    return round(float(match[1]) * unit)


def size_text(count: int) -> str:
    """Bytes as the largest unit that reads back exactly: ``"4GiB"``, ``"500MB"``, else plain bytes."""
    for base, suffix in ((1024, "iB"), (1000, "B")):
        for power, prefix in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
            if count and count % base**power == 0:
                return f"{count // base**power}{prefix}{suffix}"
    return f"{count}B"


def bound(value: object) -> Bound:
    """``"0.5%"`` (relative to a reference value) or a plain number >= 0 (in the metric's own unit)."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return Bound(value=float(value), relative=False)
    match = _BOUND.fullmatch(value) if isinstance(value, str) and len(value) <= 100 else None
    if match is None or not math.isfinite(float(match[1])):
        raise ValueError(f'{value!r} is not a bound; write a share as "0.5%" or a plain number of at least 0')
    return Bound(value=float(match[1]) / 100 if match[2] else float(match[1]), relative=bool(match[2]))


def bound_text(limit: Bound) -> str:
    """A bound as `bound` reads it."""
    return f"{limit.value * 100:.12g}%" if limit.relative else f"{limit.value:.12g}"
