"""Shared by the researchers' tests: briefs, a workspace in a directory, and an executor without a sandbox."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoresearch.domain.brief import Brief, PastTrial
from autoresearch.domain.model import Direction, Metric, Move, RunResult, RunStatus
from autoresearch.ports import Task

PROGRAM = '''"""A program."""
import random

LR = 1e-3  # step size
WIDTH = 128  # power of two
DEPTH = 4
DROPOUT = 0.1  # 0..0.5
BETA2 = 0.999
DECAY = 0.0
ACT = "relu"  # one of: relu, gelu, tanh
BIAS = True
SEED = 7


def loss(x):
    """Return it."""
    y = x * 2 + 1
    if y > 3:
        y = max(y, 4)
    z = y - x
    return z
'''


@dataclass(frozen=True, slots=True)
class Folder:
    """A workspace that is a plain directory."""

    root: Path
    tree: str = "tree"
    lower: Path | None = None

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())

    def read(self, path: str) -> str:
        if not (self.root / path).is_file():
            raise KeyError(path)
        with (self.root / path).open(encoding="utf-8", newline="") as stream:
            return stream.read()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8", newline="")

    def delete(self, path: str) -> None:
        (self.root / path).unlink()


@dataclass(frozen=True, slots=True)
class Bare:
    """Executor that runs a task as a plain child process."""

    def start(self, task: Task) -> "BareRun":
        return BareRun(task)


class BareRun:
    """A child process under way."""

    def __init__(self, task: Task) -> None:
        assert task.workspace is not None
        env = {"PATH": os.environ["PATH"], **task.env, "AUTORESEARCH_OUT": str(task.out)}
        self.task = task
        self.began = time.monotonic()
        with task.log.open("wb") as log:
            self.child = subprocess.Popen(
                task.command, cwd=task.workspace.root, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def wait(self) -> RunResult:
        status, reason = RunStatus.FAILED, ""
        try:
            if self.child.wait(self.task.budget.wall) == 0:
                status = RunStatus.OK
        except subprocess.TimeoutExpired:
            self.stop()
            status, reason = RunStatus.TIMEOUT, "still running at the end of its budget"
        tail = self.task.log.read_text()[-2000:]
        wall = time.monotonic() - self.began
        return RunResult(status=status, reason=reason, exit_code=self.child.returncode, wall=wall, tail=tail)

    def stop(self) -> None:
        self.child.kill()
        self.child.wait()


def brief(
    trial: int = 1,
    *,
    history: tuple[PastTrial, ...] = (),
    parent: int = 0,
    seed: int | None = None,
    editable: tuple[str, ...] = ("train.py",),
    move: Move = Move.EXPLOIT,
    noise: float | None = 0.01,
) -> Brief:
    """A brief of a small study."""
    return Brief(
        study="toy",
        goal="less loss",
        program="# Toy",
        metric=Metric(name="loss", direction=Direction.MINIMIZE),
        editable=editable,
        trial=trial,
        ordinal=trial,
        parent=parent,
        move=move,
        seed=trial * 7919 if seed is None else seed,
        budget="1 s",
        noise=noise,
        history=history,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Folder]:
    """Makes workspaces that hold `train.py` and whatever else is named."""
    count = 0

    def make(text: str = PROGRAM, **others: str) -> Folder:
        nonlocal count
        count += 1
        made = Folder(tmp_path / str(count))
        made.write("train.py", text)
        for name, content in others.items():
            made.write(name.replace("__", "/").replace("_dot_", "."), content)
        return made

    return make
