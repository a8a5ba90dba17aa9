"""Commands that exchange records with other tools: `export` and `import`.

What is written holds the texts as they were recorded; what is read becomes a study of its own and never changes one.
"""

import contextlib
import itertools
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from autoresearch.adapters.exporters.jsonl import FORMAT, read_pi, read_record, write_pi, write_record
from autoresearch.adapters.exporters.lineage import events_of, log_of
from autoresearch.adapters.exporters.log import ImportedLog
from autoresearch.adapters.exporters.tsv import read_tsv, write_tsv
from autoresearch.adapters.ledger import SqlRecord, open_ledger
from autoresearch.bootstrap.place import Place
from autoresearch.domain import events as e
from autoresearch.domain.errors import CorruptRecord, InfraError, UsageError
from autoresearch.interfaces.cli.context import Json, StudyName, here, reading
from autoresearch.interfaces.cli.glance import glance
from autoresearch.interfaces.cli.output import emit, safe, say
from autoresearch.interfaces.cli.shown import EVERYTHING, document

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LARGEST = 1 << 30
"""Bytes of a file to import."""


class Written(StrEnum):
    """Formats that `export` writes."""

    TSV = "tsv"
    """results.tsv of karpathy/autoresearch."""
    JSONL = "jsonl"
    """The log of pi-autoresearch."""
    RECORD = "record"
    """Every event, lossless."""


class Read(StrEnum):
    """Formats that `import` reads."""

    AUTO = "auto"
    TSV = "tsv"
    JSONL = "jsonl"
    RECORD = "record"


# ---------------------------------------------------------------- export


def export(
    *,
    format_: Annotated[
        Written,
        Parameter(name="--format", help="tsv: results.tsv; jsonl: pi-autoresearch's log; record: every event."),
    ] = Written.TSV,
    output: Annotated[Path | None, Parameter(help="File to write; default: standard output.")] = None,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Write the study in another tool's format, or whole."""
    if json and output is None:
        raise UsageError("--json says what was written where, so it needs --output FILE")
    with reading(study) as (_, name, record):
        lines = exported(record, format_)
        if output is None:
            for line in lines:
                sys.stdout.write(line)
            return 0
        _write(output, lines)
    if json:
        emit({"study": name, "format": format_.value, "file": str(output)})
    else:
        say(f"{name}: written as {format_} to {output}")
    return 0


def exported(record: SqlRecord, format_: Written) -> Iterable[str]:
    """The study as the lines of a file."""
    if format_ is Written.RECORD:
        return write_record(record.stream())
    study = glance(record).study
    log = log_of(study, record.trials(limit=EVERYTHING), record.runs(limit=EVERYTHING))
    return [write_tsv(log)] if format_ is Written.TSV else write_pi(log)


def _write(path: Path, lines: Iterable[str]) -> None:
    """Put `lines` at `path` in one step. Raises `UsageError`."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}; choose another --output") from error


# ---------------------------------------------------------------- import


def import_(
    file: Annotated[Path, Parameter(help="results.tsv, a log of pi-autoresearch, or an exported record.")],
    /,
    *,
    format_: Annotated[Read, Parameter(name="--format", help="auto: told from the file's contents.")] = Read.AUTO,
    study: Annotated[str | None, Parameter(name="--study", help="Name of the new study; default: the file's.")] = None,
    json: Json = False,
) -> int:
    """Make a study of another tool's log, so that `log`, `status` and `report` work on it.

    It claims nothing: every keep in such a log rests on one run, and the report says which lie within its noise.
    """
    place = here()
    text = _text(file)
    chosen = told_format(text) if format_ is Read.AUTO else format_
    name = study or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip(".-")[:64]
    made = []
    for suffix, batches, trials in _studies(text, chosen, name, str(file)):
        made.append({"study": name + suffix, "rows": trials, "reason": _made(place, name + suffix, batches)})
    if json:
        emit(document({"format": chosen.value, "studies": made}))
        return 0
    for each in made:
        say(f"{each['study']}: {each['rows']} rows imported. {safe(str(each['reason']), 400)}".rstrip())
        say(f"  autoresearch log --study {each['study']}      autoresearch report --study {each['study']}")
    return 0


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"{file} is larger than 1 GiB, which no log of trials is. Is it the right file?")
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error


def told_format(text: str) -> Read:
    """The format of a file by its first line that is not empty."""
    first = next((line for line in text.split("\n") if line.strip()), "").lstrip("\ufeff")
    if not first.startswith("{"):
        return Read.TSV
    return Read.RECORD if f'"{FORMAT}"' in first else Read.JSONL


Batch = tuple[float | None, Sequence[e.Event]]
"""Events recorded at one time; None: now."""


def _studies(text: str, format_: Read, name: str, source: str) -> Iterator[tuple[str, list[Batch], int]]:
    """For each study in a file: what follows the name, its events, its number of trials."""
    if format_ is Read.RECORD:
        batches = _batches(_without_gaps(read_record(text.split("\n"), source=source), source), name)
        yield "", batches, sum(isinstance(event, e.TrialOpened) for _, events in batches for event in events)
        return
    logs = (read_tsv(text, source=source),) if format_ is Read.TSV else read_pi(text.split("\n"), source=source)
    for place, log in enumerate(logs, start=1):
        suffix = f"-{place}" if len(logs) > 1 else ""
        yield suffix, [(None, _events(log, name + suffix))], len(log.rows)


def _events(log: ImportedLog, name: str) -> Sequence[e.Event]:
    return events_of(log, name=name)


def _without_gaps(recorded: Iterable[e.Recorded], source: str) -> Iterator[e.Recorded]:
    """The events as they come. Raises `CorruptRecord` where one is missing."""
    for due, entry in enumerate(recorded, start=1):
        if entry.seq != due:
            raise CorruptRecord(f"{source}: event {due} is missing (event {entry.seq} stands there): export it again")
        yield entry


def _batches(recorded: Iterator[e.Recorded], name: str) -> list[Batch]:
    """Events that were recorded together, in order; the study takes the new name."""
    return [
        (at, [_renamed(entry.event, name) for entry in entries])
        for at, entries in itertools.groupby(recorded, key=lambda entry: entry.at)
    ]


def _renamed(event: e.Event, name: str) -> e.Event:
    if isinstance(event, e.StudyCreated | e.StudyAmended):
        return replace(event, study=replace(event.study, name=name))
    return event


def _made(place: Place, name: str, batches: Sequence[Batch]) -> str:
    """Write the record of a new study, whole or not at all; returns why it ended, as its last event says."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a study: choose letters, digits, '.', '_' and '-' with --study")
    if place.of(name).exists():
        raise UsageError(f"there is a study {name!r} already: import under another name with --study NAME")
    place.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".import-", dir=place.state))
    try:
        inner = replace(place, state=draft)
        _record(inner, name, batches)
        inner.of(name).rename(place.of(name))
    except OSError as error:
        raise InfraError(f"the study {name!r} cannot be written to {place.state}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    last = batches[-1][1][-1] if batches and batches[-1][1] else None
    return last.reason if isinstance(last, e.StudyFinished) else ""


def _record(place: Place, name: str, batches: Sequence[Batch]) -> None:
    times = iter([at if at is not None else time.time() for at, _ in batches])
    ledger = open_ledger(place.ledger(name), place.key(name), clock=lambda: next(times), create=True)
    with contextlib.closing(ledger):
        for _, events in batches:
            if ledger.record(events) is None:
                kinds = ", ".join(sorted({type(event).__name__ for event in events}))
                raise CorruptRecord(f"events ({kinds}) do not fit what came before them: was the file edited?")
