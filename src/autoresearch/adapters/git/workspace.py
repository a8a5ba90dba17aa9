"""A workspace's files, read and written by us without following a link out of it.

What an untrusted program left there is only ever reached name by name, from an open directory.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from autoresearch.adapters.git.command import machine
from autoresearch.adapters.git.layers import is_opaque, is_whiteout, make_opaque, whiteout
from autoresearch.adapters.git.objects import forbidden

HERE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A disposable checkout (implements `ports.Workspace`).

    With `lower`, `root` is the upper layer of an overlay and its sibling ``work`` may serve as the mount's workdir.
    """

    tree: str
    root: Path
    lower: Path | None
    base: str | None
    """The tree that `lower` was made from."""
    below: Callable[[], Sequence[str]]
    """The regular files of `lower`."""

    def files(self) -> Sequence[str]:
        """Every regular file in it, sorted; what lies in a ``.git`` is left out."""
        with _directory(str(self.root)) as top:
            found, hides = _scan(top, "", overlaid=self.lower is not None)
        if self.lower is not None:
            return sorted([*(path for path in self.below() if not _hidden(path, hides)), *found])
        return sorted(found)

    def read(self, path: str) -> str:
        """The UTF-8 text of a file (undecodable bytes are replaced). Raises `KeyError` for no regular file of it."""
        parts = _parts(path)
        data = _read(self.root, parts, overlaid=self.lower is not None)
        if data is None and self.lower is not None:
            data = _read(self.lower, parts, overlaid=False)
        if not isinstance(data, bytes):
            raise KeyError(path)
        return data.decode("utf-8", "replace")

    def write(self, path: str, text: str) -> None:
        """Replace or create a file; the mode of one that is replaced stays. Raises `KeyError` for no possible file."""
        self.put(path, text.encode())

    def put(self, path: str, data: bytes, *, executable: bool | None = None) -> None:
        """Like `write`, for any content; `executable` None leaves the mode as it was."""
        parts = _parts(path)
        mode = 0o644
        if self.lower is not None:
            mode = _file_mode(self.lower, parts, mode)
        try:
            with (
                machine(f"writing {path} to {self.root}"),
                _made(self.root, parts[:-1], overlaid=self.lower is not None) as directory,
            ):
                _replace(directory, parts[-1], data, mode, executable)
        except BlockedError as error:
            raise KeyError(path) from error

    def delete(self, path: str) -> None:
        """Remove a regular file, in whichever layer it lies. Raises `KeyError` where there is none."""
        parts = _parts(path)
        overlaid = self.lower is not None
        above = _read(self.root, parts, overlaid=overlaid)
        below = _read(self.lower, parts, overlaid=False) if self.lower is not None else None
        if isinstance(above, Gone) or (above is None and not isinstance(below, bytes)):
            raise KeyError(path)
        with (
            machine(f"deleting {path} from {self.root}"),
            _made(self.root, parts[:-1], overlaid=overlaid) as directory,
        ):
            if above is not None:
                os.unlink(parts[-1], dir_fd=directory)
            if below is not None:
                whiteout(f"/proc/self/fd/{directory}/{parts[-1]}")


class BlockedError(Exception):
    """Something that is no directory lies where one is needed, or a directory where a file is."""


class Gone:
    """What `_read` answers when a path is known not to be a regular file, whatever lies below."""


GONE = Gone()


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") or "\0" in part or forbidden(part) for part in parts):
        raise KeyError(path)
    return parts


