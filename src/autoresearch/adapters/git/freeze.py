"""A workspace written as a tree by our own walk.

Nothing is followed and nothing is trusted but content: every file that could have been written is hashed; git is never
shown the workspace, so neither its attributes nor a planted ``.git`` mean anything.
"""

import errno
import os
import stat
from pathlib import Path

from autoresearch.adapters.git.command import machine
from autoresearch.adapters.git.layers import is_opaque, is_whiteout
from autoresearch.adapters.git.objects import (
    CACHED_BLOB,
    EXECUTABLE,
    GITLINK,
    PLAIN,
    SYMLINK,
    TREE,
    Entry,
    Objects,
    forbidden,
)
from autoresearch.domain.globs import Globs
from autoresearch.domain.model import Change
from autoresearch.ports import Frozen

MOST_TEXT = 1 << 20
MOST_DROPPED = 1000
MOST_DEPTH = 120
OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def freeze(objects: Objects, root: Path, *, lower: str | None, parent: str, editable: Globs, hidden: Globs) -> Frozen:
    """Write what lies at `root` (on top of the tree `lower`, if given) as a tree and compare it with `parent`.

    Raises `InfraError` when the disk fails or something still writes to the workspace.
    """
    walk = Walk(objects, editable, hidden, overlaid=lower is not None)
    with machine(f"freezing {root}"):
        directory = os.open(root, OPEN | os.O_DIRECTORY)
        try:
            tree = walk.directory(directory, lower, parent, "") or objects.write_tree({})
        finally:
            os.close(directory)
    dropped = sorted(walk.dropped)
    if len(dropped) > MOST_DROPPED:
        dropped[MOST_DROPPED:] = [f"… and {len(dropped) - MOST_DROPPED} more"]
    return Frozen(tree=tree, changes=tuple(walk.changes), dropped=tuple(dropped))


