"""What can be wrong with a study: its files' permissions, its record, its store, and what dead processes left behind.

Each check only looks; what mends a problem travels with it, to be called by whoever decides to.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autoresearch.adapters.git.command import attempt, words
from autoresearch.adapters.git.places import locked, remove
from autoresearch.adapters.git.store import GitStore
from autoresearch.adapters.ledger import SqlLedger, open_ledger
from autoresearch.bootstrap.place import Place
from autoresearch.bootstrap.workers import dead, present
from autoresearch.domain import events as e
from autoresearch.domain.errors import InfraError, LedgerError
from autoresearch.domain.lifecycle import after
from autoresearch.domain.lineage import fold
from autoresearch.domain.model import RunStatus
from autoresearch.domain.state import StudyState
from autoresearch.domain.text import plain
from autoresearch.interfaces.cli.glance import at_work
from autoresearch.interfaces.cli.shown import EVERYTHING

SHOWN = 5
"""Things of one kind that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it should be."""

    what: str
    where: str
    remedy: str
    """What to do by hand."""
    mend: Callable[[], None] | None = None
    done: str = ""
    """What `mend` does, in words for afterwards."""


def problems(place: Place, study: str) -> Iterator[Problem]:
    """Everything that is wrong with a study, what must be mended first first."""
    yield from permissions(place, study)
    if not (place.of(study) / "key").is_file():
        yield Problem(
            what="the key that seals the record is missing",
            where=str(place.of(study) / "key"),
            remedy="put it back from a backup: without it nobody can tell whether the record was changed",
        )
        return
    try:
        ledger = open_ledger(place.ledger(study), place.key(study))
    except (LedgerError, InfraError) as error:
        yield Problem(what="the ledger cannot be opened", where=str(error), remedy="put a backup in its place")
        return
    with contextlib.closing(ledger):
        yield from record(ledger)
        yield from leases(ledger)
        yield from store(place, study, ledger)
        yield from leftovers(place, study, ledger)


# ---------------------------------------------------------------- permissions


def permissions(place: Place, study: str) -> Iterator[Problem]:
    """State directories are 0700, the ledger and its key 0600."""
    home = place.of(study)
    wanted = {place.state: 0o700, home: 0o700, home / "key": 0o600}
    wanted |= dict.fromkeys(home.glob("ledger.db*"), 0o600)
    for path, mode in wanted.items():
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & ~mode:
            yield Problem(
                what="others can read it",
                where=str(path),
                remedy=f"chmod {mode:o} {path}",
                mend=_chmod(path, mode),
                done=f"its mode is {mode:04o} now",
            )


def _chmod(path: Path, mode: int) -> Callable[[], None]:
    return lambda: path.chmod(mode)


# ---------------------------------------------------------------- the record


def record(ledger: SqlLedger) -> Iterator[Problem]:
    """The chains verify, the tables are the fold of the events, every trial ended once, no run is counted twice."""
    backup = "put a backup of ledger.db in its place, or begin a new study: this record proves nothing any more"
    broken = ledger.verify()
    for finding in broken[:SHOWN]:
        yield Problem(what="the record was changed from outside", where=finding, remedy=backup)
    if broken:
        return
    if differing := ledger.verify_projection():
        yield Problem(
            what="the tables are not what the events say",
            where="; ".join(differing[:SHOWN]),
            remedy="make them anew from the events",
            mend=ledger.repair_projection,
            done="the tables were made anew from the events",
        )
    for finding in [*doubled(ledger), *disagreeing(ledger)][:SHOWN]:
        yield Problem(what="the record contradicts itself", where=finding, remedy=backup)


def doubled(ledger: SqlLedger) -> list[str]:
    """Trials with two ends, runs that ended or were measured twice."""
    ends: Counter[str] = Counter()
    for recorded in ledger.stream():
        event = recorded.event
        state = after(event)
        if isinstance(event, e.RunEnded):
            ends[f"run {event.run.id} ended"] += 1
        elif isinstance(event, e.RunMeasured | e.RunRefused):
            ends[f"run {event.run.id} was scored"] += 1
        elif state is not None and state.ended and not isinstance(event, e.StandingChanged):
            ends[f"trial {event.chain} ended"] += 1
    return [f"{what} {count} times" for what, count in ends.items() if count > 1]


def disagreeing(ledger: SqlLedger) -> list[str]:
    """Where the state that decisions are made from is not what the tables say."""
    state = _folded(ledger)
    found = []
    if ledger.incumbent() != state.incumbent:
        found.append(f"the incumbent is trial {state.incumbent} by the events, {ledger.incumbent()} by the totals")
    for kept in state.kept.values():
        row = ledger.trial(kept.number)
        if kept.number and (row is None or row.tree != kept.tree):
            found.append(f"trial {kept.number} is kept by the events, and not so in the tables")
    return found


def _folded(ledger: SqlLedger) -> StudyState:
    state = StudyState()
    for recorded in ledger.stream():
        fold(state, recorded)
    return state


def leases(ledger: SqlLedger) -> Iterator[Problem]:
    """No step is held by a worker that died on this machine."""
    held = [lease.step for lease in ledger.leases() if dead(lease.worker)]
    if held:
        yield Problem(
            what="dead workers hold steps",
            where=", ".join(held[:SHOWN]),
            remedy="wait half a minute: the leases run out by themselves",
            mend=lambda: _release(ledger),
            done="the leases were taken from them",
        )


def _release(ledger: SqlLedger) -> None:
    present(ledger)


# ---------------------------------------------------------------- the store


def store(place: Place, study: str, ledger: SqlLedger) -> Iterator[Problem]:
    """Every kept trial's tree is there, and git finds no damaged object. An imported study has no store."""
    if not (place.of(study) / "store.git").is_dir():
        return
    state = _folded(ledger)
    trees = {kept.number: kept.tree for kept in state.kept.values()}
    try:
        with GitStore(place.of(study), object_format=place.repository.object_format) as opened:
            lost = [number for number, tree in trees.items() if not opened.holds(tree)]
            if not opened.holds(state.confirmed_tree):
                lost.append(max(trees))
    except InfraError as error:
        yield Problem(what="the store cannot be opened", where=str(error), remedy="put a backup of store.git in place")
        return
    if lost:
        yield Problem(
            what="the code of kept trials is not whole",
            where=f"{opened.path}: trials {', '.join(map(str, lost[:SHOWN]))}",
            remedy="put a backup of store.git in place",
        )
    done = attempt(["fsck", "--no-dangling", "--no-progress", "--connectivity-only"], cwd=opened.path, own=True)
    if done.returncode:
        yield Problem(
            what="git finds damage in the store",
            where=f"{opened.path}: {plain(words(done), 300)}",
            remedy="put a backup of store.git in place",
        )


