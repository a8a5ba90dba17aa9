"""Whatever is changed in the file from outside is found, and never sealed over."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.adapters.ledger import SqlLedger, chain, open_ledger
from autoresearch.adapters.ledger.packing import canonical, parse
from autoresearch.domain.errors import CorruptRecord
from autoresearch.domain.model import TrialState
from autoresearch.testing.ledger_cases import KEY, discarded, kept, opened, ready, study_created

Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three trials; the last event is the end of trial 3."""
    path = tmp_path / "ledger.db"
    with open_ledger(path, KEY, create=True) as ledger:
        ledger.record([study_created(), *ready(1), kept(1, 0), *ready(2), discarded(2)])
        ledger.record([*ready(3), discarded(3)])
        assert ledger.verify() == []
    return path


def edit_payload(file: sqlite3.Connection, seq: int, **changes: object) -> None:
    (payload,) = file.execute("SELECT payload FROM events WHERE seq = ?", (seq,)).fetchone()
    file.execute("UPDATE events SET payload = ? WHERE seq = ?", (canonical(parse(payload) | changes), seq))


def forge(file: sqlite3.Connection) -> None:
    """Make every hash right again, as somebody who has our code can, but not our key."""
    ends: dict[int | None, bytes] = {}
    head = chain.Head()
    rows = file.execute("SELECT seq, at, kind, chain, payload FROM events ORDER BY seq").fetchall()
    for place, (old, at, kind, number, payload) in enumerate(rows, 1):
        before = ends.get(number, chain.START)
        plain = canonical(parse(payload))
        hashed = ends[number] = chain.link(before, seq=place, at=at, kind=kind, chain=number, payload=plain)
        head = head.then(hashed)
        seal = chain.seal_event(b"a guess", hashed)
        file.execute("UPDATE events SET seq = ?, hash = ?, mac = ? WHERE seq = ?", (place, hashed, seal, old))
    seal = chain.seal_head(b"a guess", head)
    file.execute("UPDATE study SET seq = ?, head = ?, mac = ?", (head.seq, head.hash, seal))


def swap(file: sqlite3.Connection, column: str, one: int, other: int) -> None:
    first = file.execute(f"SELECT {column} FROM events WHERE seq = ?", (one,)).fetchone()[0]
    second = file.execute(f"SELECT {column} FROM events WHERE seq = ?", (other,)).fetchone()[0]
    file.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (second, one))
    file.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (first, other))


def swap_events(file: sqlite3.Connection) -> None:
    """Events 6 (a score) and 7 (a verdict) change places."""
    file.executescript("UPDATE events SET seq = -6 WHERE seq = 6; UPDATE events SET seq = 6 WHERE seq = 7")
    file.execute("UPDATE events SET seq = 7 WHERE seq = -6")


def cut_and_reseal(file: sqlite3.Connection) -> None:
    file.execute("DELETE FROM events WHERE seq > 13")
    forge(file)


def edit_and_forge(file: sqlite3.Connection) -> None:
    edit_payload(file, 13, effect=5.0)
    forge(file)


