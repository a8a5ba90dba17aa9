"""A place to run programs in: what every test of the execution adapter needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autoresearch.adapters.execution.bare import Bare
from autoresearch.adapters.execution.bubblewrap import Bubblewrap
from autoresearch.adapters.execution.launch import Launcher
from autoresearch.adapters.execution.local import LocalExecutor, LocalRun
from autoresearch.domain.model import Budget, RunResult
from autoresearch.ports import Task


@dataclass(frozen=True, slots=True)
class Directory:
    """The simplest workspace: a directory, or one in layers."""

    root: Path
    lower: Path | None = None
    tree: str = "0" * 40

    def files(self) -> Sequence[str]:
        return sorted(str(each.relative_to(self.root)) for each in self.root.rglob("*") if each.is_file())

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)


@dataclass(slots=True)
class Bench:
    """Starts programs in one sandbox, with all their files below one directory."""

    place: Path
    sandbox: Launcher
    work: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.work = Directory(self.place / "root")
        for each in (self.work.root, self.out):
            each.mkdir()

    @property
    def out(self) -> Path:
        return self.place / "out"

    @property
    def log(self) -> Path:
        return self.place / "log"

    def task(self, *command: str, **more: object) -> Task:
        values: dict[str, object] = {
            "command": command,
            "workspace": self.work,
            "budget": Budget(seconds=20),
            "log": self.log,
            "out": self.out,
            "metrics": self.place / "metrics.jsonl",
        }
        return Task(**(values | more))  # type: ignore[arg-type]

    def start(self, *command: str, **more: object) -> LocalRun:
        return LocalExecutor(self.sandbox).start(self.task(*command, **more))

    def run(self, *command: str, **more: object) -> RunResult:
        return self.start(*command, **more).wait()

    def python(self, text: str, **more: object) -> RunResult:
        """Run a Python program given as text."""
        return self.run("python", "-c", text, **more)

    def shell(self, text: str, **more: object) -> str:
        """The log of a shell text, whatever its exit status."""
        self.run("sh", "-c", text, **more)
        return self.log.read_text("utf-8", "replace")


@pytest.fixture
def safe(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Bubblewrap())


@pytest.fixture
def unsafe(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Bare())


@pytest.fixture(params=[pytest.param(Bubblewrap, marks=pytest.mark.sandbox), Bare], ids=["bubblewrap", "unsafe"])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    """The same promise in both sandboxes."""
    return Bench(tmp_path, request.param())
