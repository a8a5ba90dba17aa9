"""A control group for one run: a number of tasks that the kernel itself holds, and CPU time that nothing escapes.

The rule: an extra where it can be had, never a condition. It is used for root alone: others are held by RLIMIT_NPROC,
which the kernel does not apply to root, and moving a process between groups costs up to 30 ms on an idle machine.
"""

import contextlib
import itertools
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_NAME = "autoresearch"
_COUNTER = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """Directories in which groups are made: one hierarchy per controller (version 1), or one for all (version 2)."""

    pids: Path
    cpu: Path | None
    unified: bool


class Group:
    """One group, made for at most `tasks` tasks. Raises `OSError` when it cannot be made."""

    def __init__(self, homes: Homes, tasks: int) -> None:
        name = f"{_NAME}-{os.getpid()}-{next(_COUNTER)}"
        self._homes = homes
        self._pids = homes.pids / name
        self._cpu = homes.cpu / name if homes.cpu is not None else None
        self._before = 0.0
        for each in self._all():
            each.mkdir()
        try:
            (self._pids / "pids.max").write_text(str(tasks))
        except OSError:
            self.remove()
            raise

    @property
    def late(self) -> bool:
        """Whether a process must be adopted before it starts anything, because none is born in the group."""
        return self._homes.unified

    def enter(self) -> contextlib.ExitStack:
        """Let what this thread starts be born in the group, until the returned stack is closed (version 1).

        A thread may move itself without the lock that makes every other move slow; version 2 moves whole processes.
        """
        stack = contextlib.ExitStack()
        if not self._homes.unified:
            for each in self._all():
                stack.callback((each.parent / "tasks").write_text, "0")
                (each / "tasks").write_text("0")
        return stack

    def adopt(self, pid: int) -> None:
        """Take process `pid`, which has started nothing yet, and count CPU time from now on."""
        if self._homes.unified:
            (self._pids / "cgroup.procs").write_text(str(pid))
        self._before = self._total()

    def cpu(self) -> float:
        """CPU seconds used in the group since `adopt`; 0 when the kernel does not say."""
        return max(0.0, self._total() - self._before)

    def members(self) -> list[int]:
        """The processes in it; none once it has been removed."""
        try:
            return [int(line) for line in (self._pids / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def remove(self) -> None:
        """Remove it once its last process is gone; what cannot be removed is left to the next `sweep`."""
        for each in self._all():
            for _ in range(20):
                try:
                    each.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.005)
                else:
                    break

    def _all(self) -> list[Path]:
        return [each for each in (self._pids, self._cpu) if each is not None]

    def _total(self) -> float:
        try:
            if self._homes.unified:
                return int((self._pids / "cpu.stat").read_text().split()[1]) / 1e6
            return int((self._cpu / "cpuacct.usage").read_text()) / 1e9 if self._cpu is not None else 0.0
        except (OSError, ValueError, IndexError):
            return 0.0


def make(tasks: int) -> Group | None:
    """A group for one run, or None where there is no need (not root) or no right to it."""
    found = homes() if os.geteuid() == 0 else None
    try:
        return Group(found, tasks) if found is not None else None
    except OSError:
        return None


@cache
def homes() -> Homes | None:
    """Where groups can be made on this machine; leftovers of dead controllers there are swept away, once."""
    try:
        own = _own_groups()
        found = _version_1(own) or _version_2(own)
    except (OSError, ValueError, IndexError):
        return None
    for home in (found.pids, found.cpu) if found is not None else ():
        if home is not None:
            sweep(home)
    return found


def sweep(home: Path) -> None:
    """Remove groups in `home` whose controller no longer lives."""
    for each in home.glob(f"{_NAME}-*-*"):
        owner = each.name.split("-")[1]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(OSError):
                each.rmdir()


def _own_groups() -> dict[str, Path]:
    """The directory of this process's group by controller name; ``""`` is the unified hierarchy."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            names = options.split(" ")[-1].split(",") if kind == "cgroup" else [""]
            mounts |= dict.fromkeys(names, (left.split(" ")[3], left.split(" ")[4]))
    found: dict[str, Path] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in mounts:
                root, place = mounts[name]
                inner = path.removeprefix(root) if root != "/" else path
                found[name] = Path(place) / inner.strip("/")
    return found


def _version_1(own: dict[str, Path]) -> Homes | None:
    """The hierarchies of version 1, if the one that counts tasks is there and writable."""
    pids, cpu = own.get("pids"), own.get("cpuacct")
    if pids is None or not os.access(pids / "tasks", os.W_OK):
        return None
    return Homes(pids=pids, cpu=cpu if cpu is not None and os.access(cpu / "tasks", os.W_OK) else None, unified=False)


def _version_2(own: dict[str, Path]) -> Homes | None:
    """The nearest group of version 2 at or above ours that lets its children count tasks."""
    start = own.get("")
    for each in (start, *start.parents) if start is not None else ():
        control = each / "cgroup.subtree_control"
        if not control.exists():
            break
        if "pids" in control.read_text().split() and os.access(each / "cgroup.procs", os.W_OK):
            return Homes(pids=each, cpu=None, unified=True)
    return None