TAMPERED: dict[str, tuple[Tamper, str]] = {
    "a payload": (lambda file: edit_payload(file, 13, effect=5.0), r"event 13 \(TrialDiscarded of trial 2\).*changed"),
    "a payload, all hashes made anew": (edit_and_forge, "event 13 .*seal"),
    "a time": (lambda file: file.execute("UPDATE events SET at = at + 1 WHERE seq = 4"), "event 4"),
    "a kind": (lambda file: file.execute("UPDATE events SET kind = 'TrialKept' WHERE seq = 13"), "event 13"),
    "a trial": (lambda file: file.execute("UPDATE events SET chain = 3 WHERE seq = 13"), "event 13"),
    "a type": (lambda file: file.execute("UPDATE events SET payload = 7 WHERE seq = 13"), "event 13"),
    "no payload": (lambda file: file.execute("UPDATE events SET payload = x'78' WHERE seq = 13"), "event 13"),
    "two payloads": (lambda file: swap(file, "payload", 7, 13), "event 7"),
    "two places": (swap_events, "event 6"),
    "the last event": (
        lambda file: file.execute("DELETE FROM events WHERE seq = 19"),
        "event 19 is missing from the end",
    ),
    "the end": (lambda file: file.execute("DELETE FROM events WHERE seq > 13"), "events 14 to 19 are missing from the"),
    "the end, resealed": (cut_and_reseal, "not made with this study's key"),
    "one event": (lambda file: file.execute("DELETE FROM events WHERE seq = 12"), "event 12 is missing"),
    "a trial's whole chain": (
        lambda file: file.execute("DELETE FROM events WHERE chain = 3"),
        "events 14 to 16 are missing",
    ),
    "an event too many": (
        lambda file: file.execute(
            "INSERT INTO events SELECT 20, at, kind, chain, payload, hash, mac FROM events WHERE seq = 19"
        ),
        "event 20 .*changed",
    ),
    "the head": (lambda file: file.execute("UPDATE study SET head = x'00'"), "do not add up"),
    "the head's row": (lambda file: file.execute("DELETE FROM study"), "lost the row"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_found(path: Path, case: str) -> None:
    tamper, finding = TAMPERED[case]
    with sqlite3.connect(path) as file:
        tamper(file)
    file.close()
    with open_ledger(path, KEY) as ledger:
        found = ledger.verify()
    assert any(re.search(finding, each) for each in found), found


def test_findings_are_bounded(path: Path) -> None:
    with open_ledger(path, KEY) as ledger:
        for number in range(4, 40):
            ledger.record([*ready(number), discarded(number)])
    with sqlite3.connect(path) as file:
        forge(file)
    file.close()
    with open_ledger(path, KEY) as ledger:
        assert len(ledger.verify()) == 50


def test_another_key_does_not_verify_and_does_not_write(path: Path) -> None:
    with open_ledger(path, b"another key") as ledger:
        assert len(ledger.verify()) == 20  # every event, and the head
        with pytest.raises(CorruptRecord, match="not sealed with this study's key"):
            ledger.record([opened(4)])


def test_a_forged_head_is_not_sealed_over(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("DELETE FROM events WHERE seq = 19")
        file.execute("UPDATE study SET seq = 18")
    file.close()
    with open_ledger(path, KEY) as ledger, pytest.raises(CorruptRecord, match="doctor"):
        ledger.record([opened(4)])


def test_a_planted_event_stops_the_next_record(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("INSERT INTO events SELECT 20, at, kind, chain, payload, hash, mac FROM events WHERE seq = 19")
    file.close()
    with open_ledger(path, KEY) as ledger, pytest.raises(CorruptRecord, match="damaged"):
        ledger.record([opened(4)])


EDITS = {
    "trial 2": "UPDATE trials SET effect = 5.0 WHERE number = 2",
    "trial 3": "DELETE FROM trials WHERE number = 3",
    "run 1": "UPDATE runs SET row = CAST(replace(row, '2.5', '1.5') AS BLOB) WHERE number = 1",
    "totals": "UPDATE study SET totals = CAST(replace(totals, 'incumbent\":1', 'incumbent\":2') AS BLOB)",
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_table_is_found_and_repaired(path: Path, what: str) -> None:
    with open_ledger(path, KEY) as ledger:
        good = (ledger.trials(), ledger.runs(), ledger.totals())
    with sqlite3.connect(path) as file:
        assert file.execute(EDITS[what]).rowcount == 1
    file.close()
    with open_ledger(path, KEY) as ledger:
        assert ledger.verify() == []
        (finding,) = ledger.verify_projection()
        assert what in finding
        ledger.repair_projection()
        assert ledger.verify_projection() == []
        assert (ledger.trials(), ledger.runs(), ledger.totals()) == good
        assert ledger.record([opened(4)]) == 20


def test_repair_refuses_events_that_contradict(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("UPDATE events SET kind = 'TrialCrashed' WHERE seq = 2")
        file.execute("UPDATE events SET payload = ? WHERE seq = 2", (b'{"reason":"x","trial":1}',))
    file.close()
    with open_ledger(path, KEY) as ledger:
        before = rows_of(ledger)
        with pytest.raises(CorruptRecord, match=r"event 2 .*does not fit"):
            ledger.repair_projection()
        assert rows_of(ledger) == before
        assert "event 2 (TrialCrashed) does not fit what came before it" in ledger.verify_projection()


def rows_of(ledger: SqlLedger) -> tuple[object, ...]:
    return (ledger.trials(), ledger.runs(), ledger.counts()[TrialState.DISCARDED])


def test_a_file_overwritten_in_the_middle_is_called_damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(CorruptRecord, match="damaged"), open_ledger(path, KEY) as ledger:
        ledger.trials()


def test_a_file_of_something_else(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("not a database, " * 100)
    with pytest.raises(CorruptRecord, match="damaged"):
        open_ledger(text, KEY)
    with sqlite3.connect(other) as file:
        file.execute("CREATE TABLE thing (id INTEGER)")
    file.close()
    with pytest.raises(CorruptRecord, match="not a ledger of autoresearch"):
        open_ledger(other, KEY)