# ---------------------------------------------------------------- what was left behind


def leftovers(place: Place, study: str, ledger: SqlLedger) -> Iterator[Problem]:
    """No workspace, process, mount or artifact is there without a live owner."""
    home = place.of(study)
    abandoned = list(_abandoned(home))
    if strays := _inside(abandoned):
        yield Problem(
            what="processes of dead workers are still running",
            where=", ".join(map(str, strays[:SHOWN])),
            remedy=f"kill {' '.join(map(str, strays))}",
            mend=lambda: _end(strays),
            done="they were ended",
        )
    if mounts := _mounts(home):
        yield Problem(
            what="something is still mounted in the state directory",
            where=", ".join(mounts[:SHOWN]),
            remedy=f"umount {' '.join(mounts)}",
        )
    if abandoned:
        yield Problem(
            what="workspaces of dead workers",
            where=", ".join(map(str, abandoned[:SHOWN])),
            remedy=f"rm -rf {' '.join(map(str, abandoned))}",
            mend=lambda: _sweep(place, study),
            done="they were removed",
        )
    yield from _artifacts(place, study, ledger)


def _abandoned(home: Path) -> Iterator[Path]:
    """Workspaces that nobody holds, and half-made checkouts."""
    work = home / "work"
    if work.is_dir():
        with locked(work / ".lock"):
            for path in sorted(work.iterdir()):
                if path.name != ".lock" and not _owned(path):
                    yield path
    yield from sorted((home / "trees").glob(".*-gone"))


def _owned(path: Path) -> bool:
    """Whether a live process holds a workspace."""
    try:
        with locked(path / "owner", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _sweep(place: Place, study: str) -> None:
    with GitStore(place.of(study), object_format=place.repository.object_format) as opened:
        opened.sweep()


def _inside(directories: list[Path]) -> list[int]:
    """Processes whose working directory lies in one of these."""
    found = []
    if directories and Path("/proc/self").exists():
        for name in os.listdir("/proc"):  # noqa: PTH208 - names alone are wanted
            if name.isdigit() and any(_cwd(int(name)).is_relative_to(directory) for directory in directories):
                found.append(int(name))
    return found


def _cwd(pid: int) -> Path:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return Path("/")


def _end(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _mounts(home: Path) -> list[str]:
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return []
    places = (line.split(" ")[1].replace("\\040", " ") for line in lines if line.count(" ") > 1)
    return [place for place in places if Path(place).is_relative_to(home)]


def _artifacts(place: Place, study: str, ledger: SqlLedger) -> Iterator[Problem]:
    """Artifacts are dropped once their run is scored; a kill at that moment leaves them."""
    found = sorted(place.runs(study).glob("*/out"))
    if not found or at_work(ledger):  # a worker drops them a moment after the score is recorded
        return
    scored = {run.id for run in ledger.runs(limit=EVERYTHING) if run.metrics or run.status is RunStatus.REFUSED}
    if kept := [path for path in found if path.parent.name in scored]:
        yield Problem(
            what="artifacts of runs that were scored long ago",
            where=f"{len(kept)} below {place.runs(study)}",
            remedy="remove them",
            mend=lambda: _drop(kept),
            done="they were removed",
        )


def _drop(directories: list[Path]) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            remove(directory)
