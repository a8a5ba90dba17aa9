"""A step in front of bubblewrap: mounts made in a private mount namespace that dies with the processes in it.

The rule: nothing mounted here is visible on the machine, and nothing is left of it when everything is killed.

Two things need it. A workspace in layers is an overlay file system. And many hidden files in one directory are one
overlay whose upper layer holds empty files: as single mounts, 150 of them cost ten times a sandbox's start, because
bubblewrap reads the table of mounts again for each.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from autoresearch.domain.errors import InfraError

_STAGE = "/sys"
"""Covered, in the private namespace alone, by the file system that holds the empty files; it exists everywhere."""

_SPECIAL = frozenset(":,\\\"'\n")
"""Characters that mean something in the options of an overlay."""


def unshare() -> tuple[str, ...]:
    """The command that makes a private mount namespace; inside a user namespace unless we are root."""
    tool = shutil.which("unshare") or "/usr/bin/unshare"
    return (tool, "--mount") if os.geteuid() == 0 else (tool, "--user", "--map-root-user", "--mount")


def overlay_script(root: Path, lower: Path) -> list[str]:
    """Shell lines that mount `root` as upper layer over `lower`, at `root`.

    The kernel keeps notes in ``work`` beside `root`. Raises `InfraError` for paths that an overlay cannot name.
    """
    work = root.parent / "work"
    work.mkdir(exist_ok=True)
    below = os.path.relpath(lower, root.parent)
    if _SPECIAL & set(below + root.name):
        raise InfraError(f"workspace {root} over {lower}: the path between them must not hold any of : , \\ ' \"")
    options = f"lowerdir={below},upperdir={root.name},workdir=work,userxattr"
    place = shlex.quote(f"./{root.name}")
    return [f"cd {shlex.quote(str(root.parent))}", f"mount -t overlay -o {shlex.quote(options)} overlay {place}"]


def masks_script(layers: Mapping[Path, Sequence[str]]) -> list[str]:
    """Shell lines that show the files `layers[directory]` (relative names) of each directory empty."""
    if not layers:
        return []
    lines = [f"mount -t tmpfs -o size=16m,mode=755 tmpfs {_STAGE}"]
    parents = {f"{_STAGE}/{number}" for number in range(len(layers))}
    for number, names in enumerate(layers.values()):
        parents.update(os.path.dirname(f"{_STAGE}/{number}/{name}") for name in names)  # noqa: PTH120
    lines.append("mkdir -p " + " ".join(shlex.quote(each) for each in sorted(parents)))
    for number, (directory, names) in enumerate(layers.items()):
        lines += [f"cd {_STAGE}/{number}", "touch -- " + " ".join(shlex.quote(name) for name in names)]
        options = f"ro,lowerdir={_STAGE}/{number}:{directory}"
        lines.append(f"mount -t overlay -o {shlex.quote(options)} overlay {shlex.quote(str(directory))}")
    return lines


def wrap(script: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
    """`command` run after the lines of `script` in a private mount namespace; `command` itself without any."""
    if not script:
        return tuple(command)
    text = "\n".join(["set -e", *script, 'cd /; exec "$@"'])
    return (*unshare(), "/bin/sh", "-c", text, "sh", *command)


def layerable(directory: Path) -> bool:
    """Whether an overlay can stand in for this directory: a plain name, and nothing mounted below it."""
    if _SPECIAL & set(str(directory)):
        return False
    prefix = f"{directory}/"
    try:
        table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    return not any(line.split(" ")[4].startswith(prefix) for line in table.splitlines())


@cache
def overlay_supported(where: Path | None = None) -> bool:
    """Whether workspaces in layers work in `where` (None: a temporary directory), tried once with a real mount."""
    try:
        with tempfile.TemporaryDirectory(prefix="autoresearch-", dir=where) as place:
            root, lower = Path(place) / "root", Path(place) / "lower"
            root.mkdir()
            lower.mkdir()
            (lower / "old").write_text("old")
            script = overlay_script(root, lower)
            inside = f"cd {shlex.quote(str(root))} && rm old && mkdir dir && echo new > dir/new && ! test -e old"
            held = _works(wrap(script, ("/bin/sh", "-c", inside))) and (root / "dir" / "new").is_file()
            open_up(root)
            return held and (lower / "old").is_file()
    except OSError:
        return False


@cache
def masks_supported() -> bool:
    """Whether a read-only overlay of the kind that hides files works here, tried once."""
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as place:
        directory = Path(place).resolve()
        (directory / "secret").write_text("secret")
        script = masks_script({directory: ("secret",)})
        inside = f"test -f {directory}/secret && ! test -s {directory}/secret"
        return layerable(directory) and _works(wrap(script, ("/bin/sh", "-c", inside)))


def _works(command: Sequence[str]) -> bool:
    """Whether a command ends well within ten seconds."""
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def open_up(root: Path) -> None:
    """Let the kernel's notes beside `root` be removed by whoever made `root`: it leaves them without permissions."""
    inner = root.parent / "work" / "work"
    if inner.is_dir():
        inner.chmod(0o700)
