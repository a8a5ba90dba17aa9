"""The limits of a run, held from outside: a watch over the process tree until all of it is gone.

The rule: nothing the program does to its own clock, limits or parents changes what is measured here. The watch sleeps
on the program's end and its log, and samples the tree in between: every 5 ms at first, every 50 ms later, and never so
often that sampling takes more than about 1 % of a core.

At the end of the budget the program's process group gets TERM, as from timeout(1), and after the grace everything gets
KILL. A wall-clock budget ends on time. A CPU budget is given 5 % and half a second more before TERM, because the
program is asked to end by itself and can only ask its own clock. A program that ends with status 0 after TERM is well;
one that ends otherwise, or has to be killed, ran into its limit. Memory, process and disk limits kill at once.

What CPU accounting can miss where there is no control group: a program that ignores SIGCHLD, so that nobody waits for
its children, and starts children that live less than a sample. The wall-clock guard bounds that.
"""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from autoresearch.adapters.execution import processes
from autoresearch.adapters.execution.cgroup import Group
from autoresearch.adapters.execution.disk import Disk
from autoresearch.adapters.execution.launch import task_limit
from autoresearch.adapters.execution.pump import Pump
from autoresearch.domain.model import Budget, Clock, RunStatus

_FIRST, _LAST, _SLOWEST = 0.005, 0.05, 0.25
_SHARE = 100
"""A sample is followed by a pause of at least this many times its own duration."""
_BREATH = 0.002
"""Seconds between two turns of a log that is over its cap: it is drained at up to about 100 MB/s, not faster."""
_PATIENCE = 5.0
"""Seconds for a killed tree to disappear before it is killed once more, from the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is watched: the spawned process, and the one below it whose death takes everything along."""

    spawned: int
    keeper: int
    """Process 1 of the namespace; or the helper that holds a tree together, which may be `spawned` itself."""
    scratch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the watch saw: why it ended the program (OK: it did not), and what was used."""

    status: RunStatus
    reason: str
    code: int
    """Exit status of the spawned process; negative for a signal."""
    wall: float
    cpu: float
    memory: int


class Watch:
    """One run under watch. Everything happens in the thread that calls `run`, `stop` excepted."""

    def __init__(
        self, target: Target, budget: Budget, *, pump: Pump, disk: Disk, kill: Callable[[], None], group: Group | None
    ) -> None:
        self.target = target
        self.budget = budget
        self.pump = pump
        self.disk = disk
        self.kill = kill
        self.group = group
        self._tree = processes.Tree(root=target.keeper, skip=1)
        self._seeing = processes.supported()
        self._began = time.monotonic()
        self._peak = 0
        self._cpu = 0.0
        self._verdict: tuple[RunStatus, str] | None = None
        self._term_at: float | None = None
        self._killed_at: float | None = None
        self._exact: tuple[int, float] = (0, 0.0)
        self._lock = threading.Lock()
        self._over = False
        self._wake_read, self._wake_write = os.pipe()

    def stop(self) -> None:
        """End it at once; from any thread."""
        with self._lock:
            if not self._over:
                os.write(self._wake_write, b"x")

    def run(self) -> Ending:
        """Watch until the spawned process is gone and reaped. Raises `OSError` when the log cannot be written."""
        poll, handle = self._poll()
        try:
            status = self._loop(poll, handle)
        except OSError:
            self.kill()
            os.waitpid(self.target.spawned, 0)
            raise
        finally:
            with self._lock:
                self._over = True
                os.close(self._wake_read)
                os.close(self._wake_write)
            if handle is not None:
                os.close(handle)
        return self._ending(*status)

    def _loop(self, poll: "select.poll", handle: int | None) -> tuple[int, float]:
        """Sleep, sample, enforce, until the spawned process has been reaped: its status and CPU seconds."""
        following = self._began + _FIRST
        status: tuple[int, float] | None = None
        while status is None:
            now = time.monotonic()
            if now >= following:
                self._sample(now)
                spent = time.monotonic() - now
                pause = min(_SLOWEST, max(_FIRST, min(_LAST, (now - self._began) / 20), _SHARE * spent))
                following = time.monotonic() + pause
            self._enforce(time.monotonic())
            wait = max(0.0, min(following, self._deadline()) - time.monotonic())
            ready = {each for each, _ in poll.poll(wait * 1000 if handle is not None else min(wait * 1000, 10))}
            if self.pump.pipe in ready and not self.pump.turn():
                poll.unregister(self.pump.pipe)
            if self.pump.flooded:
                time.sleep(_BREATH)
            if self._wake_read in ready:
                poll.unregister(self._wake_read)
                self._end(RunStatus.FAILED, "stopped by the controller")
            if handle is None or handle in ready:
                status = self._reap()
        return status

    def _poll(self) -> "tuple[select.poll, int | None]":
        """What to sleep on, and the descriptor of the spawned process where the system has such a thing."""
        poll = select.poll()
        handle = os.pidfd_open(self.target.spawned) if hasattr(os, "pidfd_open") else None
        if handle is not None:
            poll.register(handle, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        poll.register(self.pump.pipe, select.POLLIN)
        return poll, handle

    def _reap(self) -> tuple[int, float] | None:
        """Exit status and CPU seconds of the spawned process with all it waited for; None while it runs."""
        pid, status, usage = os.wait4(self.target.spawned, os.WNOHANG)
        if pid == 0:
            return None
        return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def _sample(self, now: float) -> None:
        """Look at the tree and the disk, and end the program where a limit is broken."""
        if not self._seeing or self._killed_at is not None:
            return
        usage = self._tree.sample(at_most=self.budget.processes)
        self._cpu = max(self._cpu, usage.cpu)
        if self.group is not None and self.budget.clock is Clock.CPU:
            self._cpu = max(self._cpu, self.group.cpu())
        if len(usage.pids) > self.budget.processes:
            self._end(RunStatus.PROCESSES, f"more than {self.budget.processes} processes at once")
            return
        if usage.threads >= task_limit(self.budget):
            self._end(RunStatus.PROCESSES, f"{task_limit(self.budget)} threads or more at once")
            return
        self._weigh(usage, now)
        if self.disk.check(usage.pids) > self.budget.disk:
            self._end(RunStatus.DISK, f"wrote more than {_size(self.budget.disk)} to disk")
        if self.budget.clock is Clock.CPU and self._cpu > self.budget.seconds * 1.05 + 0.5:
            self._ask(now, f"used more than {self.budget.seconds:g} s of CPU time")

    def _weigh(self, usage: processes.Usage, now: float) -> None:
        """Memory: a cheap upper bound first; the exact figure, as often as it may be taken, for a possible new peak."""
        files = sum(processes.filesystem_use(self.target.keeper, path) for path in self.target.scratch)
        memory = usage.private + max(usage.shared, files)
        if memory > max(self._peak, 64 << 20) and len(usage.pids) > 1:
            memory, again = self._exact
            if now >= again:
                memory = max(processes.proportional(usage.pids), files)
                self._exact = (memory, now + min(2.0, 200 * (time.monotonic() - now)))
            memory = max(memory, usage.largest)
        self._peak = max(self._peak, memory)
        if memory > self.budget.memory:
            self._end(RunStatus.MEMORY, f"used more than {_size(self.budget.memory)} of memory")

    def _enforce(self, now: float) -> None:
        """The clocks: end of budget, end of grace, and a tree that will not die."""
        if now - self._began >= self.budget.wall:
            unit = "" if self.budget.clock is Clock.WALL else " of wall-clock time (the guard of a CPU budget)"
            self._ask(now, f"still running after {self.budget.wall:g} s{unit}")
        if self._term_at is not None and self._killed_at is None and now - self._term_at >= self.budget.grace:
            self._kill(now)
        if self._killed_at is not None and now - self._killed_at >= _PATIENCE:
            self._killed_at = now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.target.spawned, signal.SIGKILL)

    def _deadline(self) -> float:
        """The next moment at which `_enforce` has something to do."""
        if self._killed_at is not None:
            return self._killed_at + _PATIENCE
        if self._term_at is not None:
            return self._term_at + self.budget.grace
        return self._began + self.budget.wall

    def _ask(self, now: float, reason: str) -> None:
        """TERM, once, to the process group of the program."""
        if self._term_at is not None or self._killed_at is not None:
            return
        self._verdict = (RunStatus.TIMEOUT, reason)
        self._term_at = now
        program = processes.descend(self.target.keeper, 1) if self._seeing else 0
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(os.getpgid(program) if program else self.target.spawned, signal.SIGTERM)

    def _end(self, status: RunStatus, reason: str) -> None:
        """KILL at once, for a reason."""
        if self._killed_at is None:
            self._verdict = (status, reason)
            self._kill(time.monotonic())

    def _kill(self, now: float) -> None:
        self._killed_at = now
        self.kill()

    def _ending(self, code: int, cpu: float) -> Ending:
        """The verdict once everything is gone; what was written is counted a last time."""
        wall = time.monotonic() - self._began
        status, reason = self._verdict or (RunStatus.OK, "")
        if status is RunStatus.TIMEOUT and code == 0:
            status, reason = RunStatus.OK, ""
        if status in (RunStatus.OK, RunStatus.TIMEOUT) and self.disk.count() >= self.budget.disk:
            status, reason = RunStatus.DISK, f"wrote {_size(self.budget.disk)} or more to disk"
        used = max(self._cpu, self.group.cpu() if self.group is not None else cpu)
        return Ending(status=status, reason=reason, code=code, wall=wall, cpu=used, memory=self._peak)


def _size(count: int) -> str:
    """Bytes as people write them."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} bytes"
