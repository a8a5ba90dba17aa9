"""Whether a ledger is what was recorded: its chains against the key, its tables against the fold of its events.

Everything here streams: memory does not grow with the record. Findings are sentences, at most `MOST` of them.
"""

import tempfile
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from autoresearch.adapters.ledger import chain, migrations, schema
from autoresearch.adapters.ledger.database import Database, touch
from autoresearch.adapters.ledger.draft import Draft, packed_totals, read_totals
from autoresearch.adapters.ledger.fit import fits
from autoresearch.adapters.ledger.packing import unpack
from autoresearch.adapters.ledger.record import read_event, study_row
from autoresearch.adapters.ledger.totals import Totals
from autoresearch.domain.errors import CorruptRecord

MOST = 50
_BATCH = 1000


def verify_chains(database: Database, key: bytes) -> list[str]:
    """What is wrong with the record; empty when nothing is."""
    try:
        with database.snapshot():
            findings = list(islice(_chain_findings(database, key), MOST))
            findings += islice(_head_findings(database, key), MOST - len(findings))
    except CorruptRecord as error:
        return [str(error)]
    return findings


def _chain_findings(database: Database, key: bytes) -> Iterator[str]:
    """Each event against its own hash, the one before it in its chain, and its seal."""
    current: int | str | None = "none yet"
    before = chain.START
    for seq, at, kind, number, payload, hashed, mac in database.rows(schema.ALL_CHAINS):
        if number != current:
            current, before = number, chain.START
        where = f"event {seq} ({kind}{f' of trial {number}' if number is not None else ''})"
        if _link(before, (seq, at, kind, number, payload)) != hashed:
            yield f"{where}: its content, or what came before it in its chain, was changed"
        elif not chain.same(chain.seal_event(key, hashed), mac):
            yield f"{where}: its seal was not made with this study's key"
        before = hashed


def _link(before: bytes, columns: tuple[Any, ...]) -> bytes | None:
    seq, at, kind, number, payload = columns
    try:
        return chain.link(before, seq=seq, at=at, kind=kind, chain=number, payload=unpack(payload))
    except (CorruptRecord, TypeError, AttributeError, ValueError):  # columns of types that we never write
        return None


def _head_findings(database: Database, key: bytes) -> Iterator[str]:
    """All events in order against the sealed head: none missing, none swapped, none cut off the end."""
    head = chain.Head()
    for seq, hashed in database.rows(schema.ALL_HASHES):
        if seq != head.seq + 1:
            yield f"{_span(head.seq + 1, seq - 1)} missing"
            head = chain.Head(seq=seq - 1, hash=head.hash)
        head = head.then(hashed)
    seq, hashed, mac, _ = study_row(database)
    if head.seq < seq:
        yield f"{_span(head.seq + 1, seq)} missing from the end"
    elif head.seq > seq:
        yield f"{_span(seq + 1, head.seq)} beyond the sealed end of the record"
    elif head.hash != hashed:
        yield "the events do not add up to the sealed head: some were removed, swapped or replaced"
    if not chain.same(chain.seal_head(key, chain.Head(seq=seq, hash=hashed)), mac):
        yield "the seal on the end of the record was not made with this study's key"


def _span(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"


def verify_projection(database: Database) -> list[str]:
    """Where the tables differ from the fold of the events; empty when they do not."""
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as folder:
        path = Path(folder, "fold.db")
        touch(path)
        fold = Database(path, scratch=True)
        try:
            with fold.write():
                migrations.create(fold)
                fold.run(schema.PUT_STUDY, empty_study(b""))
            with database.snapshot():
                with fold.write():
                    findings = list(islice(replay(database, fold), MOST))
                return findings + list(islice(_differences(database, fold), MOST - len(findings)))
        except CorruptRecord as error:
            return [str(error)]
        finally:
            fold.close()


def replay(source: Database, target: Database) -> Iterator[str]:
    """Fold all events of `source` into the empty tables of `target`; says which events should not have been recorded.

    The fold is complete when the iterator is exhausted.
    """
    draft = Draft(target, 0, Totals())
    after = 0
    while batch := source.all(schema.GET_EVENTS, {"after": after, "most": _BATCH}):
        for columns in batch:
            recorded = read_event(columns)
            draft.seq = recorded.seq - 1
            if fits(recorded.event, draft):
                draft.apply(recorded.event, recorded.at)
            else:
                yield f"event {recorded.seq} ({columns[2]}) does not fit what came before it"
        draft.flush()
        after = batch[-1][0]
        draft = Draft(target, after, draft.totals)
    target.run(schema.SET_TOTALS, {"totals": packed_totals(draft.totals)})


def _differences(database: Database, fold: Database) -> Iterator[str]:
    for statement, name in ((schema.ALL_TRIALS, "trial"), (schema.ALL_RUNS, "run"), (schema.ALL_ROUNDS, "round")):
        for is_, should in zip_longest(database.rows(statement), fold.rows(statement)):
            if is_ != should:
                yield f"the row of {name} {(is_ or should)[0]} is not what its events say"
    if read_totals(study_row(database)[3]) != read_totals(study_row(fold)[3]):
        yield "the totals are not what the events say"


def repair_projection(database: Database) -> None:
    """Make the tables anew from the events, in one transaction. Raises `CorruptRecord` when an event does not fit."""
    with database.write():
        for table in schema.PROJECTION:
            database.run(schema.EMPTY[table.name], {})
        for finding in replay(database, database):
            raise CorruptRecord(f"{database.path} cannot be repaired: {finding}; put a backup in its place")


def empty_study(key: bytes) -> dict[str, Any]:
    """The row of `study` in an empty record."""
    head = chain.Head()
    return {
        "id": 1,
        "seq": head.seq,
        "head": head.hash,
        "mac": chain.seal_head(key, head),
        "token": 0,
        "totals": packed_totals(Totals()),
    }
