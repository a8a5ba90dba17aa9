"""What most commands begin with: the repository around the working directory, and the study that is meant."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from autoresearch.adapters.ledger import SqlLedger, SqlRecord, open_ledger
from autoresearch.bootstrap.place import Place, locate, spec_of
from autoresearch.bootstrap.study import open_record_of, studies
from autoresearch.domain.errors import UsageError
from autoresearch.spec import FILE

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document instead of text.")]
StudyName = Annotated[str | None, Parameter(name="--study", help="Which study; default: the one of autoresearch.toml.")]


def here() -> Place:
    """The repository around the working directory."""
    return locate(Path.cwd())


def chosen(place: Place, study: str | None) -> str:
    """The study meant: the one named, the spec's, or the only one there is. Raises `UsageError`."""
    if study is not None:
        return study
    if (place.top / FILE).exists():
        return spec_of(place).study.name
    known = studies(place)
    if len(known) == 1:
        return known[0]
    if not known:
        raise UsageError(f"there is no study in {place.top}: run `autoresearch init`, then `autoresearch run`")
    raise UsageError(f"there are several studies here ({', '.join(known)}): name one with --study")


@contextlib.contextmanager
def reading(study: str | None) -> Iterator[tuple[Place, str, SqlRecord]]:
    """A study's record for reading."""
    place = here()
    name = chosen(place, study)
    with contextlib.closing(open_record_of(place, name)) as record:
        yield place, name, record


@contextlib.contextmanager
def writing(study: str | None) -> Iterator[tuple[Place, str, SqlLedger]]:
    """A study's ledger for events that need no worker."""
    place = here()
    name = chosen(place, study)
    open_record_of(place, name).close()
    with contextlib.closing(open_ledger(place.ledger(name), place.key(name))) as ledger:
        yield place, name, ledger
