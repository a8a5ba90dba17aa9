"""JSON lines: the log of pi-autoresearch, read and written, and the whole record, lossless.

Lines of the log that do not read are counted and skipped, as its own readers do; a record must read to the last line.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from autoresearch.adapters.exporters.log import (
    ImportedLog,
    ImportedTrial,
    direction_of,
    finite,
    guessed_direction,
    status_of,
)
from autoresearch.domain import codec
from autoresearch.domain.errors import CorruptRecord, UsageError
from autoresearch.domain.events import Recorded
from autoresearch.domain.model import Direction

FORMAT = "autoresearch-record"
VERSION = 1
LONGEST_LINE = 1 << 24
"""Characters; a longer line is no line of either format."""

_PI_NAMES = frozenset({"run", "commit", "metric", "metrics", "status", "description", "segment", "type"})

# ---------------------------------------------------------------- pi-autoresearch


def read_pi(lines: Iterable[str], *, source: str = "log.jsonl") -> tuple[ImportedLog, ...]:
    """One log for each segment that has runs, oldest first. Raises `UsageError` if there is none at all."""
    logs: list[ImportedLog] = []
    config: dict[str, Any] = {}
    rows: list[ImportedTrial] = []
    skipped = 0
    for line in lines:
        if not line.strip():
            continue
        entry = _object(line)
        if entry is None:
            skipped += 1
        elif entry.get("type") == "config":
            logs += _segment(config, rows, skipped)
            config, rows, skipped = entry, [], 0
        elif "type" not in entry and "run" in entry and "status" in entry:
            rows.append(_pi_row(entry, len(rows)))
    logs += _segment(config, rows, skipped)
    if not logs:
        raise UsageError(f'{source}: no run in it. Expected lines such as {{"run":1,"metric":0.9,"status":"keep"}}.')
    return tuple(logs)


def _object(line: str) -> dict[str, Any] | None:
    """A JSON object, or None."""
    if len(line) > LONGEST_LINE:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _segment(config: dict[str, Any], rows: list[ImportedTrial], skipped: int) -> list[ImportedLog]:
    if not rows:
        return []
    metric = _text(config.get("metricName")) or "metric"
    return [
        ImportedLog(
            rows=tuple(rows),
            metric=metric,
            direction=direction_of(_text(config.get("bestDirection"))) or guessed_direction(metric, rows),
            name=_text(config.get("name")),
            unit=_text(config.get("metricUnit")),
            skipped=skipped,
        )
    ]


def _pi_row(entry: dict[str, Any], place: int) -> ImportedTrial:
    """A run line. Notes of the agent (``asi``) become texts ``asi.<key>``."""
    status = status_of(_text(entry.get("status")))
    metrics = entry.get("metrics")
    numbers = {name: value for name, item in _pairs(metrics) if (value := _real(item)) is not None}
    extra = {name: _text(item) for name, item in entry.items() if name not in _PI_NAMES | {"asi"} and item is not None}
    extra |= {f"asi.{name}": _text(item) for name, item in _pairs(entry.get("asi")) if item is not None}
    return ImportedTrial(
        label=_text(entry.get("run")) or str(place),
        commit=_text(entry.get("commit")),
        value=None if status == "crash" else _real(entry.get("metric")),
        status=status,
        description=_text(entry.get("description")),
        metrics=tuple(numbers.items()) if status != "crash" else (),
        extra=tuple(extra.items()),
    )


def _pairs(value: object) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _text(value: object) -> str:
    """A JSON value as text: strings as they are, the rest as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # JSON can hold half a character, a ledger cannot


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return finite(real)


def write_pi(log: ImportedLog) -> Iterator[str]:
    """The log as one segment: its config line, then a line for each row. A crash has metric 0 there."""
    best = "lower" if log.direction is Direction.MINIMIZE else "higher"
    config = {
        "type": "config",
        "name": log.name,
        "metricName": log.metric,
        "metricUnit": log.unit,
        "bestDirection": best,
    }
    yield _line(config)
    for place, row in enumerate(log.rows, start=1):
        yield _line(_pi_entry(row, place))


def _pi_entry(row: ImportedTrial, place: int) -> dict[str, Any]:
    extra = dict(row.extra)
    asi = {name.removeprefix("asi."): text for name, text in row.extra if name.startswith("asi.")}
    return {
        "run": int(row.label) if row.label.isascii() and row.label.isdigit() and len(row.label) < 10 else place,
        "commit": row.commit,
        "metric": 0 if row.value is None else row.value,
        "metrics": dict(row.metrics),
        "status": _pi_status(row),
        "description": row.description,
        "timestamp": _decoded(extra.get("timestamp", "0")),
        "segment": 0,
        "confidence": _decoded(extra.get("confidence", "null")),
        **({"asi": asi} if asi else {}),
    }


def _pi_status(row: ImportedTrial) -> str:
    if row.value is None:
        return "crash"
    if row.status == "checks_failed":
        return row.status
    return "keep" if row.kept else "discard"


def _decoded(text: str) -> Any:
    """A JSON number or null as such; other text as it is."""
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float) or value is None else text


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


# ---------------------------------------------------------------- the whole record


def write_record(events: Iterable[Recorded]) -> Iterator[str]:
    """Every event of a record as a line of JSON, after one that names the format."""
    yield _line({"format": FORMAT, "version": VERSION})
    for each in events:
        payload = codec.dump(each.event)
        yield _line({"seq": each.seq, "at": each.at, "kind": type(each.event).__name__, "payload": payload})


def read_record(lines: Iterable[str], *, source: str = "record.jsonl") -> Iterator[Recorded]:
    """The events again. Raises `UsageError` for another format or version, `CorruptRecord` for a torn line."""
    head, last = False, 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        entry = _object(line)
        if not head:
            _check_head(entry, f"{source}:{number}")
            head = True
            continue
        recorded = _recorded(entry, f"{source}:{number}")
        if recorded.seq <= last:
            raise CorruptRecord(
                f"{source}:{number}: event {recorded.seq} stands after event {last}; was the file edited?"
            )
        last = recorded.seq
        yield recorded


def _check_head(entry: dict[str, Any] | None, where: str) -> None:
    if entry is None or entry.get("format") != FORMAT:
        raise UsageError(f"{where}: this is no exported record: its first line should hold the format {FORMAT!r}.")
    if entry.get("version") != VERSION:
        version = entry.get("version")
        raise UsageError(f"{where}: format version {version!r}; this release reads {VERSION}. Upgrade autoresearch.")


def _recorded(entry: dict[str, Any] | None, where: str) -> Recorded:
    if entry is None or set(entry) != {"seq", "at", "kind", "payload"}:
        raise CorruptRecord(f"{where}: not an event of a record (seq, at, kind, payload). Export it again.")
    seq, at, kind, payload = entry["seq"], _real(entry["at"]), entry["kind"], entry["payload"]
    if type(seq) is not int or at is None or not isinstance(kind, str) or not isinstance(payload, dict):
        raise CorruptRecord(f"{where}: seq, at, kind or payload of this event is of the wrong type. Export it again.")
    try:
        return Recorded(seq=seq, at=at, event=codec.load_event(kind, payload))
    except CorruptRecord as error:
        raise CorruptRecord(f"{where}: {error}") from error
