"""Numbers that cannot be reckoned with, and runs whose files vanish, stop no study."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.toys import Toy, toy

from autoresearch.domain import events as e
from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.model import Bound, Direction, Guard, Metric, RunResult, RunStatus, Scores
from autoresearch.domain.plan import Limits, StepKind, plan
from autoresearch.domain.state import Control, Stage
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


def guarded(study: SimulatedStudy, name: str) -> SimulatedStudy:
    guard = Guard(metric=name, max_increase=Bound(value=0.1, relative=True))
    study.record(e.StudyAmended(study=replace(study.state.study, guards=(guard,)), spec=""))
    return study


def test_a_guard_on_what_nobody_measures_stops_the_study_and_says_so() -> None:
    study = guarded(SimulatedStudy(mixture((0.1, 2.0), (0.4, -1.0)), runs=100, seed=1), "latency")
    while not plan(study.state, Limits()).finished:
        due = plan(study.state, Limits())
        for event in due.decision:
            study.record(event)
        if due.steps:
            study.perform(due.steps[0])
    assert study.state.control is Control.PAUSED
    assert "'latency'" in study.state.reason
    assert "peak_memory_mb" in study.state.reason


def test_what_the_controller_measured_may_be_guarded_and_nobody_else_says_it() -> None:
    study = guarded(SimulatedStudy(mixture((0.1, 2.0), (0.4, -1.0)), runs=100, seed=1), "peak_memory_mb")
    for event in plan(study.state, Limits()).decision:
        study.record(event)
    run = next(iter(study.state.pending))
    study.record(e.RunEnded(run=run, result=RunResult(status=RunStatus.OK, memory=3 << 20, cpu=1.5)))
    name = study.state.study.metric.name
    study.record(e.RunMeasured(run=run, scores=Scores(metrics={name: 2.0, "peak_memory_mb": 0.1})))
    [measured] = study.state.readings[run.tree]
    assert measured.metrics == {name: 2.0, "peak_memory_mb": 3.0, "cpu_seconds": 1.5, "wall_seconds": 0.0}


def test_nothing_is_a_negative_zero() -> None:
    assert str(METRIC.value(METRIC.gain(0.0))) == "0.0"
