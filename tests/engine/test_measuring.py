"""Numbers that cannot be reckoned with, and runs whose files vanish, stop no study."""

import shutil
from pathlib import Path

import pytest
from tests.toys import Toy, toy

from autoresearch.domain import events as e
from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.lineage import Stage
from autoresearch.domain.model import Direction, Metric, RunResult, RunStatus, Scores
from autoresearch.domain.plan import Limits, StepKind, plan
from autoresearch.engine.measuring import checked
from autoresearch.testing.priors import mixture
from autoresearch.testing.simulator import SimulatedStudy

METRIC = Metric(name="loss", direction=Direction.MINIMIZE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e101, -1.7e308])
def test_a_number_nobody_can_reckon_with_is_refused(value: float) -> None:
    with pytest.raises(ScoreRefused, match=r"finite|believed"):
        checked(METRIC, Scores(metrics={"loss": value}))
    with pytest.raises(ScoreRefused, match=r"finite|believed"):
        checked(METRIC, Scores(metrics={"loss": 1.0, "other": value}))


def test_a_lost_run_is_due_again() -> None:
    study = SimulatedStudy(mixture((0.1, 2.0), (0.4, -1.0)), runs=100, seed=1)
    for event in plan(study.state, Limits()).decision:
        study.record(event)
    run = next(iter(study.state.pending))
    study.record(e.RunEnded(run=run, result=RunResult(status=RunStatus.OK)))
    assert study.state.pending[run].stage is Stage.SCORE
    study.record(e.RunLost(run=run, reason="gone"))
    assert study.state.pending[run].stage is Stage.EXECUTE
    assert any(step.run == run and step.kind is StepKind.EXECUTE for step in plan(study.state, Limits()).steps)


def lines(study: Toy) -> list[dict[str, object]]:
    return list(study.json("log")["trials"])


@pytest.mark.sandbox
def test_artifacts_that_vanish_before_they_are_scored_cost_one_more_run(tmp_path: Path) -> None:
    edits = [{"hypothesis": "a higher rate", "file": "train.py", "set": {"RATE": 4.0}}]
    study = toy(tmp_path / "s", edits=edits, stop="trials = 1")
    spec = study.path / "autoresearch.toml"
    text = spec.read_text()
    spec.write_text(text.replace('command = ["python", "score.py"]', 'command = ["sleep", "30"]'))
    study.git("commit", "-aqm", "a scorer that hangs")
    running = study.start("run")
    runs = study.path / ".git/autoresearch/toy/runs"
    while not list(runs.glob("*/score.txt")):
        assert running.poll() is None
    running.kill()
    running.communicate()
    for out in runs.glob("*/out"):
        shutil.rmtree(out)
    spec.write_text(text)
    done = study.program("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line["state"] for line in lines(study)] == ["kept"]
    assert not study.json("doctor")["problems"]
