"""What a run leaves behind cannot choose what the scorer opens, nor where we write, nor stop the study."""

import json
import os
from pathlib import Path

import pytest
from tests.toys import SPEC, Toy, repository

from autoresearch.engine.artifacts import remove, take_in

TRAIN = """\
import json, os

out = os.environ["AUTORESEARCH_OUT"]
TRICK = 0
if TRICK == 1:
    os.symlink("/autoresearch/work/secret/labels.json", f"{out}/answers.json")
else:
    json.dump([0] * 6, open(f"{out}/answers.json", "w"))
if TRICK == 2:
    open(f"{out}/out", "w").write("a file where a directory should be")
    os.mkdir("out")
    open("out/x", "w").write("x")
if TRICK == 3:
    os.mkfifo(f"{out}/pipe")
    open(os.fsencode(out) + b"/\\xff", "w").write("x")
if TRICK == 4:
    os.chdir(out)
    for _ in range(1200):
        os.mkdir("deeper")
        os.chdir("deeper")
"""
SCORE = """\
import json, os, sys

document = json.load(sys.stdin)
answers = json.load(open(document["artifacts"] + "/answers.json"))
labels = json.load(open("secret/labels.json"))
with os.fdopen(int(os.environ["AUTORESEARCH_RESULT_FD"]), "w") as result:
    json.dump({"metrics": {"loss": 1.0 + sum(a != b for a, b in zip(answers, labels))}}, result)
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    workspace, artifacts = tmp_path / "work", tmp_path / "run" / "out"
    workspace.mkdir()
    artifacts.mkdir(parents=True)
    return workspace, artifacts


def study(path: Path, tricks: list[int]) -> Toy:
    edits = [{"hypothesis": f"trick {n}", "file": "train.py", "set": {"TRICK": n}} for n in tricks]
    spec = SPEC.format(
        researcher="scripted", researcher_more='script = "edits.json"', stop=f"trials = {len(tricks)}"
    ).replace('["score.py"]', '["score.py", "secret/**"]', 1)
    files = {"train.py": TRAIN, "score.py": SCORE, "autoresearch.toml": spec, "edits.json": json.dumps(edits)}
    return repository(path, {**files, "secret/labels.json": "[1, 0, 1, 1, 0, 1]"})


@pytest.mark.sandbox
def test_a_link_among_the_artifacts_does_not_lead_the_scorer_to_the_answers(tmp_path: Path) -> None:
    toy = study(tmp_path / "s", [1])
    assert toy.program("run").returncode == 0
    [trial] = toy.json("log")["trials"]
    assert trial["state"] == "crashed"
    assert "answers.json" in trial["reason"]


@pytest.mark.sandbox
def test_strange_artifacts_end_their_trial_at_most(tmp_path: Path) -> None:
    toy = study(tmp_path / "s", [2, 3, 4, 0])
    done = toy.program("run")
    assert done.returncode == 0, done.stdout + done.stderr
    states = {trial["number"]: trial["state"] for trial in toy.json("log")["trials"]}
    assert states[1] == states[2] == "discarded"
    assert states[3] == "crashed"
    assert not list((tmp_path / "s/.git/autoresearch/toy/runs").rglob("out"))


def test_nothing_is_written_through_a_link(places: tuple[Path, Path], tmp_path: Path) -> None:
    workspace, artifacts = places
    victim = tmp_path / "victim"
    victim.mkdir()
    (artifacts / "out").symlink_to(victim)
    (artifacts / "file").symlink_to(victim / "new")
    (workspace / "out").mkdir()
    (workspace / "out" / "x").write_text("x")
    (workspace / "file").write_text("x")
    assert take_in(workspace, artifacts, lambda path: True) == ""
    assert not list(victim.iterdir())
    assert (artifacts / "out" / "x").read_text() == "x"


def test_links_that_stay_inside_stay(places: tuple[Path, Path]) -> None:
    workspace, artifacts = places
    (artifacts / "step2").mkdir()
    (artifacts / "step2" / "weights").write_text("w")
    (artifacts / "latest").symlink_to("step2")
    (artifacts / "up").symlink_to("../../secret")
    (artifacts / "loop").symlink_to("loop")
    (artifacts / "round").symlink_to("up/../x")
    assert take_in(workspace, artifacts, lambda path: True) == ""
    assert (artifacts / "latest" / "weights").read_text() == "w"
    assert sorted(path.name for path in artifacts.iterdir()) == ["latest", "step2"]


def test_what_the_run_wrote_itself_goes_before_the_workspace(places: tuple[Path, Path]) -> None:
    workspace, artifacts = places
    (artifacts / "result").write_text("own")
    (workspace / "result").write_text("other")
    (workspace / "more").write_text("more")
    (workspace / "no").write_text("no")
    (workspace / "link").symlink_to("/etc/passwd")
    assert take_in(workspace, artifacts, lambda path: path != "no") == ""
    assert {path.name: path.read_text() for path in artifacts.iterdir()} == {"result": "own", "more": "more"}


def test_whatever_the_permissions_it_is_read_and_removed(places: tuple[Path, Path]) -> None:
    workspace, artifacts = places
    (artifacts / "closed").mkdir()
    (artifacts / "closed" / "x").write_text("x")
    (artifacts / "closed" / "x").chmod(0)
    (artifacts / "closed").chmod(0)
    assert take_in(workspace, artifacts, lambda path: True) == ""
    assert (artifacts / "closed" / "x").read_text() == "x"
    (artifacts / "closed").chmod(0)
    remove(artifacts)
    assert not artifacts.exists()
    remove(artifacts)


def test_too_deep_is_the_runs_own_doing(places: tuple[Path, Path]) -> None:
    workspace, artifacts = places
    before, here = Path.cwd(), os.open(artifacts, os.O_RDONLY)
    try:
        os.fchdir(here)
        for _ in range(1200):
            Path("deeper").mkdir()
            os.chdir("deeper")
    finally:
        os.close(here)
        os.chdir(before)
    assert "name too long" in take_in(workspace, artifacts, lambda path: True)
    remove(artifacts)
    assert not artifacts.exists()
