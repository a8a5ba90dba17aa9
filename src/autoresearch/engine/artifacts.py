"""What a run leaves behind, made safe to read: regular files and directories, and nothing that leads elsewhere.

A link to a place outside would let a trial choose what the scorer opens, or where we write: none survives, and what is
copied in never goes through one. It is called when all processes of the run are gone.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from autoresearch.domain.errors import InfraError

_MACHINE = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)
)


def take_in(workspace: Path, artifacts: Path, wanted: Callable[[str], bool]) -> str:
    """Make `artifacts` safe to read and copy what is `wanted` of the workspace into it.

    What the run wrote there itself goes before a file of the workspace. Returns why it cannot be read (too deep, say),
    which is the run's own doing, or "". Raises `InfraError` when the machine is at fault.
    """
    try:
        _settle(artifacts)
        _collect(workspace, artifacts, wanted)
    except OSError as error:
        if error.errno in _MACHINE:
            raise InfraError(f"cannot take in the artifacts of a run below {artifacts.parent}: {error}") from error
        return f"what it left cannot be read: {error.strerror}"
    return ""


def remove(directory: Path) -> None:
    """Remove a directory and all below it, whatever depth or permissions a run left there."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        for call in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*call, "--", str(directory)], capture_output=True, check=False)


def _settle(artifacts: Path) -> None:
    """Remove links that lead outside, pipes, sockets and devices; let us read the rest."""
    top, links, pending = os.path.realpath(artifacts), [], [str(artifacts)]
    while pending:
        here = pending.pop()
        os.chmod(here, 0o700)  # noqa: PTH101 - for every run: no Path objects
        with os.scandir(here) as found:
            for entry in found:
                if entry.is_symlink():
                    links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    os.chmod(entry.path, 0o600)  # noqa: PTH101
                else:
                    os.unlink(entry.path)  # noqa: PTH108
    for link in [each for each in links if not _leads_inside(each, top)]:
        os.unlink(link)  # noqa: PTH108


def _leads_inside(link: str, top: str) -> bool:
    """Whether a link leads to something below `top`, however many links are on the way."""
    try:
        return os.path.realpath(link, strict=True).startswith(f"{top}/")
    except OSError:
        return False


def _collect(workspace: Path, artifacts: Path, wanted: Callable[[str], bool]) -> None:
    """Copy what is wanted: regular files only; links are not followed on either side."""
    pending = [str(workspace)]
    while pending:
        here = pending.pop()
        os.chmod(here, 0o700)  # noqa: PTH101
        with os.scandir(here) as found:
            for entry in found:
                if entry.name == ".git" or entry.is_symlink():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    path = os.path.relpath(entry.path, workspace)
                    if wanted(path):
                        _copy(entry.path, artifacts, path)


def _copy(source: str, artifacts: Path, path: str) -> None:
    """Copy a file to `path` below `artifacts`, unless something lies there or in its way."""
    target = artifacts / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(artifacts.resolve()):
            return
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (FileExistsError, NotADirectoryError):
        return
    os.chmod(source, 0o600)  # noqa: PTH101 - the workspace is thrown away
    with os.fdopen(opened, "wb") as out, open(source, "rb") as data:  # noqa: PTH123
        shutil.copyfileobj(data, out, 1 << 20)
