"""The log of a run: read from a pipe, kept up to a cap. The rule: the program is never made to wait for our disk cap.

What exceeds the cap is read and dropped; the file then holds the beginning, one line that says how much is missing,
and the end.
"""

import contextlib
import fcntl
import os
import re
import sys
from pathlib import Path

_CHUNK = 1 << 18
_TAIL = 8192
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours and cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC, DCS and other strings
    r"|\x1b[ -/]*[0-~]?"
)


class Pump:
    """Copies one pipe into one file of at most `cap` bytes."""

    def __init__(self, pipe: int, log: Path, cap: int) -> None:
        """Read from the descriptor `pipe`, which is closed in the end; create or replace the file `log` (mode 0600)."""
        os.set_blocking(pipe, False)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # more than this user may have in pipes: a smaller one does
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)
        self._buffer = memoryview(bytearray(_CHUNK))
        self.pipe = pipe
        self.total = 0
        self._room = max(0, cap - 2 * _TAIL) if cap > 4 * _TAIL else cap // 2
        self._end = min(_TAIL, cap // 4)
        self._kept = 0
        self._last = b""
        self._beyond = b""
        self._file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    @property
    def truncated(self) -> bool:
        """Whether more came than the file holds."""
        return self.total > self._kept + len(self._beyond)

    @property
    def flooded(self) -> bool:
        """Whether nothing more goes into the file for now."""
        return self._kept >= self._room

    def turn(self) -> bool:
        """Take what is there now, at most one chunk. False once the other end is closed or nothing is there."""
        try:
            data = self._buffer[: os.readv(self.pipe, [self._buffer])]
        except BlockingIOError:
            return False
        self.total += len(data)
        fits = data[: max(0, self._room - self._kept)]
        if fits:
            _write_all(self._file, fits)
            self._kept += len(fits)
        if len(fits) < len(data):
            self._beyond = _join(self._beyond, data[len(fits) :], self._end)
        self._last = _join(self._last, data, _TAIL)
        return bool(data)

    def close(self) -> None:
        """Drain what is left, write the end of the log, and close both."""
        while self.turn():
            pass
        if self._beyond:
            lost = self.total - self._kept - len(self._beyond)
            mark = f"\n[autoresearch: {lost:,} bytes of log left out here]\n".encode() if lost else b""
            _write_all(self._file, mark + self._beyond)
        os.close(self._file)
        os.close(self.pipe)

    def tail(self, limit: int = 2000) -> str:
        """The last lines, printable characters only, at most `limit` of them."""
        return printable(self._last.decode("utf-8", "replace"))[-limit:].strip("\n")


def printable(text: str) -> str:
    """`text` without escape sequences and without characters that control a terminal or hide text."""
    plain = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(each if each in "\n\t" or each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in plain)


def _join(old: bytes, new: memoryview, size: int) -> bytes:
    """The last `size` bytes of both together."""
    return bytes(new[-size:]) if len(new) >= size else (old + bytes(new))[-size:]


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it. Raises `OSError` (disk full)."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
