"""results.tsv: read in every dialect by the names of its columns, written in the one of karpathy/autoresearch.

A crash is written there as ``0.000000`` and ``0.0``; here it has no value, on reading and until it is written again.
"""

import re
from collections.abc import Iterator, Sequence

from autoresearch.adapters.exporters.log import (
    CRASHES,
    ImportedLog,
    ImportedTrial,
    direction_of,
    finite,
    guessed_direction,
    status_of,
)
from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import Direction

HEADER = ("commit", "val_bpb", "memory_gb", "status", "description")
LARGEST = 64 << 20
"""Characters; a larger text is no log of trials."""

_FIXED = frozenset({"iteration", "commit", "status", "description"})
_TEXTS = frozenset({"axis", "delta", "guard", "guard-metric", "hypothesis", "timestamp", "notes", "date"})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_BREAKS = re.compile(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_COMMENT = re.compile(r"#\s*([\w-]+)\s*:\s*(.*)")


def read_tsv(text: str, *, source: str = "results.tsv", direction: Direction | None = None) -> ImportedLog:
    """The log in `text`. `direction` decides where the file is silent. Raises `UsageError` naming ``source:line``."""
    if len(text) > LARGEST:
        raise UsageError(f"{source}: larger than 64 MiB, which no log of trials is. Is it the right file?")
    comments: list[tuple[str, str]] = []
    columns: tuple[str, ...] = ()
    rows: list[ImportedTrial] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = line.removesuffix("\r")
        if line.startswith("#") and not (columns and "\t" in line):
            comments += [(m[1], m[2].strip())] if (m := _COMMENT.fullmatch(line)) else []
        elif not line.strip():
            continue
        elif not columns:
            columns = _columns(line, f"{source}:{number}")
        else:
            rows.append(_row(columns, line.split("\t"), len(rows), f"{source}:{number}"))
    if not columns:
        raise UsageError(f"{source}: no header line. Expected {' '.join(HEADER)}, separated by tabs.")
    said = dict(comments)
    metric = said.get("metric") or said.get("metric_name") or _value_column(columns)
    told = direction_of(said.get("metric_direction", "")) or direction
    return ImportedLog(
        rows=tuple(rows),
        metric=metric.split()[0] if metric.split() else "metric",
        direction=told or guessed_direction(metric, rows),
        comments=tuple(comments),
    )


def _columns(line: str, where: str) -> tuple[str, ...]:
    columns = tuple(name.strip().lower() for name in line.split("\t"))
    missing = [name for name in ("status", "description") if name not in columns]
    if missing or not _value_column(columns) or len(set(columns)) < len(columns):
        raise UsageError(
            f"{where}: this header is of no known results.tsv ({line[:80]!r}). "
            "It needs tab-separated columns with a metric, 'status' and 'description', each once."
        )
    return columns


def _value_column(columns: Sequence[str]) -> str:
    """The column of the metric: ``metric``, else the first that is no other known column."""
    if "metric" in columns:
        return "metric"
    return next((name for name in columns if name and name not in _FIXED | _TEXTS), "")


def _row(columns: tuple[str, ...], cells: list[str], place: int, where: str) -> ImportedTrial:
    if len(cells) < len(columns):
        given = f"{len(cells)} cells where the header has {len(columns)}"
        raise UsageError(f"{where}: {given}. Cells are separated by tabs; mend or remove the line.")
    if len(cells) > len(columns) and columns[-1] == "description":
        cells = [*cells[: len(columns) - 1], " ".join(cells[len(columns) - 1 :])]
    cell = {name: text.strip() for name, text in zip(columns, cells, strict=False)}
    column = _value_column(columns)
    status = status_of(cell["status"])
    value = None if status in CRASHES else number(cell[column])
    others = {name: text for name, text in cell.items() if name not in _FIXED and name != column and text}
    numbers = {
        name: found for name, text in others.items() if name not in _TEXTS and (found := number(text)) is not None
    }
    return ImportedTrial(
        label=cell.get("iteration") or str(place),
        commit=cell.get("commit", ""),
        value=value,
        status=status,
        description=cell["description"],
        metrics=tuple(numbers.items()) if status not in CRASHES else (),
        extra=tuple((name, text) for name, text in others.items() if name not in numbers),
    )


def number(text: str) -> float | None:
    """A finite number in ASCII digits; None for anything else."""
    return finite(float(text)) if _NUMBER.fullmatch(text) else None


def write_tsv(log: ImportedLog) -> str:
    """The log in the dialect of karpathy/autoresearch, byte for byte as that writes it."""
    header = "\t".join((HEADER[0], one_line(log.metric) or HEADER[1], *HEADER[2:]))
    return "".join(f"{line}\n" for line in (header, *_written(log)))


def _written(log: ImportedLog) -> Iterator[str]:
    for row in log.rows:
        commit = row.commit if row.commit == "baseline" else row.commit[:7]
        value = f"{row.value:z.6f}" if row.value is not None else "0.000000"
        memory = f"{_memory(row):.1f}" if row.value is not None else "0.0"
        status = _status(row)
        yield "\t".join((one_line(commit), value, memory, status, one_line(row.description)))


def _status(row: ImportedTrial) -> str:
    """One of that dialect's three words."""
    if row.value is None:
        return "crash"
    return "keep" if row.kept else "discard"


def _memory(row: ImportedTrial) -> float:
    """GiB, from whichever name the row gives it under."""
    found = dict(row.metrics)
    if "memory_gb" in found:
        return found["memory_gb"]
    return next((found[name] / 1024 for name in ("peak_vram_mb", "peak_memory_mb") if name in found), 0.0)


def one_line(text: str) -> str:
    """`text` without tabs and line ends, each run of which becomes a space."""
    return _BREAKS.sub(" ", text).strip()
