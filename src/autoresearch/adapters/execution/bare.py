"""The sandbox `unsafe`: what is left without bubblewrap. It limits honest programs and stops no hostile one.

The rule: it never claims to protect. A program gets a session, limits and an allow-list environment of its own, and
everything it starts ends with it; but it runs with the user's rights, sees the user's files and has the network.
"""

import contextlib
import math
import os
import resource
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.adapters.execution.launch import Launch, budget_text, thread_env
from autoresearch.adapters.execution.mounts import declared
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import Clock
from autoresearch.ports import Mount, Task

_KEEPER = Path(__file__).parent / "bare_keeper.py"
_FILES = 16384
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin"


@dataclass(frozen=True, slots=True)
class Bare:
    """Starts tasks as plain processes. Hidden files are protected only by being absent from the workspace."""

    @property
    def name(self) -> str:
        """Its name in reports."""
        return "unsafe"

    @property
    def safe(self) -> bool:
        """False: untrusted code reaches whatever the user reaches."""
        return False

    def protects(self) -> Sequence[tuple[str, bool]]:
        """What it does and does not protect on this machine."""
        linux = sys.platform == "linux"
        return (
            ("A run inherits no environment variable that the spec does not name.", True),
            ("Wall-clock time, file size and log are limited from outside.", True),
            ("CPU time, memory, processes and disk of everything a run starts are limited from outside.", linux),
            ("No process of a run outlives it, unless the program sets out to hide one.", linux),
            ("A run cannot read your files, other runs' files or hidden files outside its workspace.", False),
            ("A run cannot change files outside its workspace.", False),
            ("A run has no network.", False),
            ("A run cannot see or signal your other processes.", False),
        )

    def prepare(self, task: Task, log: int) -> Launch:
        """The launch of `task`. Raises `InfraError` for a workspace in layers, which only a sandbox can show."""
        if task.workspace is not None and task.workspace.lower is not None:
            raise InfraError("a workspace in layers needs bubblewrap: ask the store for a whole one")
        own = _empty_beside(task.log)
        work = task.workspace.root if task.workspace is not None else own / "work"
        _link_inputs(work, task.mounts)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        seconds = task.budget.seconds * 1.05 + 1.5 + task.budget.grace
        cpu = math.ceil(seconds) if task.budget.clock is Clock.CPU else 0
        numbers = (task.budget.disk, files, cpu, log, 1 if task.stdout is None else 0)
        keeper = (sys.executable, "-I", "-S", str(_KEEPER), *(str(each) for each in numbers))
        return Launch(argv=(*keeper, *task.command), env=_environment(task, work, own), cwd=work, leftovers=(own,))


def _empty_beside(log: Path) -> Path:
    """A directory for this run alone, beside its log: HOME, temporary files, the interpreter's names."""
    own = log.with_name(f"{log.name}.d").resolve()
    shutil.rmtree(own, ignore_errors=True)
    for name in ("", "home", "tmp", "work", "bin"):
        (own / name).mkdir(mode=0o700)
    for name in ("python", "python3"):
        (own / "bin" / name).symlink_to(sys.executable)
    return own


def _link_inputs(work: Path, inputs: Sequence[Mount]) -> None:
    """Show inputs that have a place in the workspace: as symbolic links, because nothing can be mounted."""
    declared(inputs)
    for mount in inputs:
        if mount.target is None or Path(mount.target).is_absolute():
            continue
        place = work / mount.target
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            place.symlink_to(mount.source.expanduser().resolve())


def _environment(task: Task, work: Path, own: Path) -> dict[str, str]:
    """The allow-list environment, with this interpreter first on PATH."""
    bins = [f"{mount.source.expanduser()}/bin" for mount in task.mounts if (mount.source / "pyvenv.cfg").is_file()]
    bins += [str(Path(sys.prefix) / "bin"), str(own / "bin"), str(Path(sys.base_prefix) / "bin")]
    return {
        "PATH": ":".join([*dict.fromkeys(bins), _SYSTEM_PATH]),
        "HOME": str(own / "home"),
        "TMPDIR": str(own / "tmp"),
        "LANG": "C.UTF-8",
        "PWD": os.fspath(work),
        "AUTORESEARCH_BUDGET": budget_text(task),
        **({"AUTORESEARCH_OUT": str(task.out.resolve())} if task.out is not None else {}),
        **({"AUTORESEARCH_METRICS": str(task.metrics.resolve())} if task.metrics is not None else {}),
        **thread_env(task.threads),
        **task.env,
    }
