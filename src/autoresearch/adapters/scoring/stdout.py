"""Metrics read from what a run printed, in the dialects of this ecosystem.

The last word on a name wins, only finite numbers count, and whatever the text holds, this neither fails nor grows: a
name whose last word is NaN or infinite has no value. What is read here is self-reported.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator

LONGEST_LINE = 1 << 16
"""Characters; a longer line is no report of a metric."""
MOST_NAMES = 1000
"""Names remembered; the one not mentioned for longest goes first."""

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_VALUE = rf"(?:{_NUMBER}|[+-]?(?:nan|inf|infinity))"
_METRIC = re.compile(rf"METRIC\s+([A-Za-z0-9_.µ]+)=({_VALUE})\s*", re.IGNORECASE)
_NAMED = re.compile(rf"\s*([A-Za-z_µ][A-Za-z0-9_.µ/%@-]{{0,99}})\s*[:=]\s*({_VALUE})\s*", re.IGNORECASE)
_BARE = re.compile(rf"\s*({_VALUE})\s*", re.IGNORECASE)
_ENDS = re.compile(r"[\r\n]+")


def parse_metrics(text: str | Iterable[str], *, bare: str = "metric") -> dict[str, float]:
    """Every metric in a run's output: ``name: 1.5``, ``name=1.5``, ``METRIC name=1.5``, JSON maps, a last bare number.

    `text` is all of it or its lines. A number alone on the last line that is not empty is called `bare`, unless that
    name was reported. JSON is read where it fills a line, or the whole text: numbers by their key, and those of an
    object under ``tasks`` as ``tasks.<id>``.
    """
    found: dict[str, float] = {}
    last = ""
    for line in _lines(text):
        for name, value in _words(line):
            found.pop(name, None)
            found[name] = value
            if len(found) > MOST_NAMES:
                del found[next(iter(found))]
        last = line
    if (match := _BARE.fullmatch(last)) and bare not in found:
        found[bare] = float(match[1])
    if not found and isinstance(text, str) and len(text) <= LONGEST_LINE:
        found.update(_json(text.strip()))
    return {name: value + 0.0 for name, value in found.items() if math.isfinite(value)}


def _lines(text: str | Iterable[str]) -> Iterator[str]:
    """Lines that are neither empty nor endless; a carriage return ends one too, as in a progress bar."""
    for chunk in _ENDS.split(text) if isinstance(text, str) else text:
        for line in _ENDS.split(chunk) if len(chunk) <= LONGEST_LINE else ():
            if line.strip():
                yield line


def _words(line: str) -> Iterable[tuple[str, float]]:
    """What one line says of metrics."""
    if match := _METRIC.fullmatch(line) or _NAMED.fullmatch(line):
        return [(match[1], float(match[2]))]
    stripped = line.strip()
    return _json(stripped) if stripped.startswith("{") and stripped.endswith("}") else ()


def _json(text: str) -> Iterator[tuple[str, float]]:
    """The numbers of a JSON map."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    tasks = document.get("tasks")
    pairs = list(document.items())
    pairs += [(f"tasks.{key}", value) for key, value in tasks.items()] if isinstance(tasks, dict) else []
    for name, value in pairs[:MOST_NAMES]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, _real(value)


def _real(value: float) -> float:
    """A JSON number as a float; an integer beyond the largest float is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
