"""Which of the formats a file is in, told by its first lines.

Only the beginning is looked at; whether the rest reads is the reader's affair.
"""

import json
from enum import StrEnum

from autoresearch.adapters.exporters.jsonl import FORMAT


class Format(StrEnum):
    """What `import` reads and `export` writes."""

    TSV = "tsv"
    """results.tsv, in any dialect on reading, in karpathy/autoresearch's on writing."""
    PI = "pi"
    """The JSONL log of pi-autoresearch."""
    RECORD = "jsonl"
    """The whole record of a study, lossless."""


def format_of(head: str) -> Format:
    """The format of a file that begins with `head`, which holds at least its first line."""
    first = next((line for line in head.removeprefix("\ufeff").splitlines() if line.strip()), "")
    if not first.lstrip().startswith("{"):
        return Format.TSV
    try:
        entry = json.loads(first)
    except (ValueError, RecursionError):
        return Format.PI
    return Format.RECORD if entry.get("format") == FORMAT else Format.PI
