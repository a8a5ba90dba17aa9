"""Old ledgers are brought up to date in one transaction, newer ones refused, and version 1 stays readable for ever."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from autoresearch.adapters.ledger import migrations, open_ledger, open_record, schema
from autoresearch.adapters.ledger.database import Database
from autoresearch.domain.errors import CorruptRecord
from autoresearch.domain.model import Standing, TrialState
from autoresearch.testing.ledger_cases import KEY, opened, ready, study_created

V1 = Path(__file__).parent / "v1.sql"
"""Dump of a ledger written by version 1. Never written anew: it stands for the files that users have."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as file:
        file.executescript(V1.read_text())
    file.close()
    return path


def tables(path: Path) -> list[tuple[str, str]]:
    file = sqlite3.connect(path)
    found = file.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    file.close()
    return [(name, " ".join(sql.split())) for name, sql in found]


def test_a_ledger_of_version_1_is_read_verified_and_written(old: Path) -> None:
    with open_ledger(old, KEY) as ledger:
        assert ledger.verify() == []
        assert ledger.verify_projection() == []
        assert ledger.counts()[TrialState.KEPT] == 2
        assert ledger.counts()[TrialState.CRASHED] == 1
        assert ledger.incumbent() == 4
        row = ledger.trial(1)
        assert row is not None
        assert (row.standing, row.confirmed_effect) == (Standing.CONFIRMED, 0.09)
        assert ledger.record(ready(ledger.totals().trials + 1)) is not None


def test_an_old_ledger_gets_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    open_ledger(old, KEY).close()
    open_ledger(tmp_path / "new.db", KEY, create=True).close()
    assert tables(old) == tables(tmp_path / "new.db")


def test_creating_twice_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(path, KEY, create=True) as ledger:
        ledger.record([study_created()])
    with open_ledger(path, KEY, create=True) as ledger:
        assert ledger.last() == 1


def add_colour(database: Database) -> None:
    database.rows(sa.text("ALTER TABLE trials ADD COLUMN colour TEXT"))


def add_weight(database: Database) -> None:
    database.rows(sa.text("ALTER TABLE trials ADD COLUMN weight REAL"))


def stumble(database: Database) -> None:
    raise CorruptRecord("this step fails")


def columns(path: Path) -> set[str]:
    file = sqlite3.connect(path)
    found = {name for _, name, *_ in file.execute("PRAGMA table_info(trials)")}
    file.close()
    return found


def test_steps_are_taken_from_where_the_file_stands(old: Path) -> None:
    database = Database(old)
    migrations.migrate(database, (add_colour,))
    assert migrations.version(database) == 2
    assert "colour" in columns(old)
    migrations.migrate(database, (add_colour, add_weight))
    assert migrations.version(database) == 3
    assert {"colour", "weight"} <= columns(old)
    database.close()


def test_a_step_that_fails_undoes_those_before_it(old: Path) -> None:
    database = Database(old)
    with pytest.raises(CorruptRecord, match="this step fails"):
        migrations.migrate(database, (add_colour, stumble))
    assert migrations.version(database) == 1
    assert "colour" not in columns(old)
    database.close()
    with open_ledger(old, KEY) as ledger:
        assert ledger.record([opened(ledger.totals().trials + 1)]) is not None


def test_a_newer_ledger_is_refused(old: Path) -> None:
    database = Database(old)
    migrations.migrate(database, (add_colour, add_weight))
    database.close()
    before = old.read_bytes()
    message = r"has schema version 3, this autoresearch knows versions up to 1.*upgrade autoresearch"
    with pytest.raises(CorruptRecord, match=message):
        open_ledger(old, KEY)
    with pytest.raises(CorruptRecord, match=message):
        open_record(old)
    assert old.read_bytes() == before


def test_every_version_has_its_step() -> None:
    assert len(migrations.MIGRATIONS) + 1 == schema.VERSION
