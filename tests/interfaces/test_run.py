"""Whole studies through the command line: real repository, sandbox, scorer, ledger and store."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.toys import Toy, toy

pytestmark = pytest.mark.sandbox


def fingerprint(study: Toy) -> dict[str, str]:
    """HEAD, index, refs and every file of the checkout, by content; the state directory left out."""
    found = {"refs": study.git("for-each-ref"), "head": (study.path / ".git/HEAD").read_text()}
    for path in sorted(study.path.rglob("*")):
        name = path.relative_to(study.path).as_posix()
        if path.is_file() and not name.startswith(".git/autoresearch/"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def trials(study: Toy) -> list[dict[str, Any]]:
    """Every trial, as `log --json` gives it."""
    rows: list[dict[str, Any]] = study.json("log", "--all")["trials"]
    return rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A deterministic study of six scripted edits, run to its end; the checkout's fingerprint lies beside it."""
    study = toy(tmp_path_factory.mktemp("a'; echo foo") / "a 0")
    before = fingerprint(study)
    done = study.program("run", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert fingerprint(study) == before
    return study


def test_each_edit_meets_the_verdict_it_deserves(finished: Toy) -> None:
    rows = {row["number"]: row for row in trials(finished)}
    states = [rows[number]["state"] for number in range(1, 7)]
    assert states == ["kept", "discarded", "kept", "crashed", "kept", "abandoned"]
    assert "jsno" in rows[4]["reason"]
    assert "not editable" in rows[6]["reason"]
    assert [rows[number]["standing"] for number in (1, 3, 5)] == ["confirmed"] * 3


def test_the_numbers_are_the_scorers(finished: Toy) -> None:
    rows = {row["number"]: row for row in trials(finished)}
    assert rows[3]["effect"] == pytest.approx(0.25 * 9)
    assert rows[5]["effect"] == pytest.approx(0.5)
    result = finished.json("status")
    assert result["incumbent"]["trial"] == 5


def test_running_a_finished_study_again_does_nothing(finished: Toy) -> None:
    before = len(trials(finished))
    done = finished.program("run")
    assert done.returncode == 0, done.stderr
    assert len(trials(finished)) == before


def test_apply_makes_one_clean_commit_per_confirmed_change(finished: Toy) -> None:
    head = finished.git("rev-parse", "HEAD")
    done = finished.program("apply")
    assert done.returncode == 0, done.stderr
    subjects = finished.git("log", "--format=%s", f"{head.strip()}..autoresearch/toy").splitlines()
    assert len(subjects) == 3
    assert any("a better depth" in subject for subject in subjects)
    text = finished.git("show", "autoresearch/toy:train.py")
    assert "RATE = 4.0  # 0.01..100" in text
    assert "DEPTH = 6" in text
    assert "SMOOTH = True" in text
    assert finished.git("rev-parse", "HEAD") == head
    assert finished.git("status", "--porcelain") == ""


def test_doctor_finds_nothing_wrong_and_the_state_is_private(finished: Toy) -> None:
    done = finished.program("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    state = finished.path / ".git/autoresearch"
    assert state.stat().st_mode & 0o777 == 0o700
    for path in state.rglob("*"):
        if path.is_file() and "store.git" not in path.parts:
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_report_agrees_with_the_log(finished: Toy) -> None:
    done = finished.program("report", "--json")
    assert done.returncode == 0, done.stderr
    text = Path(json.loads(done.stdout)["markdown"]).read_text()
    assert "a better depth" in text
    assert "self-reported" not in text.splitlines()[0]


def test_a_kept_change_can_be_undone_by_hand(tmp_path: Path) -> None:
    study = toy(tmp_path / "study")
    assert study.program("run", "--seed", "1").returncode == 0
    done = study.program("discard", "3", "--reason", "too slow in production")
    assert done.returncode == 0, done.stderr
    rows = {row["number"]: row for row in trials(study)}
    assert rows[3]["standing"] == "refuted"
    incumbent = study.json("status")["incumbent"]["trial"]
    assert incumbent > 6
    assert "DEPTH" in study.program("diff", "5", str(incumbent)).stdout


def test_try_measures_the_working_tree_and_leaves_it_alone(tmp_path: Path) -> None:
    study = toy(tmp_path / "study")
    text = (study.path / "train.py").read_text()
    (study.path / "train.py").write_text(text.replace("DEPTH = 3", "DEPTH = 5"))
    study.git("commit", "-qam", "not the base of the study", "--allow-empty")
    study.git("reset", "-q", "--soft", "HEAD~1")
    done = study.program("try", "-m", "deeper")
    assert done.returncode == 2, "a dirty tracked file cannot be a study's base"
    assert "train.py" in done.stderr
    study.git("stash", "-q")
    assert study.program("run", "--seed", "1").returncode == 0
    (study.path / "train.py").write_text(text.replace("WARM = 0.5", "WARM = 0.2").replace("RATE = 1.0", "RATE = 8.0"))
    before = fingerprint(study)
    done = study.program("try", "-m", "warmer and faster")
    assert done.returncode in (0, 1), done.stderr
    assert fingerprint(study) == before
    rows = {row["number"]: row for row in trials(study)}
    tried = max(rows)
    assert rows[tried]["researcher"] == "person"
    assert rows[tried]["hypothesis"] == "warmer and faster"
    assert rows[tried]["state"] in ("kept", "discarded")


def test_a_second_controller_is_told_who_holds_the_study_or_joins(tmp_path: Path) -> None:
    study = toy(tmp_path / "study", noise=0.1, researcher="mutate", stop="trials = 30")
    first = study.start("run", "--seed", "3")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (study.path / ".git/autoresearch/toy/ledger.db").exists() and study.json("status").get("workers"):
            break
        time.sleep(0.2)
    second = study.program("run")
    assert second.returncode == 2
    assert f"process {first.pid}" in second.stderr
    assert "--join" in second.stderr
    joined = study.program("run", "--join", "--json", timeout=300)
    assert joined.returncode == 0, joined.stderr
    first.communicate(timeout=300)
    assert first.returncode == 0
    rows = trials(study)
    assert sum(row["researcher"] == "mutate" for row in rows) == 30
    assert study.program("doctor").returncode == 0


def test_interrupting_once_finishes_the_step_and_run_goes_on_later(tmp_path: Path) -> None:
    study = toy(tmp_path / "study", noise=0.1, researcher="mutate", stop="trials = 12")
    first = study.start("run", "--seed", "3")
    time.sleep(2.5)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert "finishing the present step" in err
    assert study.json("status")["state"] in ("running", "idle")
    assert study.program("doctor").returncode == 0
    done = study.program("run", timeout=300)
    assert done.returncode == 0, done.stderr
    assert study.json("status")["state"] == "finished"


def test_the_same_seed_gives_the_same_trials_whether_or_not_it_was_killed(tmp_path: Path) -> None:
    """A deterministic study, one worker: what is in the record does not depend on where the controller died."""
    whole = toy(tmp_path / "whole", researcher="mutate", stop="trials = 12")
    assert whole.program("run", "--seed", "5").returncode == 0
    broken = toy(tmp_path / "broken", researcher="mutate", stop="trials = 12")
    for seconds in (1.3, 1.7, 2.1):
        victim = broken.start("run", "--seed", "5", start_new_session=True)
        time.sleep(seconds)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.communicate()
    done = broken.program("run", "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert broken.program("doctor").returncode == 0
    keys = ("number", "state", "standing", "tree", "effect", "hypothesis", "reason", "value")
    one, two = ([{key: row[key] for key in keys} for row in trials(study)] for study in (whole, broken))
    assert one == two
