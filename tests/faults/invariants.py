"""What must hold of a study whatever happened to it, and the replay of its decisions."""

import contextlib
import os
from collections import Counter
from pathlib import Path

from autoresearch.adapters.ledger import SqlRecord
from autoresearch.bootstrap.place import locate
from autoresearch.bootstrap.study import open_record_of
from autoresearch.domain import events as e
from autoresearch.domain.lifecycle import after
from autoresearch.domain.lineage import fold
from autoresearch.domain.plan import Limits, plan
from autoresearch.domain.state import StudyState
from tests.toys import Toy

WORLD = (
    e.StudyCreated, e.StudyAmended, e.EpochOpened, e.WorkerJoined, e.WorkerLeft, e.Resumed, e.StepFailed, e.RunEnded,
    e.RunMeasured, e.RunRefused, e.TrialProposed, e.TrialVetoed, e.TrialAbandoned, e.RoundSplit, e.RoundComposed,
)  # fmt: skip
"""Events that bring something from outside; every other one is a decision of `plan`."""


def record_of(study: Toy, name: str = "toy") -> SqlRecord:
    return open_record_of(locate(study.path), name)


def recorded(study: Toy, name: str = "toy") -> list[e.Recorded]:
    with record_of(study, name) as record:
        return list(record.events())


def assert_whole(study: Toy, *, trials: int, name: str = "toy") -> None:
    """A finished study: nothing lost, nothing doubled, nothing left over."""
    found = recorded(study, name)
    opened = [each.event.trial for each in found if isinstance(each.event, e.TrialOpened)]
    assert opened == list(range(1, len(opened) + 1)), "numbers of trials are consecutive"
    by_researchers = [each.event for each in found if isinstance(each.event, e.TrialOpened)]
    assert sum(each.researcher != "confirmation" for each in by_researchers) == trials
    assert [each.seq for each in found] == list(range(1, len(found) + 1))
    assert ends_of_trials(found) == Counter(opened), "every trial has exactly one end"
    assert_runs(found)
    assert isinstance([each.event for each in found if not isinstance(each.event, e.WorkerLeft)][-1], e.StudyFinished)
    assert_nothing_left(study, name)
    done = study.program("doctor")
    assert done.returncode == 0, done.stdout + done.stderr


def ends_of_trials(found: list[e.Recorded]) -> Counter[int | None]:
    ends: Counter[int | None] = Counter()
    for each in found:
        state = after(each.event)
        if state is not None and state.ended and not isinstance(each.event, e.StandingChanged):
            ends[each.event.chain] += 1
    return ends


def assert_runs(found: list[e.Recorded]) -> None:
    """Every run that was asked for ended once, every one that ended well was scored once."""
    asked = [run for each in found if isinstance(each.event, e.RunsRequested) for run in each.event.runs]
    ended = Counter(each.event.run for each in found if isinstance(each.event, e.RunEnded))
    well = {each.event.run for each in found if isinstance(each.event, e.RunEnded) and each.event.result.status.ok}
    scored = Counter(each.event.run for each in found if isinstance(each.event, e.RunMeasured | e.RunRefused))
    assert len(asked) == len(set(asked))
    assert ended == Counter(asked)
    assert scored == Counter(well)


def assert_nothing_left(study: Toy, name: str = "toy") -> None:
    """No process, mount, workspace, artifact or lease without a live owner."""
    state = study.path / ".git/autoresearch" / name
    assert processes_of(study) == []
    assert [path.name for path in (state / "work").iterdir() if path.name != ".lock"] == []
    assert list((state / "trees").glob(".*-gone")) == []
    assert list((state / "runs").glob("*/out")) == []
    assert list((state / "researcher").iterdir()) == []
    assert str(study.path) not in Path("/proc/self/mounts").read_text()
    with record_of(study, name) as record:
        assert list(record.leases()) == []


def processes_of(study: Toy) -> list[str]:
    """Processes that have to do with a study: by their directory, words, or what they have mounted."""
    mark = "/".join(study.path.parts[-3:])
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            with contextlib.suppress(OSError):
                where = str((place / "cwd").readlink())
                words = (place / "cmdline").read_bytes().decode("utf-8", "replace")
                mounts = (place / "mountinfo").read_text(errors="replace")
                if mark in where or mark in words or mark in mounts:
                    found.append(f"{place.name}: {words!r} in {where}")
    return found


def assert_replays(study: Toy, name: str = "toy") -> int:
    """`plan`, asked again before each recorded decision (one worker's), decides the same; returns how many it made."""
    found = [each.event for each in recorded(study, name)]
    state, place, decisions = StudyState(), 0, 0
    while place < len(found):
        planned: tuple[e.Event, ...] = ()
        if not isinstance(found[place], WORLD) or (isinstance(found[place], e.TrialAbandoned) and state.stop_now):
            planned = plan(state, Limits(slots=1)).decision
            assert tuple(found[place : place + len(planned)]) == planned, f"event {place + 1}"
            assert planned, f"event {place + 1}, {found[place]}, was not planned"
            decisions += 1
        count = max(1, len(planned))
        for offset in range(count):
            fold(state, e.Recorded(seq=place + offset + 1, at=0.0, event=found[place + offset]))
        place += count
    assert plan(state, Limits(slots=1)).finished
    return decisions
