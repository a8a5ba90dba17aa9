"""How much a run has written: files changed since it began under the directories it may write to.

The rule: cheap to ask often. Free space is asked each time; files are counted when free space has shrunk enough to
matter, or a while has passed.
"""

import errno
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LEAST = 4096
"""What any file or directory counts at least: a flood of empty files is a flood."""

_TICK = 0.004
"""Seconds by which the kernel's time stamps may lag behind the clock."""

TOO_DEEP = 1 << 62
"""Returned for directories nested too deeply to be walked by path."""


@dataclass(slots=True)
class Disk:
    """Bytes written under `places` (directories or files), of which `limit` are allowed."""

    places: Sequence[Path]
    limit: int
    since: float = field(default_factory=lambda: time.time() - _TICK)
    used: int = 0
    _devices: dict[int, str] = field(default_factory=dict)
    _free: dict[int, int] = field(default_factory=dict)
    _next: float = 0.0

    def check(self, pids: Sequence[int] = ()) -> int:
        """Bytes written, as far as they are known now. `pids` are looked at for open files without a name."""
        now = time.monotonic()
        free = self._free_space()
        shrunk = sum(max(0, before - free.get(device, before)) for device, before in self._free.items())
        if now < self._next and self.used + shrunk <= self.limit:
            return self.used
        return self.count(pids if shrunk > self.limit // 2 else ())

    def count(self, pids: Sequence[int] = ()) -> int:
        """Count now."""
        began = time.monotonic()
        self._free = self._free_space()
        self.used = sum(written(place, self.since, self.limit) for place in self.places)
        if pids and self.used <= self.limit:
            self.used += nameless(pids, set(self._free))
        ended = time.monotonic()
        self._next = ended + max(1.0, 200 * (ended - began))
        return self.used

    def _free_space(self) -> dict[int, int]:
        """Free bytes of each file system written to, by device number."""
        if not self._devices:
            self._devices = {os.stat(place).st_dev: str(place) for place in self.places}  # noqa: PTH116
        free: dict[int, int] = {}
        for device, place in self._devices.items():
            status = os.statvfs(place)
            free[device] = status.f_bfree * status.f_frsize
        return free


def written(place: Path, since: float, limit: int) -> int:
    """Bytes of disk held by what changed at or under `place` at or after `since` (Unix time); stops above `limit`.

    The time of the last change of state counts: no program can set it.
    """
    total = 0
    queue = [str(place)]
    while queue and total <= limit:
        path = queue.pop()
        try:
            status = os.lstat(path)
            if status.st_ctime >= since:
                total += max(_LEAST, status.st_blocks * 512)
            if stat.S_ISDIR(status.st_mode):
                queue.extend(entry.path for entry in os.scandir(path))
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return TOO_DEEP
    return total


def nameless(pids: Sequence[int], devices: set[int]) -> int:
    """Bytes of disk on `devices` held by deleted files that these processes keep open or mapped."""
    seen: dict[tuple[int, int], int] = {}
    for pid in pids:
        for kind in ("fd", "map_files"):
            try:
                entries = list(os.scandir(f"/proc/{pid}/{kind}"))
            except OSError:
                continue
            for entry in entries:
                try:
                    status = os.stat(entry.path)  # noqa: PTH116
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_dev in devices:
                    seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