@contextmanager
def _directory(name: str, parent: int | None = None) -> Iterator[int]:
    fd = os.open(name, HERE, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _scan(fd: int, at: str, *, overlaid: bool) -> tuple[set[str], dict[str, bool]]:
    """The regular files of a directory, and which paths of the lower layer are hidden (True: all below them, too)."""
    files: set[str] = set()
    hides: dict[str, bool] = {}
    with os.scandir(fd) as found:
        entries = list(found)
    for entry in entries:
        path = at + entry.name
        if forbidden(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            with suppress(PermissionError), _directory(entry.name, fd) as inner:
                hides[path] = overlaid and is_opaque(inner)
                more, deeper = _scan(inner, path + "/", overlaid=overlaid)
                files |= more
                hides |= deeper
            continue
        if overlaid:
            hides[path] = True
            if is_whiteout(entry.stat(follow_symlinks=False), f"/proc/self/fd/{fd}/{entry.name}"):
                continue
        if entry.is_file(follow_symlinks=False):
            files.add(path)
    return files, hides


def _hidden(path: str, hides: dict[str, bool]) -> bool:
    """Whether the upper layer hides the lower one's file at `path`."""
    if not hides:
        return False
    if path in hides:
        return True
    end = path.rfind("/")
    while end > 0:
        if hides.get(path[:end]):
            return True
        end = path.rfind("/", 0, end)
    return False


def _read(root: Path, parts: Sequence[str], *, overlaid: bool) -> bytes | Gone | None:
    """A file's content; None when a lower layer is to be asked."""
    with _directory(str(root)) as top:
        return _read_in(top, parts, overlaid=overlaid, missing=None)


def _read_in(fd: int, parts: Sequence[str], *, overlaid: bool, missing: Gone | None) -> bytes | Gone | None:
    name = parts[0]
    try:
        status = os.lstat(name, dir_fd=fd)
    except FileNotFoundError:
        return missing
    if overlaid and is_whiteout(status, f"/proc/self/fd/{fd}/{name}"):
        return GONE
    if len(parts) == 1:
        return _content(fd, name) if stat.S_ISREG(status.st_mode) else GONE
    if not stat.S_ISDIR(status.st_mode):
        return GONE
    with _directory(name, fd) as inner:
        if overlaid and is_opaque(inner):
            missing = GONE
        return _read_in(inner, parts[1:], overlaid=overlaid, missing=missing)


def _content(fd: int, name: str) -> bytes | Gone:
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError:
        return GONE
    with os.fdopen(source, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(source).st_mode) else GONE


def _file_mode(root: Path, parts: Sequence[str], default: int) -> int:
    """Permissions of a regular file of a trusted checkout, `default` when there is none."""
    try:
        status = os.lstat(root.joinpath(*parts))
    except OSError:
        return default
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else default


@contextmanager
def _made(root: Path, parts: Sequence[str], *, overlaid: bool) -> Iterator[int]:
    """The directory at `parts`, made where it is missing. Raises `BlockedError` when that cannot be."""
    fd = os.open(root, HERE)
    try:
        for name in parts:
            inner = _entered(fd, name, overlaid=overlaid)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def _entered(fd: int, name: str, *, overlaid: bool) -> int:
    deleted = False
    with suppress(FileNotFoundError):
        status = os.lstat(name, dir_fd=fd)
        if overlaid and is_whiteout(status, f"/proc/self/fd/{fd}/{name}"):
            os.unlink(name, dir_fd=fd)
            deleted = True
        elif not stat.S_ISDIR(status.st_mode):
            raise BlockedError(name)
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=fd)
    if deleted:
        make_opaque(f"/proc/self/fd/{fd}/{name}")
    return os.open(name, HERE, dir_fd=fd)


def _replace(fd: int, name: str, data: bytes, mode: int, executable: bool | None) -> None:
    """Put a file at `name` by renaming, so that nothing there is written through."""
    with suppress(FileNotFoundError):
        status = os.lstat(name, dir_fd=fd)
        if stat.S_ISDIR(status.st_mode):
            raise BlockedError(name)
        if stat.S_ISREG(status.st_mode) and not is_whiteout(status, f"/proc/self/fd/{fd}/{name}"):
            mode = stat.S_IMODE(status.st_mode)
    if executable is not None:
        mode = 0o755 if executable else 0o644
    temporary = f".{os.urandom(8).hex()}"
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=fd)
    with os.fdopen(target, "wb") as file:
        file.write(data)
        os.fchmod(target, mode & 0o777)
    os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
