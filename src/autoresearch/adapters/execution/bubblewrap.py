"""The sandbox `bubblewrap`: namespaces, an allow-list of mounts, no capabilities, nothing that survives.

The rule: what is not shown does not exist inside, and hidden paths win over everything shown.

Layout inside: the workspace at ``/autoresearch/work``, AUTORESEARCH_OUT at ``/autoresearch/out``, an empty HOME at
``/autoresearch/home``, private ``/tmp`` and ``/dev/shm`` in memory; everything else is read-only. ``/proc`` is too:
started by root, a process without capabilities may still write system settings there (such as the command that the
kernel runs for a core dump), because it has root's user number.

Process 1 inside is a shell that waits for the program. When it ends the kernel ends everything else in the namespace
before its parent hears of it, so the parent's CPU accounting is complete and no process outlives the run.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from autoresearch.adapters.execution import front, mounts
from autoresearch.adapters.execution.launch import Launch, budget_text, task_limit, thread_env
from autoresearch.adapters.execution.masks import stdlib_dirs
from autoresearch.adapters.execution.mounts import HOME, METRICS, OUT, WORK, Shown, View
from autoresearch.domain.errors import InfraError
from autoresearch.ports import Task, Workspace

_PATH = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
_FILES = 16384
"""Open files per process, at most."""
_FEW = 6
"""Up to so many hidden files of one directory are single mounts."""

_NAMESPACES = (
    "--unshare-user", "--uid", "65534", "--gid", "65534", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
    "--unshare-cgroup-try", "--hostname", "autoresearch", "--die-with-parent", "--new-session", "--as-pid-1",
    "--cap-drop", "ALL", "--clearenv",
)  # fmt: skip

_SEAL = ("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/")
"""Arguments that make everything read-only that is not the run's own."""

_KEEPER = """ulimit -c 0
ulimit -f {blocks}
ulimit -n {files}
{tasks}
echo ready >&2 || exit 125
read -r go <&2 || exit 125
"$@" {redirect}
exit $?"""


@cache
def accelerators() -> tuple[str, ...]:
    """Device files for computing on NVIDIA and AMD cards; none that drive a display."""
    found = sorted(Path("/dev").glob("nvidia*"))
    if Path("/dev/kfd").exists():
        found += [Path("/dev/kfd"), *sorted(Path("/dev/dri").glob("renderD*"))]
    return tuple(str(each) for each in found)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """Starts tasks through ``bwrap``. `tool` is its path; by default it is looked for on PATH."""

    tool: str = field(default_factory=lambda: shutil.which("bwrap") or "bwrap")
    devices: tuple[str, ...] = field(default_factory=accelerators)
    """Device files shown beside ``/dev/null`` and its like: graphics cards for computing, where there are any."""

    @property
    def name(self) -> str:
        """Its name in reports."""
        return "bubblewrap"

    @property
    def safe(self) -> bool:
        """True: untrusted code is held in."""
        return True

    def protects(self) -> Sequence[tuple[str, bool]]:
        """What it does and does not protect on this machine."""
        return (
            ("A run sees only the system, the interpreter, its workspace and declared inputs.", True),
            ("Hidden files and directories are empty inside, bytecode included.", True),
            ("A run has no network, unless the spec grants it.", True),
            ("A run inherits no environment variable that the spec does not name.", True),
            ("A run cannot see other processes, and none of its own outlives it, even if we are killed.", True),
            ("A run holds no capability and cannot get one in a namespace of its own.", _no_nesting(self.tool)),
            ("CPU, wall-clock time, memory, processes, disk and log are limited from outside.", True),
            ("A hole in the kernel itself: a virtual machine would be needed against that.", False),
        )

    def prepare(self, task: Task, log: int) -> Launch:
        """The launch of `task`. Raises `InfraError` for a path that is not there or cannot be shown."""
        plan = _Plan(task, sized="--size" in _options(self.tool))
        script, hidden = _hide(plan.views, task)
        if task.workspace is not None and task.workspace.lower is not None:
            script = front.overlay_script(task.workspace.root.resolve(), task.workspace.lower.resolve()) + script
        devices = [word for device in self.devices for word in ("--dev-bind", device, device)]
        words = [*plan.arguments, *devices, *hidden, *_SEAL, *_environment(task, plan.path)]
        listing = _memory_file(b"".join(os.fsencode(word) + b"\0" for word in words))
        command = (
            self.tool, *_NAMESPACES, *(() if task.network else ("--unshare-net",)),
            *(("--disable-userns",) if _no_nesting(self.tool) else ()),
            "--args", str(listing), "--", "/bin/sh", "-c", _keeper(task, log), "sh", *task.command,
        )  # fmt: skip
        inherited = (listing, *plan.descriptors)
        return Launch(
            argv=front.wrap(script, command),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            cwd=Path("/"),
            descriptors=inherited,
            levels=2,
            scratch=("/tmp", HOME, "/dev/shm"),
        )


