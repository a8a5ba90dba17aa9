"""How commands lay out what they found: aligned tables, and JSON documents whose texts are harmless.

Texts of trials, researchers and logs pass `domain.text` here; nothing but layout is decided.
"""

import dataclasses
import math
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

from autoresearch.domain.records import TrialRow
from autoresearch.domain.text import plain_lines
from autoresearch.interfaces.cli.output import signed

EVERYTHING = 1 << 62
"""As many rows as there are."""
LONGEST = 200_000
"""Characters of one text in a JSON document."""


def document(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON values; control and invisible characters in texts are written out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: document(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {plain_lines(str(key), LONGEST): document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [document(item) for item in value]
    return plain_lines(str(value), LONGEST) if isinstance(value, str) else value


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows of cells as aligned lines; the last column is free, and cut at the width of a terminal.

    `right`: indices of the columns set flush right.
    """
    if not rows:
        return []
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    most = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        line = "  ".join([*cells, row[-1]]).rstrip()
        lines.append(line if len(line) <= most else line[: most - 1] + "…")
    return lines


def interval(low: float | None, high: float | None) -> str:
    """``[low, high]``; empty where there is none, or where it says nothing."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    return f"[{signed(low)}, {signed(high)}]"


def effect_of(row: TrialRow) -> str:
    """A trial's effect with its interval, the confirmed one where there is one."""
    if row.confirmed_effect is not None and row.confirmed_low is not None and math.isfinite(row.confirmed_low):
        return f"{signed(row.confirmed_effect)} {interval(row.confirmed_low, row.confirmed_high)}".rstrip()
    return f"{signed(row.effect)} {interval(row.low, row.high)}".rstrip() if row.effect is not None else ""


def outcome_of(row: TrialRow) -> str:
    """A trial's state, with its standing when it was kept."""
    return f"{row.state} ({row.standing})" if row.standing else str(row.state)


def moment(at: float) -> str:
    """A time for people, in their own time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
