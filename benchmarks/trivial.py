"""A study of trivial trials, and meters around its parts.

Each edit writes a counter, the run is a program that does nothing, the scorer writes one constant: what is left is the
machinery itself. Started as a program, `trivial.py PLACE` opens the study at PLACE and says what is due: the measure of
resuming.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autoresearch.bootstrap.beginning import create
from autoresearch.bootstrap.place import Place, locate, spec_of
from autoresearch.bootstrap.study import Session, open_session
from autoresearch.bootstrap.workers import own_name
from autoresearch.domain.brief import Brief
from autoresearch.domain.model import Budget, Proposal, RunKey, RunResult, Scores
from autoresearch.domain.plan import Limits, plan
from autoresearch.domain.state import StudyState
from autoresearch.engine.worker import Worker
from autoresearch.ports import Executor, Frozen, Mount, ResearcherContext, RunFiles, Running, Store, Task, Workspace

NAME = "overhead"
SPEC = f"""\
[study]
name = "{NAME}"

[workspace]
editable = ["counter.txt"]
hidden = ["score.sh"]

[run]
command = ["/bin/true"]
budget = "20s"

[metric]
name = "loss"
direction = "minimize"
source = "score"

[score]
command = ["sh", "score.sh"]

[researcher]
kind = "trivial:make"

