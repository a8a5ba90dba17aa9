"""A tree of processes, read from ``/proc``: CPU time, memory and numbers of everything below one process.

The rule: a process that disappears while we look is skipped, never an error, and CPU time never goes backwards.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_INSPECT = 32 << 20
"""Shared pages of a process above this are looked at closely: file pages do not count, shared memory does."""


@dataclass(slots=True)
class Process:
    """One process at one moment: seconds and bytes."""

    pid: int
    parent: int
    start: int
    threads: int
    own: float
    """Its own user and system time."""
    waited: float
    """That of the children it has waited for."""
    zombie: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the tree below a root uses: seconds and bytes."""

    pids: tuple[int, ...]
    threads: int
    cpu: float
    private: int
    """Anonymous memory, shared copies counted once per process (an upper bound)."""
    largest: int
    """Anonymous memory of the largest process (a lower bound)."""
    shared: int
    """Shared memory (not file pages), counted once per process (an upper bound)."""


def supported() -> bool:
    """Whether this system shows processes under ``/proc``."""
    return Path("/proc/self/stat").exists()


def read_process(pid: int) -> Process | None:
    """One process, or None when it is gone. Fields as in proc_pid_stat(5)."""
    text = _read(f"/proc/{pid}/stat")
    if text is None:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    own = (int(fields[11]) + int(fields[12])) / _TICK
    waited = (int(fields[13]) + int(fields[14])) / _TICK
    threads = int(fields[17])
    return Process(pid, int(fields[1]), int(fields[19]), threads, own, waited, fields[0] in b"ZX")


def children(process: Process) -> list[int]:
    """Process numbers of its children, in the order in which it got them."""
    if process.threads <= 1:
        text = _read(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(word) for word in text.split()] if text is not None else _scan(process.pid)
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{process.pid}/task")  # noqa: PTH208 - sampled often: no Path objects
    except OSError:
        return found
    for thread in threads:
        text = _read(f"/proc/{process.pid}/task/{thread}/children")
        found += [int(word) for word in text.split()] if text else []
    return found


def descend(root: int, levels: int) -> int:
    """The process `levels` below `root` along the first children; 0 when there is none (yet)."""
    pid = root
    for _ in range(levels):
        process = read_process(pid)
        below = children(process) if process is not None else []
        if not below:
            return 0
        pid = below[0]
    return pid


@dataclass(slots=True)
class Tree:
    """Everything below `root`, `skip` levels down: the launched process and its like are not counted."""

    root: int
    skip: int = 0
    _own: dict[tuple[int, int], float] = field(default_factory=dict)
    _ended: float = 0.0
    _cpu: float = 0.0

    def sample(self, at_most: int = 1 << 20) -> Usage:
        """Look once. Stops looking after `at_most` processes: their number is then all that matters."""
        above, living = self.walk(at_most)
        private = largest = shared = 0
        for process in living:
            if not process.zombie:
                mine, common = _memory(process.pid)
                private, largest, shared = private + mine, max(largest, mine), shared + common
        self._account(above, living)
        threads = sum(each.threads for each in living)
        pids = tuple(each.pid for each in living)
        return Usage(pids=pids, threads=threads, cpu=self._cpu, private=private, largest=largest, shared=shared)

    def walk(self, at_most: int = 1 << 20) -> tuple[list[Process], list[Process]]:
        """The processes of the tree, parents first: those of the skipped levels, and the rest."""
        above: list[Process] = []
        found: list[Process] = []
        queue = [(self.root, 0)]
        while queue and len(found) <= at_most:
            pid, depth = queue.pop()
            process = read_process(pid)
            if process is None:
                continue
            (found if depth >= self.skip else above).append(process)
            queue += [(child, depth + 1) for child in reversed(children(process))]
        return above, found

    def _account(self, above: list[Process], living: list[Process]) -> None:
        """CPU time by two sums, each a lower bound; the larger one counts.

        One adds what parents know of children they have waited for; it misses children that nobody waits for. The
        other adds what was last seen of every process; it misses the ends of processes and those that lived between
        two samples.
        """
        known = sum(each.own + each.waited for each in living) + sum(each.waited for each in above)
        present = {(each.pid, each.start): each.own for each in living}
        self._ended += sum(own for key, own in self._own.items() if key not in present)
        self._own = present
        self._cpu = max(self._cpu, known, self._ended + sum(present.values()))


def proportional(pids: tuple[int, ...]) -> int:
    """Anonymous and shared memory with every page counted once (proportional set size), swap included.

    The smaller of two readings: pages of a process that ends during one are counted for it and again for those left.
    """
    return min(_proportional(pids), _proportional(pids))


def _proportional(pids: tuple[int, ...]) -> int:
    total = 0
    for pid in pids:
        text = _read(f"/proc/{pid}/smaps_rollup") or b""
        for line in text.splitlines():
            if line.startswith((b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")):
                total += int(line.split()[1]) * 1024
    return total


def filesystem_use(root: int, path: str) -> int:
    """Bytes that the memory file system at `path` inside the root directory of process `root` holds."""
    try:
        status = os.statvfs(f"/proc/{root}/root{path}")
    except OSError:
        return 0
    return (status.f_blocks - status.f_bfree) * status.f_frsize + 1024 * (status.f_files - status.f_ffree)


def _memory(pid: int) -> tuple[int, int]:
    """Anonymous and shared memory of one process in bytes, file pages left out."""
    text = _read(f"/proc/{pid}/statm")
    if not text:
        return 0, 0
    fields = text.split()
    resident, common = int(fields[1]) * _PAGE, int(fields[2]) * _PAGE
    if common < _INSPECT:
        return resident - common, 0
    status = _read(f"/proc/{pid}/status") or b""
    shmem = next((int(line.split()[1]) for line in status.splitlines() if line.startswith(b"RssShmem:")), 0)
    return resident - common, shmem * 1024


def _scan(parent: int) -> list[int]:
    """The children of `parent` where the kernel does not list them."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - sampled often: no Path objects
        if name.isdecimal():
            process = read_process(int(name))
            if process is not None and process.parent == parent:
                found.append((process.start, process.pid))
    return [pid for _, pid in sorted(found)]


def _read(path: str) -> bytes | None:
    """A small file's bytes, or None when it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(handle, 65536)
        while text and len(text) % 65536 == 0 and (more := os.read(handle, 65536)):
            text += more
        return text
    except OSError:
        return None
    finally:
        os.close(handle)