class _Plan:
    """What a task shows, in the order of mounting."""

    def __init__(self, task: Task, *, sized: bool) -> None:
        self.descriptors: list[int] = []
        self._size = ("--size", str(task.budget.memory)) if sized else ()
        system, interpreter, declared = mounts.system(), mounts.interpreter(), mounts.declared(task.mounts)
        self.path = (*declared.path, *interpreter.path)
        self.views: list[View] = [*system.views, *interpreter.views, *declared.views]
        self.arguments: list[str] = [*system.arguments, *self._made_up()]
        if task.network:
            self.arguments += mounts.network()
        self.arguments += ["--proc", "/proc", "--dev", "/dev"]
        for place in ("/tmp", HOME, "/dev/shm"):
            self.arguments += ["--perms", "0700" if place == HOME else "1777", *self._size, "--tmpfs", place]
        self.arguments += interpreter.arguments  # after the empty /tmp: an environment may lie in there
        self._places(task, declared)
        self.arguments += ["--chdir", WORK]

    def _made_up(self) -> list[str]:
        """Users, groups and hosts as a run sees them."""
        arguments: list[str] = []
        for name, text in mounts.etc_files().items():
            self.descriptors.append(_memory_file(text))
            arguments += ["--perms", "0444", "--file", str(self.descriptors[-1]), f"/etc/{name}"]
        return arguments

    def _places(self, task: Task, declared: Shown) -> None:
        """Workspace, inputs, out and metrics."""
        if task.workspace is None:
            self.arguments += [*self._size, "--tmpfs", WORK]
        else:
            self.arguments += ["--bind", str(task.workspace.root.resolve()), WORK]
            self.views += _workspace_views(task.workspace)
        self.arguments += declared.arguments
        if not task.writable_workspace:
            self.arguments += ["--remount-ro", WORK]
        for source, target in ((task.out, OUT), (task.metrics, METRICS)):
            if source is not None:
                if not source.exists():
                    raise InfraError(f"{source} is not there: make it before the run")
                self.arguments += ["--bind", str(source.resolve()), target]
                self.views.append(View(source=source.resolve(), target=target))


def _workspace_views(workspace: Workspace) -> list[View]:
    """The layers of a workspace, both shown at its place."""
    layers = [workspace.root] + ([workspace.lower] if workspace.lower is not None else [])
    return [View(source=each.resolve(), target=WORK) for each in layers]


def _hide(views: Sequence[View], task: Task) -> tuple[list[str], list[str]]:
    """Shell lines for hidden files of which there are many in one place, and arguments for all others."""
    if not task.masked:
        return [], []
    lines, rest = _layered(task.masked, tuple(mount.source.expanduser() for mount in task.mounts))
    own = _own_places(task)
    single: dict[str, bool] = {}
    for path in dict.fromkeys(each.expanduser().resolve() for each in rest):
        if path.exists():
            single.update(_targets(views, path, own))
    return list(lines), [word for target in sorted(single) for word in _cover(target, single[target])]


