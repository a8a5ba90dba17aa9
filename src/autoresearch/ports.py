"""The ports: what the engine needs from outside, as Protocols, and the data that cross them.

One file, no behaviour. Adapters implement these; the engine knows nothing else of them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autoresearch.domain.brief import Brief
from autoresearch.domain.events import Event, Recorded
from autoresearch.domain.model import Atom, Budget, Change, Proposal, RunKey, RunResult, RunStatus, Scores
from autoresearch.domain.records import RunRow, TrialRow

# ---------------------------------------------------------------- workspaces and the trusted store


class Workspace(Protocol):
    """A disposable checkout. Paths are relative, with forward slashes; nothing is followed out of it."""

    @property
    def tree(self) -> str:
        """The tree it was made from."""
        ...

    @property
    def root(self) -> Path:
        """Where its own files lie: the whole tree, or the upper layer when `lower` is set."""
        ...

    @property
    def lower(self) -> Path | None:
        """Read-only checkout below `root`; whoever shows the workspace to a process overlays `root` on it."""
        ...

    def files(self) -> Sequence[str]:
        """Every regular file in it, sorted."""
        ...

    def read(self, path: str) -> str:
        """The UTF-8 text of a file. Raises `KeyError` for a path that is no regular file of it."""
        ...

    def write(self, path: str, text: str) -> None:
        """Replace or create a file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A workspace as written into the trusted store by our own no-follow walk."""

    tree: str
    changes: tuple[Change, ...]
    dropped: tuple[str, ...] = ()
    """New files outside `editable` that were left out."""


class Store(Protocol):
    """The trusted bare repository and the workspaces made from it."""

    def workspace(self, tree: str, *, without: Sequence[str] = ()) -> AbstractContextManager[Workspace]:
        """A fresh workspace of `tree` less the paths matching the globs `without`; removed on exit."""
        ...

    def freeze(self, workspace: Workspace, *, editable: Sequence[str], hidden: Sequence[str]) -> Frozen:
        """Write what the workspace now holds as a tree: what is `hidden` or unchanged comes from its parent."""
        ...

    def diff(self, old: str, new: str) -> str:
        """Unified diff of two trees."""
        ...

    def keep_alive(self, tree: str, *, message: str) -> None:
        """Chain `tree` to the store's one ref, so that no garbage collection and no power cut takes it."""
        ...

    def split(self, reference: str, full: str, steps: Sequence[tuple[int, str, str]]) -> tuple[Atom, ...]:
        """The atoms of the change `reference` → `full`; `steps` are (trial, parent tree, tree), oldest first."""
        ...

    def compose(self, reference: str, full: str, off: Sequence[int], onto: str | None = None) -> str | None:
        """The tree `full` without the atoms `off`, merged three-way onto `onto` if given. None when that conflicts."""
        ...


# ---------------------------------------------------------------- runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host path shown read-only inside; `target` None means: at the same path."""

    source: Path
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One program to perform in a sandbox, and all it may touch."""

    command: tuple[str, ...]
    workspace: Workspace | None
    """Shown at its place as working directory; None: an empty one."""
    budget: Budget
    log: Path
    """Where stdout and stderr go, capped."""
    writable_workspace: bool = True
    out: Path | None = None
    """Host directory for AUTORESEARCH_OUT, the only writable place that is kept."""
    metrics: Path | None = None
    """Host file for AUTORESEARCH_METRICS."""
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    masked: tuple[Path, ...] = ()
    """Host files and directories shown empty."""
    network: bool = False
    threads: int = 0
    """Thread count told to OpenMP and BLAS; 0 leaves them alone."""
    stdin: int | None = None
    stdout: int | None = None
    """File descriptors given as standard input / output instead of nothing / the log."""
    pass_fds: tuple[int, ...] = ()
    """Further descriptors inherited under the same numbers."""


class Running(Protocol):
    """A program under way."""

    def wait(self) -> RunResult:
        """Block until it and all its processes are gone."""
        ...

    def stop(self) -> None:
        """End it and all its processes at once."""
        ...


class Executor(Protocol):
    """Performs tasks somewhere within their budget."""

    def start(self, task: Task) -> Running:
        """Start it. Raises `InfraError` when the machine (not the program) is at fault."""
        ...


class Sandbox(Protocol):
    """Turns a task into a process that can touch only what the task allows."""

    @property
    def name(self) -> str:
        """Short name, shown in `check`, `status` and the report."""
        ...

    @property
    def safe(self) -> bool:
        """False when untrusted code could reach beyond the task."""
        ...

    def protects(self) -> Sequence[tuple[str, bool]]:
        """What it does and does not protect on this machine, as (sentence, held)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """Where one run's files lie on this machine."""

    artifacts: Path
    log: Path
    metrics: Path


