"""What a sandbox hands to the executor: a command line that starts a program and waits for leave to run it.

The rule: no program ever starts under a dead controller. Whatever is launched writes one line to its standard error
once it is set up and bound to the controller's life, which fails when the controller is gone, and runs the program only
after it has read one line back. That line may wait there already: then the program starts without waiting for us.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autoresearch.domain.model import Budget
from autoresearch.ports import Sandbox, Task

READY = b"ready\n"
"""What the launched process says when it is set up; anything else on that channel is an error message."""

GO = b"go\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a task. `descriptors` belong to the launch: inherited by the child, then closed by the executor."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    descriptors: tuple[int, ...] = ()
    levels: int = 1
    """Processes between the one that is spawned and the program: the last of them is the one to kill."""
    leftovers: tuple[Path, ...] = ()
    """Directories of this launch alone, removed when all is over."""
    scratch: tuple[str, ...] = ()
    """Memory file systems inside, by their path there, whose content counts as memory."""


class Launcher(Sandbox, Protocol):
    """A sandbox that can start tasks on this machine."""

    def prepare(self, task: Task, log: int) -> Launch:
        """The launch of `task`, whose log goes to the descriptor `log`. Raises `InfraError` for what is not there."""
        ...


def thread_env(threads: int) -> dict[str, str]:
    """The variables by which OpenMP and the BLAS libraries are told a thread count; none for 0."""
    if threads <= 0:
        return {}
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def task_limit(budget: Budget) -> int:
    """How many tasks, threads included, a run may have before the kernel refuses more, where the kernel can be asked.

    Processes are limited exactly and threads are not: eight for each process of the limit, and 1,024 at least.
    """
    return max(1024, 8 * budget.processes)


def budget_text(task: Task) -> str:
    """The value of AUTORESEARCH_BUDGET: seconds and the clock that counts them, such as ``20 cpu``."""
    return f"{task.budget.seconds:g} {task.budget.clock}"


def shell_status(code: int) -> tuple[int, str]:
    """An exit status as a shell gives it, and what it means in words ("" for 0)."""
    if code == 0:
        return 0, ""
    if code == 127:
        return code, "command not found (exit status 127)"
    if code == 126:
        return code, "command could not be executed (exit status 126)"
    if 128 < code <= 128 + 64:
        return code, f"ended by {signal_name(code - 128)}"
    return code, f"exit status {code}"


def signal_name(number: int) -> str:
    """``signal 11 (SIGSEGV)``, or the bare number for one without a name."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def missing(paths: Sequence[Path]) -> list[str]:
    """Those of `paths` that do not exist, as text."""
    return [str(path) for path in paths if not path.exists()]
