"""The run step and the score step: execute a tree in the sandbox, then have its artifacts scored.

The seed is handed out here, after the tree was frozen; clock and limits are held by the executor.
"""

import contextlib
import gzip
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from autoresearch.domain import events as e
from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.globs import matches
from autoresearch.domain.model import LARGEST, Metric, RunKey, RunResult, RunStatus, Scores
from autoresearch.domain.state import StudyState
from autoresearch.engine.artifacts import remove, take_in
from autoresearch.engine.desk import Conditions, Desk
from autoresearch.ports import RunFiles, Task, Workspace

COMPRESSED_FROM = 16 << 10
"""Logs of more bytes than this are kept compressed."""


def files_of(runs: Path, run: RunKey) -> RunFiles:
    """Where a run's files lie."""
    place = runs / run.id
    return RunFiles(artifacts=place / "out", log=place / "log.txt", metrics=place / "metrics.jsonl")


def task_for(conditions: Conditions, workspace: Workspace, run: RunKey, files: RunFiles) -> Task:
    """The task of one run."""
    return Task(
        command=conditions.command,
        workspace=workspace,
        budget=conditions.budget,
        log=files.log,
        out=files.artifacts,
        metrics=files.metrics,
        env={**conditions.env, "AUTORESEARCH_SEED": str(run.seed), "AUTORESEARCH_RUNG": run.rung},
        mounts=conditions.mounts,
        masked=conditions.masked,
        network=conditions.network,
        threads=conditions.threads,
    )


def execute(desk: Desk, run: RunKey, *, held: Callable[[], None] = lambda: None) -> e.RunEnded:
    """Execute a run.

    `held` is asked at the end and raises `LostLease` where another worker has taken the run over: its files stay as
    that worker has them.
    """
    files = files_of(desk.runs, run)
    remove(files.log.parent)
    files.artifacts.mkdir(parents=True, mode=0o700)
    with desk.store.workspace(run.tree, without=desk.conditions.hidden) as workspace:
        result = desk.executor.start(task_for(desk.conditions, workspace, run, files)).wait()
        held()
        if result.status.ok and (
            wrong := take_in(workspace.root, files.artifacts, lambda path: matches(path, desk.conditions.artifacts))
        ):
            result = replace(result, status=RunStatus.FAILED, reason=wrong, tail="")
    if not result.status.ok:
        remove(files.artifacts)
        _put_away(files)
    return e.RunEnded(run=run, result=_explained(result))


def _explained(result: RunResult) -> RunResult:
    """A failed program's last words belong to the reason."""
    last = next((line.strip() for line in reversed(result.tail.splitlines()) if line.strip()), "")
    if result.status is not RunStatus.FAILED or not last:
        return result
    return replace(result, reason=f"{result.reason}: {last[:200]}")


def score(
    desk: Desk, state: StudyState, run: RunKey, purpose: e.Purpose | None
) -> e.RunMeasured | e.RunRefused | e.RunLost:
    """Have a run scored; its artifacts are removed afterwards, its log and metric stream stay."""
    files = files_of(desk.runs, run)
    if not files.artifacts.is_dir():
        return e.RunLost(run=run, reason=f"its artifacts are gone from {files.artifacts}")
    holdout = state.study.holdout and purpose is e.Purpose.HEADLINE
    try:
        scores = checked(state.study.metric, desk.scorer.score(run, files, holdout=holdout))
    except ScoreRefused as refusal:
        return e.RunRefused(run=run, reason=str(refusal))
    return e.RunMeasured(run=run, scores=scores)


def put_away(desk: Desk, run: RunKey) -> None:
    """After a run's end is recorded: drop its artifacts, compress a long log."""
    files = files_of(desk.runs, run)
    remove(files.artifacts)
    _put_away(files)


def sweep(desk: Desk) -> None:
    """Put away what killed workers left: artifacts of runs that wait for no score any more."""
    due = {run.id for run in desk.state.pending}
    for artifacts in desk.runs.glob("*/out"):
        if artifacts.parent.name not in due:
            place = artifacts.parent
            remove(artifacts)
            _put_away(RunFiles(artifacts=artifacts, log=place / "log.txt", metrics=place / "metrics.jsonl"))


def checked(metric: Metric, scores: Scores) -> Scores:
    """The scores, if the deciding metric is among them and one can reckon with all numbers. Raises `ScoreRefused`."""
    if metric.name not in scores.metrics:
        seen = ", ".join(sorted(scores.metrics)) or "none at all"
        raise ScoreRefused(f"the metric {metric.name!r} was never given; metrics found: {seen}")
    for name, value in (*scores.metrics.items(), *scores.holdout.items()):
        if not math.isfinite(value):
            raise ScoreRefused(f"the metric {name!r} is {value}: not a finite number")
        if abs(value) > LARGEST:
            raise ScoreRefused(f"the metric {name!r} is {value:g}: beyond {LARGEST:g} nothing is believed")
    return scores


def _put_away(files: RunFiles) -> None:
    """Leave no empty file, no long text as it is, and no empty directory."""
    place = files.log.parent
    left = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(place) as found:
        for entry in list(found):
            size = entry.stat().st_size if entry.is_file() else -1
            if size == 0:
                os.unlink(entry.path)  # noqa: PTH108 - for every run: no Path objects
                continue
            left += 1
            if entry.name.endswith(".txt") and size > COMPRESSED_FROM:
                _compress(Path(entry.path))
        if not left:
            place.rmdir()


def _compress(path: Path) -> None:
    with path.open("rb") as source, gzip.open(f"{path}.gz", "wb", compresslevel=5) as target:
        shutil.copyfileobj(source, target)
    path.unlink()