class Scorer(Protocol):
    """Trusted: reads a run's artifacts and gives Measurements."""

    def score(self, run: RunKey, files: RunFiles, *, holdout: bool) -> Scores:
        """Raises `ScoreRefused` (the trial's fault) or `InfraError` (ours)."""
        ...


# ---------------------------------------------------------------- researchers


class Researcher(Protocol):
    """Whoever turns a Brief into a Proposal."""

    def propose(self, brief: Brief, workspace: Workspace) -> Proposal:
        """Edit the workspace and say why. Raises `InfraError` when its own tools fail."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearcherContext:
    """What a researcher's factory gets: the spec's `[researcher]` table and the means to start programs."""

    editable: tuple[str, ...]
    base: Callable[[], AbstractContextManager[Workspace]]
    """A workspace of the base tree, made when asked for."""
    constants: tuple[str, ...] | None = None
    sampler: str = "surrogate"
    command: tuple[str, ...] = ()
    script: Path | None = None
    budget: Budget
    network: bool = False
    mounts: tuple[Mount, ...] = ()
    masked: tuple[Path, ...] = ()
    executor: Executor
    scratch: Path
    """A directory of its own, kept for the life of the study."""


# ---------------------------------------------------------------- the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's time-limited, fenced claim on a step."""

    step: str
    worker: str
    token: int


class Ledger(Protocol):
    """The append-only record: the one way to write it."""

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Everything recorded later than sequence number `after`, in order."""
        ...

    def claim(self, step: str, worker: str, seconds: float) -> Lease | None:
        """Take the lease on a step; None while another worker's is alive."""
        ...

    def extend(self, lease: Lease, seconds: float) -> None:
        """Heartbeat. Raises `LostLease`."""
        ...

    def release(self, lease: Lease) -> None:
        """Give a lease back without a result; a lost one is ignored."""
        ...

    def record(self, events: Sequence[Event], *, lease: Lease | None = None, lasting: bool = True) -> int | None:
        """Append events, project them, end the lease: one transaction.

        Returns the new sequence number, or None when the record has moved on so that an event no longer fits
        (its trial is not in the state the event starts from, its number is taken, a keep's incumbent was replaced):
        nothing is written then and the caller plans again. Raises `LostLease`.

        What is not `lasting` survives every kill, but a power cut may take it, with all that was recorded after it,
        until something lasting is recorded: for what would be decided again just so, or what such a power cut would
        take the meaning of anyway.
        """
        ...


class Record(Protocol):
    """The projected state, for reading: bounded queries, each by an index."""

    def trials(
        self, *, after: int = -1, limit: int = 100, newest: bool = False, states: Sequence[str] = ()
    ) -> Sequence[TrialRow]:
        """Trials by number (ascending unless `newest`)."""
        ...

    def trial(self, number: int) -> TrialRow | None:
        """One trial."""
        ...

    def trial_of_tree(self, tree: str) -> TrialRow | None:
        """The first trial that proposed this tree and has, or will have, a result: not vetoed, not abandoned."""
        ...

    def runs(self, *, tree: str | None = None, limit: int = 1000) -> Sequence[RunRow]:
        """Runs, oldest first."""
        ...


__all__ = [
    "Executor", "Frozen", "Lease", "Ledger", "Mount", "Record", "Researcher", "RunFiles", "RunResult", "RunStatus",
    "Running", "Sandbox", "Scorer", "Store", "Task", "Workspace",
]  # fmt: skip
