"""New objects made durable with one flush for all of them.

Loose objects are written without waiting for the disk; their bytes also go to this process's journal, which is flushed
before anybody is told their names. After a power failure the journals of the dead are replayed.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

HEAD = struct.Struct(">II")


class Journal:
    """An append-only file below `directory`, locked while its process lives. The caller takes turns."""

    def __init__(self, directory: Path) -> None:
        """Nothing is opened before there is something to write."""
        self._directory = directory
        self._waiting: list[bytes] = []
        self._fd: int | None = None
        self._owner = 0

    def add(self, packed: bytes) -> None:
        """Note a compressed object; it is safe only after `settle`."""
        self._waiting.append(packed)

    def settle(self) -> None:
        """Flush what was added. Raises `OSError`."""
        if not self._waiting:
            return
        records = b"".join(HEAD.pack(len(packed), zlib.crc32(packed)) + packed for packed in self._waiting)
        fd = self._open()
        view = memoryview(records)
        while view:
            view = view[os.write(fd, view) :]
        os.fdatasync(fd)
        self._waiting.clear()

    def size(self) -> int:
        """Bytes flushed so far: what `clear` is to be told."""
        return os.fstat(self._fd).st_size if self._fd is not None and self._owner == os.getpid() else 0

    def clear(self, size: int) -> None:
        """Forget what was flushed, unless more than `size` was: it lies in a pack on the disk by now."""
        if self._fd is not None and size and self.size() == size:
            os.ftruncate(self._fd, 0)

    def close(self) -> None:
        """Give the file up; one that still holds something is replayed by whoever opens the store next."""
        if self._fd is None:
            return
        if self._owner == os.getpid() and not self.size():
            with suppress(FileNotFoundError):
                self._path.unlink()
        os.close(self._fd)
        self._fd = None

    def _open(self) -> int:
        if self._owner != os.getpid():
            self.close()
        if self._fd is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owner = os.getpid()
            self._path = self._directory / f"{self._owner}-{os.urandom(6).hex()}"
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            _flush_names(self._directory)
        return self._fd


def replay(directory: Path, restore: Callable[[bytes], None], settle: Callable[[], None]) -> None:
    """Give `restore` each compressed object in the journals of dead processes, oldest first.

    A journal goes once `settle` has made durable what was restored from it. Raises `OSError`.
    """
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir(), key=_age):
        with suppress(FileNotFoundError, BlockingIOError):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with os.fdopen(os.dup(fd), "rb") as file:
                    for packed in _records(file.read()):
                        restore(packed)
                settle()
                path.unlink()
            finally:
                os.close(fd)


def _age(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _records(data: bytes) -> Iterator[bytes]:
    """The whole records of a journal; a torn one at its end was never promised to anybody."""
    position = 0
    while position + HEAD.size <= len(data):
        length, check = HEAD.unpack_from(data, position)
        packed = data[position + HEAD.size : position + HEAD.size + length]
        if len(packed) != length or zlib.crc32(packed) != check:
            return
        yield packed
        position += HEAD.size + length


def _flush_names(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