[stop]
trials = 1000000
"""
SCORER = """\
echo '{"metrics": {"loss": 1.0}}' > /proc/self/fd/$AUTORESEARCH_RESULT_FD
"""
BARE_EVERY = 10
"""Two bare sandbox starts are timed at every so many trials."""


class Meter:
    """Where wall-clock and own CPU seconds go, by part; the present trial's, reset by `take`."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @contextlib.contextmanager
    def of(self, part: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[part] = self.wall.get(part, 0.0) + time.perf_counter() - wall
            self.cpu[part] = self.cpu.get(part, 0.0) + time.process_time() - cpu

    def take(self) -> tuple[dict[str, float], dict[str, float]]:
        taken = self.wall, self.cpu
        self.wall, self.cpu = {}, {}
        return taken


PARTS = ("propose", "store", "execute", "score")


class Book:
    """One row per trial, in seconds: whole and by part; and what bare sandbox starts took, beside them."""

    def __init__(self) -> None:
        self.wall = array("d")
        self.cpu = array("d")
        self.part_wall = {part: array("d") for part in PARTS}
        self.part_cpu = {part: array("d") for part in PARTS}
        self.bare: list[tuple[int, float]] = []
        """(trial, seconds of two bare starts)."""
        self._from: tuple[float, float] | None = None

    def begin(self, meter: Meter) -> None:
        """A proposal begins: the trial before it is over."""
        now = time.perf_counter(), time.process_time()
        walls, cpus = meter.take()
        if self._from is not None:
            self.wall.append(now[0] - self._from[0])
            self.cpu.append(now[1] - self._from[1])
            for part in PARTS:
                self.part_wall[part].append(walls.get(part, 0.0))
                self.part_cpu[part].append(cpus.get(part, 0.0))
        self._from = None

    def resume(self) -> None:
        """The clock of the next trial starts here."""
        self._from = time.perf_counter(), time.process_time()


METER = Meter()
BOOK = Book()


# ---------------------------------------------------------------- meters around the ports


@dataclasses.dataclass(frozen=True, slots=True)
class MeteredStore:
    """A store whose every call is timed."""

    inner: Store

    @contextlib.contextmanager
    def workspace(self, tree: str, *, without: Sequence[str] = ()) -> Iterator[Workspace]:
        context = self.inner.workspace(tree, without=without)
        with METER.of("store"):
            space = context.__enter__()
        try:
            yield space
        finally:
            with METER.of("store"):
                context.__exit__(None, None, None)

    def freeze(self, workspace: Workspace, *, editable: Sequence[str], hidden: Sequence[str]) -> Frozen:
        with METER.of("store"):
            return self.inner.freeze(workspace, editable=editable, hidden=hidden)

    def keep_alive(self, tree: str, *, message: str) -> None:
        with METER.of("store"):
            self.inner.keep_alive(tree, message=message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclasses.dataclass(frozen=True, slots=True)
class MeteredExecutor:
    """An executor whose runs are timed from start to end."""

    inner: Executor

    def start(self, task: Task) -> Running:
        with METER.of("execute"):
            return MeteredRun(self.inner.start(task))


@dataclasses.dataclass(frozen=True, slots=True)
class MeteredRun:
    inner: Running

    def wait(self) -> RunResult:
        with METER.of("execute"):
            return self.inner.wait()

    def stop(self) -> None:
        self.inner.stop()


@dataclasses.dataclass(frozen=True, slots=True)
class MeteredScorer:
    inner: Any

    def score(self, run: RunKey, files: RunFiles, *, holdout: bool) -> Scores:
        with METER.of("score"):
            scores: Scores = self.inner.score(run, files, holdout=holdout)
            return scores


# ---------------------------------------------------------------- the researcher


class Counter:
    """Writes the trial's number; now and then times two bare sandbox starts while no trial's clock runs."""

    def __init__(self, context: ResearcherContext) -> None:
        self._sandbox: Any = getattr(context.executor, "sandbox")  # noqa: B009 - the port does not name it
        self._scratch = context.scratch
        self._tell = float(os.environ.get("OVERHEAD_TELL", "0"))
        self._told = time.monotonic()

    def propose(self, brief: Brief, workspace: Workspace) -> Proposal:
        """One line in one file."""
        BOOK.begin(METER)
        if brief.trial % BARE_EVERY == 0 and self._sandbox.safe:
            BOOK.bare.append((brief.trial, bare(self._sandbox, workspace, self._scratch)))
        if self._tell and time.monotonic() - self._told > self._tell:
            self._told = time.monotonic()
            print(f"  trial {brief.trial}", file=sys.stderr, flush=True)
        BOOK.resume()
        with METER.of("propose"):
            workspace.write("counter.txt", f"{brief.trial}\n")
        return Proposal(hypothesis=f"count to {brief.trial}")


def make(context: ResearcherContext) -> Counter:
    """The researcher of the spec above."""
    return Counter(context)


def bare(sandbox: Any, workspace: Workspace, scratch: Path) -> float:
    """Seconds of two bare starts, one with the mounts of a run and one with those of a scorer."""
    out, metrics = scratch / "out", scratch / "metrics.jsonl"
    out.mkdir(exist_ok=True)
    metrics.touch()
    base: dict[str, Any] = {"command": ("true",), "workspace": workspace, "budget": Budget(seconds=20)}
    run = Task(**base, log=scratch / "log", out=out, metrics=metrics, env={"AUTORESEARCH_SEED": "1"})
    score = Task(**base, log=scratch / "log", writable_workspace=False, mounts=(Mount(source=out),))
    return sum(start_bare(sandbox, task) for task in (run, score))


def start_bare(sandbox: Any, task: Task) -> float:
    """Seconds from spawning to the end of ``true`` in the task's sandbox, without a keeper, a pump or a watch."""
    with Path(os.devnull).open("r+b") as null:
        launch = sandbox.prepare(task, null.fileno())
        argv = [*launch.argv[: len(launch.argv) - launch.argv[::-1].index("--")], "/bin/true"]
        try:
            began = time.perf_counter()
            done = subprocess.run(
                argv, env=dict(launch.env), cwd=launch.cwd, stdin=null, stdout=null, stderr=subprocess.DEVNULL,
                pass_fds=launch.descriptors, start_new_session=True, check=False,
            )  # fmt: skip
            took = time.perf_counter() - began
        finally:
            for descriptor in launch.descriptors:
                os.close(descriptor)
    if done.returncode:
        raise RuntimeError(f"a bare sandbox start failed with status {done.returncode}")
    return took


# ---------------------------------------------------------------- the study


def make_study(path: Path) -> Place:
    """The repository and its study, at `path`."""
    path.mkdir(parents=True)
    for name, text in (("counter.txt", "0\n"), ("score.sh", SCORER), ("autoresearch.toml", SPEC)):
        (path / name).write_text(text)
    identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "base"]):
        subprocess.run(["git", *command], cwd=path, check=True)
    place = locate(path)
    create(place, spec_of(place), seed=1)
    return place


def metered(session: Session) -> Any:
    """The session's desk with meters around store, executor and scorer."""
    desk = session.desk
    return dataclasses.replace(
        desk,
        store=MeteredStore(desk.store),
        executor=MeteredExecutor(desk.executor),
        scorer=MeteredScorer(desk.scorer),
    )


def work_to(place: Place, trials: int) -> StudyState:
    """Work in this process, without a live view, until the study has so many trials."""
    with open_session(place, spec_of(place)) as session:
        worker = Worker(
            metered(session), own_name(), limits=lambda state: Limits(new_trials=state.next_trial <= trials)
        )
        worker.work()
        BOOK.begin(METER)
        return worker.state


def resume(path: Path) -> None:
    """Open the study in this fresh process, plan the next step, and say how long that took."""
    place = locate(path)
    with open_session(place, spec_of(place)) as session:
        worker = Worker(session.desk, "nobody", limits=lambda state: Limits())
        worker.catch_up()
        due = plan(worker.state, Limits())
        print(json.dumps({"due": [type(event).__name__ for event in due.decision] or [step.key for step in due.steps]}))


if __name__ == "__main__":
    resume(Path(sys.argv[1]))
