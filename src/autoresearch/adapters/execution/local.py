"""Performs tasks on this machine: starts, watches, ends, and says what happened.

The rule: a run lives in one thread from spawn to the last process gone, because the kernel ends a sandbox with the
*thread* that started it; and a program only begins once everything that bounds it stands.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from autoresearch.adapters.execution import cgroup, processes
from autoresearch.adapters.execution.disk import Disk
from autoresearch.adapters.execution.front import open_up
from autoresearch.adapters.execution.launch import GO, READY, Launch, Launcher, shell_status, task_limit
from autoresearch.adapters.execution.pump import Pump, printable
from autoresearch.adapters.execution.watcher import Ending, Target, Watch
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import RunResult, RunStatus
from autoresearch.ports import Task

_OURS = 16
"""Tasks of our own in a run's group, at most."""
_SETUP = 30.0
"""Seconds within which a sandbox must stand."""


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Starts tasks in `sandbox` on this machine."""

    sandbox: Launcher

    def start(self, task: Task) -> "LocalRun":
        """Start it; returns once the program runs. Raises `InfraError` when the machine is at fault."""
        run = LocalRun(self.sandbox, task)
        run.begin()
        return run


class LocalRun:
    """One program under way."""

    def __init__(self, sandbox: Launcher, task: Task) -> None:
        self._sandbox = sandbox
        self._task = task
        self._begun: Future[Watch] = Future()
        self._done: Future[RunResult] = Future()

    def begin(self) -> None:
        """Spawn it in a thread of its own and wait until the program runs."""
        threading.Thread(target=self._perform, name="run", daemon=True).start()
        self._begun.result()

    def wait(self) -> RunResult:
        """Block until it and all its processes are gone. Raises `InfraError` when its log could not be written."""
        return self._done.result()

    def stop(self) -> None:
        """End it and all its processes at once; does nothing when it has ended."""
        if not self._done.done():
            self._begun.result().stop()

    def _perform(self) -> None:
        """The life of the run; errors reach whoever waits."""
        try:
            self._done.set_result(self._whole())
        except (InfraError, OSError) as error:
            words = f"cannot run {self._task.command[0]!r}: {error}"
            failure = error if isinstance(error, InfraError) else InfraError(words)
            (self._done if self._begun.done() else self._begun).set_exception(failure)

    def _whole(self) -> RunResult:
        task = self._task
        if task.metrics is not None:
            task.metrics.touch(mode=0o600)
        with contextlib.ExitStack() as stack:
            pipe_read, pipe_write = os.pipe()
            pump = Pump(pipe_read, task.log, task.budget.log)
            stack.callback(pump.close)
            group = cgroup.make(task_limit(task.budget) + _OURS)
            if group is not None:
                stack.callback(group.remove)
            with contextlib.ExitStack() as ours:
                ours.callback(os.close, pipe_write)
                if group is not None:
                    ours.enter_context(group.enter())
                process, channel, launch = _spawn(self._sandbox, task, pipe_write)
            stack.callback(channel.close)
            stack.callback(_tidy, task, launch)
            if group is None or not group.late:
                _let_go(channel)
            target = _handshake(process, channel, launch, task)
            if group is not None:
                group.adopt(target.keeper)
                if group.late:
                    _let_go(channel)
            if launch.levels > 1:  # a keeper of our own listens on for our end; a namespace needs nothing more from us
                channel.close()
            disk = Disk(_places(task), task.budget.disk)
            watch = Watch(target, task.budget, pump=pump, disk=disk, kill=lambda: _kill(target), group=group)
            self._begun.set_result(watch)
            ending = watch.run()
            process.returncode = ending.code
        return _result(ending, pump, self._sandbox.name)


def _tidy(task: Task, launch: Launch) -> None:
    """Remove what the launch made, and let the workspace be removed by its owner."""
    for each in launch.leftovers:
        shutil.rmtree(each, ignore_errors=True)
    if task.workspace is not None and task.workspace.lower is not None:
        open_up(task.workspace.root)


def _places(task: Task) -> list[Path]:
    """Where a run can write on disk."""
    work = task.workspace.root if task.workspace is not None and task.writable_workspace else None
    return [each for each in (work, task.out, task.metrics) if each is not None]


def _spawn(sandbox: Launcher, task: Task, log: int) -> tuple["subprocess.Popen[bytes]", socket.socket, Launch]:
    """Start the launch; its standard error is the far end of the returned channel."""
    launch = sandbox.prepare(task, log)
    near, far = socket.socketpair()
    try:
        process = subprocess.Popen(
            launch.argv,
            env=dict(launch.env),
            cwd=launch.cwd,
            stdin=subprocess.DEVNULL if task.stdin is None else task.stdin,
            stdout=log if task.stdout is None else task.stdout,
            stderr=far.fileno(),
            pass_fds=(log, *launch.descriptors, *task.pass_fds),
            start_new_session=True,
        )
    except OSError as error:
        near.close()
        raise InfraError(f"cannot start the sandbox {sandbox.name!r}: {error}") from error
    finally:
        far.close()
        for descriptor in launch.descriptors:
            os.close(descriptor)
    return process, near, launch


def _handshake(process: "subprocess.Popen[bytes]", channel: socket.socket, launch: Launch, task: Task) -> Target:
    """Wait until everything stands. Raises `InfraError` with what the sandbox said instead."""
    said = b""
    end = time.monotonic() + _SETUP
    channel.setblocking(False)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    while not said.endswith(READY):
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            break
        try:
            more = channel.recv(65536)
        except ConnectionResetError:  # it ended without reading our line
            break
        said += more
        if not more:
            break
    if not said.endswith(READY):
        process.kill()
        process.wait()
        words = printable(said.decode("utf-8", "replace")).strip() or f"silent for {_SETUP:g} s or killed"
        raise InfraError(f"the sandbox for {task.command[0]!r} could not be set up: {words[-1000:]}")
    keeper = processes.descend(process.pid, launch.levels - 1)  # none: the program has ended already
    return Target(spawned=process.pid, keeper=keeper or process.pid, scratch=launch.scratch)


def _let_go(channel: socket.socket) -> None:
    """Let the program begin as soon as all stands; an error is told by what the sandbox says instead of being ready."""
    with contextlib.suppress(OSError):
        channel.send(GO)


def _kill(target: Target) -> None:
    """End the tree from its keeper: the namespace's first process, or everything below our own."""
    if target.keeper != target.spawned:
        with contextlib.suppress(ProcessLookupError):
            os.kill(target.keeper, signal.SIGKILL)
        return
    for pid in processes.Tree(root=target.spawned, skip=1).sample().pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _result(ending: Ending, pump: Pump, sandbox: str) -> RunResult:
    """The ending in the words of a run's result."""
    code = ending.code if ending.code >= 0 else 128 - ending.code
    code, meaning = shell_status(code)
    status, reason = ending.status, ending.reason
    if status is RunStatus.OK and code != 0:
        status, reason = RunStatus.FAILED, meaning
    return RunResult(
        status=status,
        reason=reason,
        exit_code=code,
        wall=ending.wall,
        cpu=ending.cpu,
        memory=ending.memory,
        log_bytes=pump.total,
        log_truncated=pump.truncated,
        tail=pump.tail(),
        sandbox=sandbox,
    )
