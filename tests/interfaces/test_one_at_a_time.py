"""Who works on a study works under the conditions on record, and nobody changes those under another's hands."""

import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from tests.toys import Toy, toy

pytestmark = pytest.mark.sandbox


def epochs(study: Toy) -> int:
    with contextlib.closing(sqlite3.connect(study.path / ".git/autoresearch/toy/ledger.db")) as ledger:
        [(count,)] = ledger.execute("SELECT count(*) FROM events WHERE kind = 'EpochOpened'")
        return int(count)


def change(study: Toy, old: str, new: str) -> None:
    spec = study.path / "autoresearch.toml"
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))


def slow(path: Path) -> Toy:
    study = toy(path, noise=0.1, researcher="tune", stop="trials = 400")
    (study.path / "train.py").write_text("import time\ntime.sleep(0.3)\n" + (study.path / "train.py").read_text())
    study.git("commit", "-aqm", "slower")
    return study


def wait_for_trials(study: Toy, count: int = 1) -> None:
    for _ in range(300):
        if (study.path / ".git/autoresearch/toy/ledger.db").exists():
            done = study.program("status", "--json")
            if done.returncode == 0 and f'"trials": {count}' in done.stdout:
                return
        time.sleep(0.1)
    raise AssertionError("no trial was opened")


def test_a_second_run_changes_nothing_on_record_and_says_who_is_at_work(tmp_path: Path) -> None:
    study = slow(tmp_path / "s")
    first = study.start("run")
    try:
        wait_for_trials(study)
        change(study, 'budget = "20s"', 'budget = "21s"')
        second = study.program("run")
        assert second.returncode == 2
        assert f"process {first.pid}" in second.stderr
        assert first.poll() is None
        assert epochs(study) == 1
        assert study.json("status")["workers"]
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate()


def test_a_worker_that_slept_while_conditions_changed_measures_no_more(tmp_path: Path) -> None:
    study = slow(tmp_path / "s")
    (study.path / "data").write_text("one")
    change(study, 'budget = "20s"', 'budget = "20s"\ninputs = ["data"]')
    first = study.start("run")
    wait_for_trials(study)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        (study.path / "data").write_text("other")
        forget_presence(study)
        change(study, "trials = 400", "trials = 3")
        assert study.program("run").returncode in (0, 1)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "other conditions" in err


def forget_presence(study: Toy) -> None:
    """As if the lease had run out: nobody waits half a minute here."""
    with contextlib.closing(sqlite3.connect(study.path / ".git/autoresearch/toy/ledger.db")) as ledger:
        ledger.execute("DELETE FROM leases")
        ledger.commit()


def test_who_joins_does_so_under_the_conditions_on_record(tmp_path: Path) -> None:
    study = slow(tmp_path / "s")
    (study.path / "data").write_text("one")
    change(study, 'budget = "20s"', 'budget = "20s"\ninputs = ["data"]')
    first = study.start("run")
    try:
        wait_for_trials(study)
        (study.path / "data").write_text("other")
        joined = study.program("run", "--join")
        assert joined.returncode == 2
        assert "data" in joined.stderr
        assert "cannot be joined" in joined.stderr
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate()


def test_before_the_first_trial_a_study_follows_head(tmp_path: Path) -> None:
    study = toy(tmp_path / "s", stop="trials = 1", edits=[])
    program = study.path / "train.py"
    whole = program.read_text()
    program.write_text("import nothing_of_this_name\n" + whole)
    study.git("commit", "-aqm", "broken")
    assert study.program("check").returncode == 1
    program.write_text(whole)
    uncommitted = study.program("check")
    assert uncommitted.returncode == 2
    assert "uncommitted" in uncommitted.stderr
    study.git("commit", "-aqm", "mended")
    assert study.json("check")["ok"]
    runs = study.json("status")["runs"]
    (study.path / "autoresearch.toml").write_text((study.path / "autoresearch.toml").read_text() + "\n# a remark\n")
    study.git("commit", "-aqm", "the spec alone")
    assert study.program("run").returncode == 0
    assert study.json("status")["runs"] == runs


def test_another_metric_is_another_study(tmp_path: Path) -> None:
    study = toy(tmp_path / "s", stop="trials = 1")
    assert study.program("run").returncode == 0
    change(study, '"minimize"', '"maximize"')
    done = study.program("run")
    assert done.returncode == 2
    assert "another name" in done.stderr
