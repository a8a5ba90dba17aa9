"""What `pause`, `resume`, `stop`, `steer`, `discard` and `apply` record and make."""

from pathlib import Path
from typing import Any

import pytest
from tests.interfaces.faces import finished, place_of, say
from tests.toys import Toy, toy

from autoresearch.adapters.ledger import open_record
from autoresearch.domain.state import StudyState
from autoresearch.interfaces.cli.reporting import folded_from


@pytest.fixture
def study(tmp_path: Path) -> Toy:
    return finished(tmp_path / "study")


def state_of(study: Toy) -> StudyState:
    with open_record(place_of(study).ledger("toy")) as record:
        return folded_from(record.stream())


def standings(study: Toy) -> dict[int, str]:
    rows: list[dict[str, Any]] = say(study, "log", "--all", "--json").json["trials"]
    return {row["number"]: row["standing"] for row in rows if row["standing"]}


def test_pause_resume_stop(study: Toy) -> None:
    assert say(study, "pause").status == 2  # it is finished
    assert "it was finished: 7 trials done" in say(study, "resume").out
    assert say(study, "status", "--json").json["state"] == "idle"
    paused = say(study, "pause", "--reason", "lunch \x1b[31m")
    assert paused.status == 0
    assert "lunch" in say(study, "status").out
    assert "paused already" in say(study, "pause").out
    assert say(study, "resume", "--json").json["state"] == "running"
    assert "neither paused nor stopped" in say(study, "resume").out
    assert "nobody is at work" in say(study, "stop").out
    assert "stopping already" in say(study, "stop").out
    assert say(study, "stop", "--now", "--json").json["state"] == "stopping"
    assert state_of(study).stop_now


def test_steer_lists_and_drops(study: Toy) -> None:
    assert "hint 1 holds" in say(study, "steer", "try\nsmaller   batches").out
    say(study, "steer", "and less dropout")
    assert say(study, "steer", "--list", "--json").json["hints"] == [
        {"id": 1, "text": "try smaller batches"},
        {"id": 2, "text": "and less dropout"},
    ]
    assert say(study, "steer", "--drop", "1").status == 0
    assert say(study, "steer", "--list").out == "2  and less dropout\n"


@pytest.mark.parametrize(
    "words", [("steer",), ("steer", "x", "--list"), ("steer", "--drop", "9"), ("steer", "x" * 3000)]
)
def test_wrong_steering_exits_2(study: Toy, words: tuple[str, ...]) -> None:
    assert say(study, *words).status == 2


# ---------------------------------------------------------------- apply


def test_apply_makes_clean_commits_and_touches_nothing_else(study: Toy) -> None:
    before = study.git("for-each-ref"), study.git("status", "--porcelain"), study.git("rev-parse", "HEAD")
    dry = say(study, "apply", "--dry-run", "--json").json
    assert dry["head"] is None
    assert study.git("for-each-ref") == before[0]
    made = say(study, "apply", "--json").json
    assert made["commits"] == dry["commits"]
    assert (study.git("status", "--porcelain"), study.git("rev-parse", "HEAD")) == before[1:]
    base = state_of(study).study.base_commit
    listed = study.git("rev-list", "--reverse", f"{base}..autoresearch/toy").split()
    assert [study.git("rev-parse", f"{commit}^{{tree}}").strip() for commit in listed] == [
        commit["tree"] for commit in made["commits"]
    ]
    assert made["commits"][-1]["tree"] == state_of(study).confirmed_tree
    assert made["head"] == listed[-1]


def test_messages_say_what_how_much_and_how_sure(study: Toy) -> None:
    said = say(study, "apply")
    assert said.status == 0
    assert "git merge autoresearch/toy" in said.out
    messages = study.git("log", "--format=%B%x00", "main..autoresearch/toy").split("\0")
    about = next(message for message in messages if "SMOOTH" in message)
    assert about.strip().startswith("smoother")
    assert "Change: train.py: SMOOTH False → True" in about
    assert "95 % interval [+0." in about
    assert "Trial: 5" in about
    assert all("\x1b" not in message for message in messages)
    assert sum("DEPTH" in message for message in messages) == 1  # 3 → 5 → 6 is one change


def test_apply_again_is_nothing_new_and_other_branches_are_safe(study: Toy) -> None:
    assert say(study, "apply").status == 0
    head = study.git("rev-parse", "autoresearch/toy")
    assert say(study, "apply").status == 0
    assert study.git("rev-parse", "autoresearch/toy") == head
    study.git("branch", "-f", "autoresearch/toy", "main")
    refused = say(study, "apply")
    assert refused.status == 2
    assert "--force" in refused.err
    assert say(study, "apply", "--force").status == 0
    assert study.git("rev-parse", "autoresearch/toy^{tree}").strip() == state_of(study).confirmed_tree


def test_nothing_confirmed_is_nothing_to_apply(tmp_path: Path) -> None:
    study = toy(
        tmp_path / "s", edits=[{"hypothesis": "worse", "file": "train.py", "set": {"DEPTH": 1}}], stop="trials = 1"
    )
    assert say(study, "run", "--json", "--seed", "1").status == 0
    said = say(study, "apply")
    assert said.status == 1
    assert "nothing is confirmed" in said.err


# ---------------------------------------------------------------- discard


def test_a_keep_is_undone_by_an_event_like_any_other(study: Toy) -> None:
    said = say(study, "discard", "5", "--reason", "too clever")
    assert said.status == 0
    assert "`autoresearch run`" in said.out
    assert standings(study)[5] == "refuted"
    assert standings(study)[8] == "held"
    assert "-SMOOTH = True" in say(study, "diff", "8").out
    assert "too clever" in say(study, "show", "5").out
    assert say(study, "doctor").status == 0
    assert say(study, "discard", "5").status == 2  # it is out already


def test_what_is_undone_is_not_applied_and_measured_anew(study: Toy) -> None:
    before = state_of(study)
    say(study, "discard", "5")
    commits = say(study, "apply", "--dry-run", "--json").json["commits"]
    assert [5 in commit["trials"] for commit in commits].count(True) == 0
    after = state_of(study)
    assert commits[-1]["tree"] == after.confirmed_tree != before.confirmed_tree
    assert say(study, "run", "--json").status == 0
    done = state_of(study)
    assert done.rounds[-1].headline is not None
    assert before.rounds[-1].headline is not None
    assert done.rounds[-1].headline.effect < before.rounds[-1].headline.effect


def test_all_undone_claims_nothing(study: Toy) -> None:
    for trial in ("7", "5", "3", "1"):
        assert say(study, "discard", trial).status == 0
    state = state_of(study)
    assert state.confirmed_tree == state.incumbent_trial.tree == state.study.base_tree
    assert say(study, "apply").status == 1
    assert say(study, "run", "--json").status == 0
    assert say(study, "doctor").status == 0


@pytest.mark.parametrize(
    ("trial", "told"),
    [("2", "was not kept"), ("3", "later trials (5, 7)"), ("42", "no trial 42"), ("0", "no trial 0")],
)
def test_what_cannot_be_undone_says_why(study: Toy, trial: str, told: str) -> None:
    said = say(study, "discard", trial)
    assert said.status == 2
    assert told in said.err
