"""One long-lived ``git cat-file`` process.

It is started on first use, started again after its death or a fork, and never shared between two processes.
"""

import os
import subprocess
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from autoresearch.adapters.git.command import command, environment
from autoresearch.domain.errors import InfraError

CHUNK = 1 << 20
PIPELINED = 400
"""Requests sent before the first answer is read: both directions stay within a pipe's 64 KiB."""


class Reader:
    """Asks one ``git cat-file MODE`` process for objects; the caller takes turns."""

    def __init__(self, directory: Path, mode: str) -> None:
        """Nothing is started yet. `mode` is ``--batch`` or ``--batch-check``."""
        self._directory = directory
        self._mode = mode
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._end: weakref.finalize[..., Reader] | None = None

    def close(self) -> None:
        """End the process, if it is this process's own."""
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def read(self, oid: str, kind: str) -> bytes:
        """The whole content of an object of `kind`. Raises `InfraError` when it is missing or damaged."""
        size = self._open(oid, kind)
        data = self._exactly(size + 1, oid)
        return data[:-1]

    def copy(self, oid: str, target: int) -> None:
        """Write a blob's content to the file descriptor `target`, in pieces."""
        left = self._open(oid, "blob")
        while left:
            piece = self._exactly(min(CHUNK, left), oid)
            left -= len(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(target, view) :]
        self._exactly(1, oid)

    def sizes(self, oids: Sequence[str]) -> dict[str, int]:
        """Bytes of each object (a ``--batch-check`` reader)."""
        sizes = {}
        for start in range(0, len(oids), PIPELINED):
            wanted = oids[start : start + PIPELINED]
            self._ask(wanted)
            for oid in wanted:
                sizes[oid] = self._header(oid)[1]
        return sizes

    def _open(self, oid: str, kind: str) -> int:
        self._ask([oid])
        found, size = self._header(oid)
        if found != kind:
            self.close()
            raise InfraError(f"object {oid} of {self._directory} is a {found}, not a {kind}")
        return size

    def _ask(self, oids: Sequence[str]) -> None:
        process = self._running()
        assert process.stdin
        try:
            process.stdin.write("".join(f"{oid}\n" for oid in oids).encode())
            process.stdin.flush()
        except BrokenPipeError:
            self._broken(oids[0])

    def _header(self, oid: str) -> tuple[str, int]:
        process = self._running()
        assert process.stdout
        line = process.stdout.readline().decode().split()
        if len(line) == 3:
            return line[1], int(line[2])
        if line[1:] != ["missing"]:
            self._broken(oid)
        self.close()
        raise InfraError(f"object {oid} is missing from {self._directory}")

    def _exactly(self, size: int, oid: str) -> bytes:
        process = self._running()
        assert process.stdout
        data = process.stdout.read(size)
        if len(data) != size:
            self._broken(oid)
        return data

    def _broken(self, oid: str) -> NoReturn:
        self.close()
        raise InfraError(f"git cat-file died while it read object {oid} of {self._directory}: run git fsck there")

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                command(["cat-file", self._mode]),
                cwd=self._directory,
                env=environment(own=True),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._end = weakref.finalize(self, _end, self._process, self._owner)
        return self._process


def _end(process: "subprocess.Popen[bytes]", owner: int) -> None:
    """Close the pipes, upon which git ends; wait for it where it is our own child."""
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    if owner == os.getpid():
        process.wait()
    else:
        process.returncode = 0
