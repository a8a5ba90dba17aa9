"""`doctor` finds what is wrong with a study, says what to do, and with `--repair` mends what can be mended."""

import socket
import sqlite3
import stat
import time
from pathlib import Path

import pytest
from tests.interfaces.faces import finished, place_of, say
from tests.toys import Toy

from autoresearch.adapters.ledger import open_ledger
from autoresearch.engine.worker import PRESENCE


@pytest.fixture
def study(tmp_path: Path) -> Toy:
    return finished(tmp_path / "study")


def home(study: Toy) -> Path:
    return place_of(study).of("toy")


def change(study: Toy, statement: str) -> None:
    """Change the ledger from outside."""
    connection = sqlite3.connect(home(study) / "ledger.db")
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_finished_study_is_whole(study: Toy) -> None:
    said = say(study, "doctor")
    assert said.status == 0
    assert "toy: record and surroundings are whole" in said.out
    data = say(study, "doctor", "--json").json
    assert data["ok"] is True
    assert {"python", "git", "sandbox", "overlay", "disk"} <= {fact["name"] for fact in data["machine"]}


def mended(study: Toy, what: str) -> None:
    """It is found, `--repair` mends it, and then it is gone."""
    found = say(study, "doctor")
    assert found.status == 1
    assert what in found.out
    assert "doctor --repair" in found.out
    repaired = say(study, "doctor", "--repair")
    assert repaired.status == 0, repaired.out
    assert "mended: " in repaired.out
    assert say(study, "doctor").status == 0


def test_permissions(study: Toy) -> None:
    (home(study) / "key").chmod(0o644)
    home(study).chmod(0o755)
    mended(study, "others can read it")
    assert stat.S_IMODE((home(study) / "key").stat().st_mode) == 0o600


def test_tables_that_are_not_the_fold_of_the_events(study: Toy) -> None:
    change(study, "UPDATE trials SET standing = 'confirmed', state = 'kept' WHERE number = 2")
    mended(study, "the tables are not what the events say")
    assert say(study, "show", "2", "--json").json["trial"]["state"] == "discarded"


def test_workspaces_of_dead_workers(study: Toy) -> None:
    (home(study) / "work" / "1-1" / "tree").mkdir(parents=True)
    mended(study, "workspaces of dead workers")
    assert not (home(study) / "work" / "1-1").exists()


def test_artifacts_that_a_kill_left(study: Toy) -> None:
    run = say(study, "show", "1", "--json").json["runs"][0]["id"]
    (home(study) / "runs" / run / "out").mkdir(parents=True)
    mended(study, "artifacts of runs that were scored")


def test_leases_of_dead_workers(study: Toy) -> None:
    place = place_of(study)
    with open_ledger(place.ledger("toy"), place.key("toy")) as ledger:
        dead = f"{socket.gethostname()}:4000000:1"
        assert ledger.claim(f"{PRESENCE}{dead}", dead, 30.0) is not None
    assert say(study, "status", "--json").json["workers"] == []
    mended(study, "dead workers hold steps")


def test_an_event_changed_from_outside_remains_a_problem(study: Toy) -> None:
    change(study, f"UPDATE events SET at = {time.time()} WHERE seq = 5")
    for words in (("doctor",), ("doctor", "--repair")):
        said = say(study, *words)
        assert said.status == 1
        assert "the record was changed from outside" in said.out
        assert "event 5" in said.out
    problem = say(study, "doctor", "--json").json["problems"][0]
    assert problem["repairable"] is False
    assert "backup" in problem["remedy"]


def test_a_missing_key_and_a_missing_ledger(study: Toy) -> None:
    key = (home(study) / "key").read_bytes()
    (home(study) / "key").unlink()
    said = say(study, "doctor")
    assert said.status == 1
    assert "the key that seals the record is missing" in said.out
    assert not (home(study) / "key").exists()
    (home(study) / "key").write_bytes(key)
    (home(study) / "ledger.db").write_bytes(b"not a database" * 100)
    (home(study) / "ledger.db-wal").unlink(missing_ok=True)
    said = say(study, "doctor", "--json")
    assert said.status == 1
    assert any("ledger" in problem["what"] for problem in said.json["problems"])


def test_code_that_is_lost(study: Toy) -> None:
    for path in (home(study) / "store.git" / "objects").rglob("*"):
        if path.is_file() and path.suffix in ("", ".pack"):
            path.chmod(0o600)
            path.unlink()
    said = say(study, "doctor")
    assert said.status == 1
    assert "the code of kept trials is not whole" in said.out or "the store cannot be opened" in said.out
