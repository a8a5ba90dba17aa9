"""What commands say: text for people, or JSON with ``--json``; nothing from a trial reaches a terminal unfiltered."""

import json
import math
import sys
from typing import Any

from autoresearch.domain.text import plain


def say(text: str = "") -> None:
    """A line for people on standard output. Our own words: what comes from a trial goes through `safe` first."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def safe(text: str, limit: int = 200) -> str:
    """Text of a trial, a researcher or a log, made harmless for a terminal and cut to `limit` characters."""
    return plain(text, limit)


def emit(data: dict[str, Any] | list[Any]) -> None:
    """A result as one JSON document in ASCII; numbers that JSON does not know become null."""
    say(json.dumps(_finite(data), indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: float | None, digits: int = 5) -> str:
    """A number for people; a dash for none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}g}"


def signed(value: float | None, digits: int = 3) -> str:
    """A gain with its sign."""
    return "–" if value is None or not math.isfinite(value) else f"{value:+.{digits}g}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
