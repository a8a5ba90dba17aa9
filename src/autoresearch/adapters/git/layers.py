"""What the kernel's overlay file system leaves in an upper layer, read and written.

A whiteout hides a name of the lower layer, an opaque directory hides all of it; nothing else is understood.
"""

import os
import stat
from pathlib import Path

from autoresearch.domain.errors import InfraError

PREFIXES = ("user.overlay.", "trusted.overlay.")


def is_whiteout(status: os.stat_result, path: str) -> bool:
    """Whether the entry at `path` (of ``lstat`` result `status`) says: this name is deleted."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and _attribute(path, "whiteout") is not None


def is_opaque(directory: int) -> bool:
    """Whether an open directory hides the lower one. Raises `InfraError` for a mount that moved directories."""
    if _get(directory, "trusted.overlay.redirect") is not None:
        raise InfraError("a directory was moved by an overlay mounted with redirect_dir: mount with redirect_dir=off")
    return _attribute(directory, "opaque") == b"y"


def whiteout(path: str) -> None:
    """Write a whiteout at `path`. Raises `OSError` where the kernel or file system does not allow it."""
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def make_opaque(path: str) -> None:
    """Mark the directory at `path` as hiding the lower one, for either kind of mount."""
    done = False
    for prefix in PREFIXES:
        try:
            os.setxattr(path, prefix + "opaque", b"y", follow_symlinks=False)
        except OSError:
            continue
        done = True
    if not done:
        raise InfraError(f"{path}: the file system keeps no extended attributes, so overlays cannot be used on it")


def can_whiteout(directory: Path) -> bool:
    """Whether whiteouts can be written below `directory`, so that one kept checkout can serve several trees."""
    probe = directory / f".whiteout-{os.getpid()}"
    try:
        whiteout(str(probe))
    except OSError:
        return False
    probe.unlink()
    return True


def _attribute(place: str | int, name: str) -> bytes | None:
    for prefix in PREFIXES:
        if (value := _get(place, prefix + name)) is not None:
            return value
    return None


def _get(place: str | int, name: str) -> bytes | None:
    """An extended attribute of an open file, or of the very entry at a path; None when it has no such thing."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(place, name, follow_symlinks=isinstance(place, int))
    except OSError:
        return None
