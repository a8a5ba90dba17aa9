"""Holds one program and everything it starts together where there is no sandbox; run as a script of its own.

The rule: it never outlives the controller, whose end of the channel on standard error closes when the controller dies.
It imports little, because every import here delays every run.

Arguments: bytes of the largest file, open files, CPU seconds (0: no limit), descriptor of the log, whether standard
output is the log (1 or 0), and the command.
"""

# ruff: noqa: SIM105, PTH110, PTH123, PTH208
import ctypes
import os
import resource
import select
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36


def hold(arguments: list[str]) -> int:
    """Run the command, end what it leaves behind, and return its exit status as a shell would."""
    largest, files, cpu, log, to_log = (int(each) for each in arguments[:5])
    _adopt_orphans()
    _limit(largest, files, cpu)
    try:
        os.write(2, b"ready\n")
    except OSError:
        return 125
    if os.read(2, 3) != b"go\n":
        return 125
    channel = os.dup(2)
    os.set_inheritable(channel, False)
    program = os.fork()
    if program == 0:
        _become(arguments[5:], log, to_log == 1)
    woken_read, woken_write = os.pipe()
    os.set_blocking(woken_write, False)
    signal.set_wakeup_fd(woken_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: _signal(program, signal.SIGTERM, group=True))
    status = _wait_for(program, channel, woken_read)
    _end_all(program)
    return status


def _become(command: list[str], log: int, to_log: bool) -> None:
    """In the child: session, descriptors, the command. Does not return."""
    os.setsid()
    os.dup2(log, 2)
    if to_log:
        os.dup2(log, 1)
    os.close(log)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _limit(largest: int, files: int, cpu: int) -> None:
    """Limits that the kernel holds for each process."""
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, largest), (resource.RLIMIT_NOFILE, files)]
    wanted += [(resource.RLIMIT_CPU, cpu)] if cpu else []
    for kind, value in wanted:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            pass  # a limit this system does not know, or one that is lower already


def _wait_for(program: int, channel: int, woken: int) -> int:
    """The program's exit status; 137 when the controller hung up or asked for the end."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == program:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            ready, _, _ = select.select([channel, woken], [], [])
            if channel in ready:
                return 137
            os.read(woken, 512)


def _end_all(program: int) -> None:
    """Kill the program's group and every process below this one until none is left."""
    _signal(program, signal.SIGKILL, group=True)
    while True:
        for pid in _below(os.getpid()):
            _signal(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        select.select([], [], [], 0.002)


def _below(root: int) -> list[int]:
    """Every process below `root`; none on systems without ``/proc``."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.exists("/proc/self/stat") else ():
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue
        if name.isdecimal():
            parents.setdefault(int(text[text.rindex(b")") + 2 :].split()[1]), []).append(int(name))
    found: list[int] = []
    queue = [root]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _signal(pid: int, number: int, *, group: bool = False) -> None:
    """Signal a process or a group that may be gone."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(hold(sys.argv[1:]))
