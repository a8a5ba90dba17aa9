"""The objects of the trusted store: blobs, trees and commits, read and written without starting git each time.

Reads go through one long-lived ``git cat-file``; writes are loose objects made here (temporary file, journal, rename).
"""

import hashlib
import os
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from autoresearch.adapters.git.command import git
from autoresearch.adapters.git.journal import Journal, replay
from autoresearch.adapters.git.reader import CHUNK, Reader
from autoresearch.domain.errors import InfraError

TREE, GITLINK, SYMLINK, PLAIN, EXECUTABLE = 0o040000, 0o160000, 0o120000, 0o100644, 0o100755
CACHED_BYTES = 32 << 20
CACHED_BLOB = 4 << 20
CACHED_TREES = 8_000
CACHED_SIZES = 50_000


class Entry(NamedTuple):
    """One line of a tree: git's mode and the object's name."""

    mode: int
    oid: str

    @property
    def kind(self) -> str:
        """``tree``, ``gitlink``, ``symlink`` or ``file``."""
        return {TREE: "tree", GITLINK: "gitlink", SYMLINK: "symlink"}.get(self.mode, "file")

    @property
    def executable(self) -> bool:
        """Whether the owner may execute it."""
        return self.kind == "file" and bool(self.mode & 0o100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How many files a tree holds, at every depth, and their bytes."""

    files: int
    size: int


class Objects:
    """The object database at `directory` (a bare repository). Safe for threads and for forks."""

    def __init__(self, directory: Path) -> None:
        """Open the existing bare repository at `directory`."""
        self.directory = directory
        self.format = git(["rev-parse", "--show-object-format"], cwd=directory, own=True).decode().strip()
        self.width = 32 if self.format == "sha256" else 20
        self.written = 0
        self.journal = Journal(directory / "autoresearch-journal")
        self._lock = threading.RLock()
        self._contents = Reader(directory, "--batch")
        self._headers = Reader(directory, "--batch-check")
        self._trees: OrderedDict[str, Mapping[str, Entry]] = OrderedDict()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._held = 0
        self._sizes: dict[str, int] = {}
        self._extents: dict[str, Extent] = {}

    def close(self) -> None:
        """End the helper processes; a later read starts them anew."""
        self._contents.close()
        self._headers.close()
        self.journal.close()

    # ------------------------------------------------------------ reading

    def blob(self, oid: str) -> bytes:
        """The content of a blob. Raises `InfraError` when it is missing or damaged."""
        with self._lock:
            if (held := self._blobs.get(oid)) is not None:
                self._blobs.move_to_end(oid)
                return held
            data = self._contents.read(oid, "blob")
            self._remember(oid, data)
            return data

    def tree(self, oid: str) -> Mapping[str, Entry]:
        """The entries of a tree (not its subtrees' own) by name, in git's order."""
        with self._lock:
            if (held := self._trees.get(oid)) is not None:
                self._trees.move_to_end(oid)
                return held
            entries = parse_tree(self._contents.read(oid, "tree"), self.width)
            self._trees[oid] = entries
            if len(self._trees) > CACHED_TREES:
                self._trees.popitem(last=False)
            return entries

    def commit(self, oid: str) -> tuple[str, bytes]:
        """A commit's tree and raw text."""
        with self._lock:
            raw = self._contents.read(oid, "commit")
        return raw.split(b"\n", 1)[0].split(b" ")[1].decode(), raw

    def copy(self, oid: str, target: int) -> None:
        """Write a blob's content to the file descriptor `target`; a large one never lies in memory whole."""
        with self._lock:
            if oid in self._blobs or self.size(oid) <= CACHED_BLOB:
                view = memoryview(self.blob(oid))
                while view:
                    view = view[os.write(target, view) :]
            else:
                self._contents.copy(oid, target)

    def size(self, oid: str) -> int:
        """Bytes of a blob."""
        return self.sizes([oid])[oid]

    def sizes(self, oids: Iterable[str]) -> Mapping[str, int]:
        """Bytes of each blob."""
        oids = list(oids)
        with self._lock:
            if unknown := [oid for oid in dict.fromkeys(oids) if oid not in self._sizes]:
                if len(self._sizes) > CACHED_SIZES:
                    self._sizes = {oid: self._sizes[oid] for oid in oids if oid in self._sizes}
                self._sizes.update(self._headers.sizes(unknown))
            return {oid: self._sizes[oid] for oid in oids}

    def extent(self, oid: str) -> Extent:
        """Files and bytes below a tree; each subtree is measured once."""
        if (known := self._extents.get(oid)) is not None:
            return known
        if len(self._extents) > CACHED_SIZES:
            self._extents.clear()
        entries = self.tree(oid).values()
        below = [self.extent(entry.oid) for entry in entries if entry.mode == TREE]
        blobs = [entry.oid for entry in entries if entry.mode not in (TREE, GITLINK)]
        sizes = self.sizes(blobs)
        files = len(blobs) + sum(extent.files for extent in below)
        size = sum(sizes[blob] for blob in blobs) + sum(extent.size for extent in below)
        self._extents[oid] = Extent(files=files, size=size)
        return self._extents[oid]

    def complete(self, tree: str) -> bool:
        """Whether a tree and everything below it lies here."""
        try:
            self.extent(tree)
        except InfraError:
            return False
        return True

    def _remember(self, oid: str, data: bytes) -> None:
        self._sizes[oid] = len(data)
        if len(data) > CACHED_BLOB or oid in self._blobs:
            return
        self._blobs[oid] = data
        self._held += len(data)
        while self._held > CACHED_BYTES:
            self._held -= len(self._blobs.popitem(last=False)[1])

    # ------------------------------------------------------------ writing

    def settle(self) -> None:
        """Wait until everything written is on the disk. Raises `OSError`."""
        with self._lock:
            self.journal.settle()

    def recover(self) -> str | None:
        """Write again what a power failure took of dead processes' objects; returns the last commit among them."""
        commits: list[str] = []

        def restore(packed: bytes) -> None:
            top, _, data = zlib.decompress(packed).partition(b"\0")
            kind = top.split(b" ")[0].decode()
            oid = self.write(kind, data)
            if kind == "commit":
                commits.append(oid)

        replay(self.directory / "autoresearch-journal", restore, self.settle)
        return commits[-1] if commits else None

    def name(self, kind: str, data: bytes) -> str:
        """The object name of `data`, without writing it."""
        return hashlib.new(self.format, b"%s %d\0%s" % (kind.encode(), len(data), data)).hexdigest()

    def name_file(self, source: int, size: int) -> str:
        """The object name of the first `size` bytes of an open file as a blob, without writing it."""
        digest = hashlib.new(self.format, b"blob %d\0" % size)
        for piece in pieces(source, size):
            digest.update(piece)
        return digest.hexdigest()

    def write(self, kind: str, data: bytes) -> str:
        """Write an object unless it lies there already; return its name. It is durable only after `settle`."""
        raw = b"%s %d\0%s" % (kind.encode(), len(data), data)
        oid = hashlib.new(self.format, raw).hexdigest()
        with self._lock:
            if not self._whole(oid, raw):
                packed = zlib.compress(raw, 1)
                with self._incoming(oid) as target:
                    target.write(packed)
                self.journal.add(packed)
            if kind == "blob":
                self._remember(oid, data)
        return oid

    def write_tree(self, entries: Mapping[str, Entry]) -> str:
        """Write a tree and return its name."""
        return self.write("tree", format_tree(entries))

    def write_file(self, source: int, size: int) -> str:
        """Write the `size` bytes of the open file `source` as a blob, in pieces and durably; return its name."""
        oid = self.name_file(source, size)
        with self._lock:
            if not (self._path(oid).is_file() and self._path(oid).stat().st_size):
                with self._incoming(oid, durable=True) as target:
                    packer = zlib.compressobj(1)
                    target.write(packer.compress(b"blob %d\0" % size))
                    for piece in pieces(source, size):
                        target.write(packer.compress(piece))
                    target.write(packer.flush())
            self._sizes[oid] = size
        return oid

    def _path(self, oid: str) -> Path:
        return self.directory / "objects" / oid[:2] / oid[2:]

    def _whole(self, oid: str, raw: bytes) -> bool:
        """Whether `raw` lies there undamaged as a loose object (a crash can leave an empty or torn file)."""
        try:
            return zlib.decompress(self._path(oid).read_bytes()) == raw
        except (zlib.error, OSError):
            return False

    def _incoming(self, oid: str, *, durable: bool = False) -> "Incoming":
        self.written += 1
        return Incoming(self._path(oid), durable=durable)


class Incoming:
    """A file that appears under its name only when it is whole."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        """Prepare to write `path`; its directory is made when missing. `durable`: wait for the disk."""
        self._path = path
        self._durable = durable

    def __enter__(self) -> "Incoming":
        try:
            self._fd, self._temporary = tempfile.mkstemp(prefix="tmp_obj_", dir=self._path.parent)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd, self._temporary = tempfile.mkstemp(prefix="tmp_obj_", dir=self._path.parent)
        return self

    def write(self, data: bytes) -> None:
        """Append `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                os.fchmod(self._fd, 0o444)
                if self._durable:
                    os.fsync(self._fd)
                os.replace(self._temporary, self._path)  # noqa: PTH105 - one call per object written
        finally:
            os.close(self._fd)
            if kind is not None:
                Path(self._temporary).unlink(missing_ok=True)


def pieces(source: int, size: int) -> Iterable[bytes]:
    """The first `size` bytes of an open file, in pieces. Raises `InfraError` when it shrinks meanwhile."""
    position = 0
    while position < size:
        piece = os.pread(source, min(CHUNK, size - position), position)
        if not piece:
            raise InfraError("a file shrank while it was read: something still writes to the workspace")
        position += len(piece)
        yield piece


def parse_tree(raw: bytes, width: int) -> dict[str, Entry]:
    """The entries of a raw tree object. Raises `InfraError` for a name that would lead out of its directory."""
    entries: dict[str, Entry] = {}
    position = 0
    while position < len(raw):
        space = raw.index(b" ", position)
        end = raw.index(b"\0", space)
        mode, name = int(raw[position:space], 8), os.fsdecode(raw[space + 1 : end])
        if name in ("", ".", "..") or "/" in name or forbidden(name):
            raise InfraError(f"a tree holds the unsafe name {name!r}: the repository is damaged or hostile")
        position = end + 1 + width
        entries[name] = Entry(mode, raw[end + 1 : position].hex())
    return entries


def format_tree(entries: Mapping[str, Entry]) -> bytes:
    """The raw tree object: entries in git's order (a directory sorts as if its name ended in a slash)."""
    lines = []
    for name, entry in entries.items():
        raw = os.fsencode(name)
        line = b"%o %s\0%s" % (entry.mode, raw, bytes.fromhex(entry.oid))
        lines.append((raw + b"/" if entry.mode == TREE else raw, line))
    return b"".join(line for _, line in sorted(lines))


HIDDEN_SIGNS = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


def forbidden(name: str) -> bool:
    """Whether git refuses `name` in a tree: ``.git`` and what some file systems take for it."""
    if name == ".git":
        return True
    plain = name.translate(HIDDEN_SIGNS).lower().split(":")[0].rstrip(". ")
    return plain in (".git", "git~1")