@lru_cache(maxsize=8)
def _layered(masked: tuple[Path, ...], inputs: tuple[Path, ...]) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """Shell lines that hide the many files of a standard library at once, and what is left to be hidden singly.

    Remembered, because it is the same for every run of a study. The lines hide a file whether it is there or not, so
    bytecode that is written later is hidden too.
    """
    layers: dict[Path, list[Path]] = {}
    rest: list[Path] = []
    for path in masked:
        real = path.expanduser().resolve()
        host = next((each for each in stdlib_dirs(inputs) if real.is_relative_to(each) and real != each), None)
        if host is None or real.is_dir():
            rest.append(path)
        else:
            layers.setdefault(host, []).append(real)
    for host in list(layers):
        if len(layers[host]) <= _FEW or not (front.masks_supported() and front.layerable(host)):
            rest += layers.pop(host)
    names = {host: [str(path.relative_to(host)) for path in dict.fromkeys(paths)] for host, paths in layers.items()}
    return tuple(front.masks_script(names)), tuple(rest)


def _own_places(task: Task) -> set[Path]:
    """Places given for this run itself: hiding a directory around them does not hide them."""
    workspace = task.workspace
    given = [task.out, task.metrics, workspace.root if workspace else None, workspace.lower if workspace else None]
    return {each.resolve() for each in given if each is not None}


def _targets(views: Sequence[View], path: Path, own: set[Path]) -> dict[str, bool]:
    """Where `path` would be seen inside, and whether it is a directory there."""
    found: dict[str, bool] = {}
    for view in views:
        if path == view.source or path.is_relative_to(view.source):
            relative = path.relative_to(view.source)
            target = view.target if relative == Path() else f"{view.target}/{relative}"
            found[target] = path.is_dir()
        elif view.source.is_relative_to(path) and view.source not in own:
            found[view.target] = view.source.is_dir()
    return found


def _cover(target: str, directory: bool) -> tuple[str, ...]:
    """Arguments that show `target` empty."""
    if directory:
        return ("--perms", "0755", "--tmpfs", target, "--remount-ro", target)
    return ("--ro-bind", str(mounts.BLANK), target)


def _environment(task: Task, path: Sequence[str]) -> list[str]:
    """Arguments that set the allow-list environment."""
    values = {
        "PATH": ":".join(dict.fromkeys((*path, *_PATH))),
        "HOME": HOME,
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "AUTORESEARCH_BUDGET": budget_text(task),
        **({"AUTORESEARCH_OUT": OUT} if task.out is not None else {}),
        **({"AUTORESEARCH_METRICS": METRICS} if task.metrics is not None else {}),
        **thread_env(task.threads),
        **task.env,
    }
    return [word for name, value in values.items() for word in ("--setenv", name, value)]


def _keeper(task: Task, log: int) -> str:
    """The shell text of process 1. Its standard error is the channel to the executor until the program starts."""
    redirect = "2>&1" if task.stdout is None else f"2>/proc/self/fd/{log}"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    blocks = max(1, task.budget.disk // 512)
    return _KEEPER.format(blocks=blocks, files=files, tasks=_task_limit(task), redirect=redirect)


def _task_limit(task: Task) -> str:
    """Shell text that limits tasks; empty for root, to whom the kernel does not apply it, and before Linux 5.14.

    From that version on tasks are counted for each user namespace, before it for all that a user runs. Some shells
    call the limit ``-u`` and some ``-p``, and end at a name they do not know.
    """
    version = [int(part) for part in os.uname().release.split("-")[0].split(".")[:2] if part.isdecimal()]
    if os.geteuid() == 0 or version < [5, 14]:
        return ":"
    limit = task_limit(task.budget)
    return f"if (ulimit -u {limit}) 2> /dev/null; then ulimit -u {limit}; else ulimit -p {limit}; fi"


def _memory_file(data: bytes) -> int:
    """A descriptor from which a child can read `data`."""
    descriptor = os.memfd_create("autoresearch")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@cache
def _no_nesting(tool: str) -> bool:
    """Whether this bubblewrap can switch user namespaces off inside, tried once."""
    command = (tool, "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "/bin/sh", "-c", ":")
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@cache
def _options(tool: str) -> frozenset[str]:
    """The options this bubblewrap knows."""
    try:
        done = subprocess.run((tool, "--help"), capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(word for word in (done.stdout + done.stderr).split() if word.startswith("--"))