class Walk:
    """One pass over a workspace; gathers changes and dropped paths on its way."""

    def __init__(self, objects: Objects, editable: Globs, hidden: Globs, *, overlaid: bool) -> None:
        """Nothing is read yet; with `overlaid` the whiteouts and opaque directories of overlays are understood."""
        self.changes: list[Change] = []
        self.dropped: list[str] = []
        self._objects = objects
        self._editable = editable
        self._hidden = hidden
        self._overlaid = overlaid

    def directory(self, fd: int | None, lower: str | None, parent: str | None, at: str) -> str | None:
        """The tree of one directory, None when nothing is in it. `at` is its path with a final slash."""
        if fd is None and lower == parent:
            return parent
        upper = self._statuses(fd) if fd is not None else {}
        below = self._objects.tree(lower) if lower else {}
        before = self._objects.tree(parent) if parent else {}
        entries: dict[str, Entry] = {}
        for name in sorted(upper.keys() | below.keys() | before.keys()):
            old = before.get(name)
            if self._hidden.match(at + name):
                if fd is not None and name in upper:
                    self._note_hidden(fd, name, upper[name], at + name)
                entry = old
            elif forbidden(name):
                self.dropped.append(shown(at + name))
                entry = None
            elif name in upper:
                assert fd is not None
                entry = self._upper(fd, name, upper[name], below.get(name), old, at + name)
            else:
                entry = self._lower(below.get(name), old, at + name)
            if entry is not None:
                entries[name] = entry
        if parent and entries == before:
            return parent
        return self._objects.write_tree(entries) if entries else None

    def _statuses(self, fd: int) -> dict[str, os.stat_result]:
        with os.scandir(fd) as found:
            return {entry.name: entry.stat(follow_symlinks=False) for entry in found}

    def _note_hidden(self, fd: int, name: str, status: os.stat_result, path: str) -> None:
        """What was made where a hidden thing lies is left out; if empty, it was the mount point of a sandbox."""
        if stat.S_ISDIR(status.st_mode):
            inner = _open(name, OPEN | os.O_DIRECTORY, fd)
            try:
                if os.listdir(inner):  # noqa: PTH208 - an open handle, not a path
                    self.dropped.append(shown(path) + "/")
            finally:
                os.close(inner)
        elif stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_size):
            self.dropped.append(shown(path))

    # ------------------------------------------------------------ names that are not in the upper layer

    def _lower(self, low: Entry | None, old: Entry | None, path: str) -> Entry | None:
        if low is None or low.mode == GITLINK:
            return self._gone(old, path)
        if low.mode == TREE:
            below = old.oid if old and old.mode == TREE else None
            tree = self.directory(None, low.oid, below, path + "/")
            return self._placed(Entry(TREE, tree) if tree else None, old, path)
        if low == old:
            return old
        rest = self._gone(old, path) if old and old.mode == TREE else None
        if rest is not None or (_fresh(old) and not self._editable.match(path)):
            self.dropped.append(shown(path))
            return rest
        data = self._objects.blob(low.oid)
        self._note(path, old, low, len(data), data)
        return low

    def _gone(self, old: Entry | None, path: str) -> Entry | None:
        """What is left of `old` when its path no longer exists: hidden files and submodules stay."""
        if old is None or old.mode == GITLINK:
            return old
        if old.mode == TREE:
            tree = self.directory(None, None, old.oid, path + "/")
            return Entry(TREE, tree) if tree else None
        self.changes.append(Change(path=shown(path), status="deleted", kind=old.kind, executable=old.executable))
        return None

    def _placed(self, entry: Entry | None, old: Entry | None, path: str) -> Entry | None:
        """`entry`, a directory, where the parent had `old`: a file that it replaced is a deletion."""
        if old is not None and old.mode == GITLINK:
            return old
        if old is not None and old.mode != TREE:
            self._gone(old, path)
        return entry

    # ------------------------------------------------------------ names in the upper layer

    def _upper(
        self, fd: int, name: str, status: os.stat_result, low: Entry | None, old: Entry | None, path: str
    ) -> Entry | None:
        if self._overlaid and is_whiteout(status, f"/proc/self/fd/{fd}/{name}"):
            return self._gone(old, path)
        if stat.S_ISDIR(status.st_mode):
            return self._upper_directory(fd, name, low, old, path)
        rest = self._gone(old, path) if old and old.mode == TREE else None
        if rest is not None or (_fresh(old) and not self._editable.match(path)):
            self.dropped.append(shown(path))
            return rest
        if stat.S_ISREG(status.st_mode):
            return self._file(fd, name, old, path)
        if stat.S_ISLNK(status.st_mode):
            return self._link(fd, name, old, path)
        self.changes.append(Change(path=shown(path), status=_status(old), kind="other"))
        return None

    def _upper_directory(self, fd: int, name: str, low: Entry | None, old: Entry | None, path: str) -> Entry | None:
        inner = _open(name, OPEN | os.O_DIRECTORY, fd)
        try:
            lower = low.oid if low and low.mode == TREE else None
            if self._overlaid and is_opaque(inner):
                lower = None
            barren = old is None and lower is None and not self._editable.below(path)
            if barren or (old and old.mode == GITLINK) or path.count("/") >= MOST_DEPTH:
                if os.listdir(inner):  # noqa: PTH208 - an open handle, not a path
                    self.dropped.append(shown(path) + "/")
                return old
            below = old.oid if old and old.mode == TREE else None
            tree = self.directory(inner, lower, below, path + "/")
        finally:
            os.close(inner)
        return self._placed(Entry(TREE, tree) if tree else None, old, path)

    def _file(self, fd: int, name: str, old: Entry | None, path: str) -> Entry:
        source = _open(name, OPEN, fd)
        try:
            status = os.fstat(source)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EBUSY, "was replaced while it was read", path)
            data = _content(source, status.st_size) if status.st_size <= CACHED_BLOB else None
            if data is not None:
                oid = self._objects.name("blob", data)
            else:
                oid = self._objects.name_file(source, status.st_size)
            entry = Entry(_mode(old, executable=bool(status.st_mode & stat.S_IXUSR)), oid)
            if entry == old:
                return entry
            if old is None or oid != old.oid:
                if data is not None:
                    self._objects.write("blob", data)
                else:
                    self._objects.write_file(source, status.st_size)
        finally:
            os.close(source)
        self._note(path, old, entry, status.st_size, data)
        return entry

    def _link(self, fd: int, name: str, old: Entry | None, path: str) -> Entry:
        target = os.fsencode(os.readlink(name, dir_fd=fd))
        entry = Entry(SYMLINK, self._objects.name("blob", target))
        if entry != old:
            self._objects.write("blob", target)
            self._note(path, old, entry, len(target), None)
        return entry

    def _note(self, path: str, old: Entry | None, new: Entry, size: int, data: bytes | None) -> None:
        self.changes.append(
            Change(
                path=shown(path),
                status=_status(old),
                kind=new.kind,
                size=size,
                executable=new.executable,
                text=_text(data) if new.kind == "file" else None,
            )
        )


def shown(path: str) -> str:
    """A path as text that can be stored anywhere: bytes that are no UTF-8 become ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _fresh(old: Entry | None) -> bool:
    """Whether the parent has no file at the path."""
    return old is None or old.mode == TREE


def _status(old: Entry | None) -> str:
    return "added" if _fresh(old) else "modified"


def _mode(old: Entry | None, *, executable: bool) -> int:
    if old is not None and old.kind == "file" and old.executable == executable:
        return old.mode
    return EXECUTABLE if executable else PLAIN


def _text(data: bytes | None) -> str | None:
    if data is None or len(data) > MOST_TEXT or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _content(source: int, size: int) -> bytes:
    """Exactly `size` bytes of an open file. Raises `OSError` when it has changed length."""
    data = os.read(source, size + 1)
    while len(data) < size and (more := os.read(source, size + 1 - len(data))):
        data += more
    if len(data) != size:
        raise OSError(errno.EBUSY, "a file changed while it was read: something still writes to the workspace")
    return data


def _open(name: str, flags: int, directory: int) -> int:
    """Open a name of an open directory without following it; one closed to us is opened up first."""
    try:
        return os.open(name, flags, dir_fd=directory)
    except PermissionError:
        mode = 0o700 if flags & os.O_DIRECTORY else os.lstat(name, dir_fd=directory).st_mode & 0o777 | 0o400
        if hasattr(os, "O_PATH"):
            handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.chmod(f"/proc/self/fd/{handle}", mode)  # noqa: PTH101 - an open handle, not a path
            finally:
                os.close(handle)
        else:
            os.chmod(name, mode, dir_fd=directory, follow_symlinks=False)
        return os.open(name, flags, dir_fd=directory)
