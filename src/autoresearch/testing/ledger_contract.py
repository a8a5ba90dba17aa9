"""What every ledger must do, as a pytest class to inherit: implement `open` and the tests run on your back end.

Tests know the ledger by `ports` alone, and by the few further methods that `CheckedLedger` names.
"""
# ruff: noqa: D102 (the names of tests say what they test)

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from autoresearch.domain.errors import LostLease
from autoresearch.domain.events import (
    EpochOpened,
    Event,
    HeadlineFailed,
    HeadlineJudged,
    Paused,
    Purpose,
    RoundComposed,
    RoundJudged,
    RoundOpened,
    RoundSettled,
    RoundSplit,
    RunEnded,
    RunMeasured,
    RunRefused,
    RunsRequested,
    StandingChanged,
    Steered,
    StudyCreated,
    TrialAbandoned,
    TrialCrashed,
    TrialDiscarded,
    TrialKept,
    TrialOpened,
    TrialProposed,
    TrialVetoed,
)
from autoresearch.domain.model import (
    Budget,
    Cost,
    Direction,
    Metric,
    Move,
    Rung,
    RunKey,
    RunResult,
    RunStatus,
    Scores,
    Setting,
    Standing,
    Study,
    TrialState,
)
from autoresearch.ports import Ledger, Record

KEY = b"a key for tests, 32 bytes long.."


class CheckedLedger(Ledger, Record, Protocol):
    """A ledger with what doctor and status need."""

    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials in each state."""
        ...

    def incumbent(self) -> int:
        """The kept trial that newcomers must beat."""
        ...

    def verify(self) -> Sequence[str]:
        """What is wrong with the record."""
        ...

    def verify_projection(self) -> Sequence[str]:
        """Where the tables differ from the fold of the events."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


@dataclass
class HandClock:
    """A clock that is set by hand."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


# ---------------------------------------------------------------- events to test with


def study_created() -> StudyCreated:
    """The first event of a small study."""
    study = Study(
        name="test",
        goal="less",
        base_commit="c" * 40,
        base_tree="b" * 40,
        seed=1,
        metric=Metric(name="loss", direction=Direction.MINIMIZE),
        rungs=(Rung(name="small", budget=Budget(seconds=1.0)),),
    )
    return StudyCreated(study=study, spec="[study]\n" * 100)


def tree_of(number: int) -> str:
    """A tree for trial `number`."""
    return f"{number:040x}"[::-1]


def run_of(number: int, repeat: int = 0) -> RunKey:
    """A run of that tree."""
    return RunKey(tree=tree_of(number), rung="small", seed=number, repeat=repeat)


def opened(number: int) -> TrialOpened:
    """Trial `number` is opened."""
    return TrialOpened(trial=number, parent=0, move=Move.EXPLOIT, researcher="tune")


def proposed(number: int) -> TrialProposed:
    """Trial `number` is proposed."""
    return TrialProposed(
        trial=number,
        tree=tree_of(number),
        hypothesis="LR 0.001 → 0.003",
        cost=Cost(seconds=0.5, usd=0.01),
        settings=(Setting(name="train.py:LR", value=0.003), Setting(name="train.py:TIED", value=True)),
        paths=("train.py",),
    )


def requested(number: int, *keys: RunKey) -> RunsRequested:
    """Runs on behalf of trial `number`."""
    return RunsRequested(purpose=Purpose.SCREEN, runs=keys or (run_of(number),), trial=number)


def ended(key: RunKey, status: RunStatus = RunStatus.OK) -> RunEnded:
    """A run ended."""
    return RunEnded(run=key, result=RunResult(status=status, wall=1.5, cpu=1.25, tail="loss 2.5\n" * 20))


def measured(key: RunKey, value: float = 2.5) -> RunMeasured:
    """A run was scored."""
    return RunMeasured(run=key, scores=Scores(metrics={"loss": value}))


def kept(number: int, over: int) -> TrialKept:
    """Trial `number` replaces `over`."""
    return TrialKept(trial=number, over=over, effect=0.1, low=0.05, high=0.15, reason="better", value=2.4)


def discarded(number: int) -> TrialDiscarded:
    """Trial `number` is no better."""
    return TrialDiscarded(trial=number, effect=-0.1, low=-0.15, high=-0.05, reason="worse", value=2.6)


def ready(number: int) -> list[Event]:
    """All that happens to trial `number` before its verdict."""
    key = run_of(number)
    return [opened(number), proposed(number), requested(number), ended(key), measured(key)]


def round_opened(number: int) -> RoundOpened:
    """A confirmation round begins."""
    return RoundOpened(round=number, reference="b" * 40, full="f" * 40, incumbent=1, reason="asked")


def composed(number: int, *, over: int) -> RoundComposed:
    """The trees of a round are made."""
    return RoundComposed(round=number, confirmed="d" * 40, working=None, over=over)


def headline(number: int) -> HeadlineJudged:
    """A confirmation round ends."""
    return HeadlineJudged(round=number, base=2.5, confirmed=2.4, effect=0.1, low=0.0, high=0.2, runs=8)


OPEN, READY, RUN = [opened(1)], [opened(1), proposed(1)], run_of(1)
DONE = [*ready(1), kept(1, 0)]
ASKED = [*READY, requested(1)]

FITTING: dict[str, tuple[Sequence[Event], Event]] = {
    "the first trial": ((), opened(1)),
    "the next trial": (OPEN, opened(2)),
    "a proposal": (OPEN, proposed(1)),
    "a veto": (OPEN, TrialVetoed(trial=1, rule="size", reason="too large")),
    "nothing proposed": (OPEN, TrialAbandoned(trial=1, reason="nothing")),
    "given up while it waits for runs": (READY, TrialAbandoned(trial=1, reason="stopped")),
    "a crash": (READY, TrialCrashed(trial=1, reason="exit 1")),
    "a discard": (READY, discarded(1)),
    "a first keep": (READY, kept(1, 0)),
    "a keep over a keep": ([*DONE, *ready(2)], kept(2, 1)),
    "a standing": (DONE, StandingChanged(trial=1, standing=Standing.CONFIRMED, reason="held up")),
    "runs": (READY, requested(1)),
    "runs of the base": ((), RunsRequested(purpose=Purpose.CALIBRATE, runs=(run_of(0),))),
    "a repeat of a run": (ASKED, requested(1, run_of(1, repeat=1))),
    "the end of a run": (ASKED, ended(RUN)),
    "a number": ([*ASKED, ended(RUN)], measured(RUN)),
    "no number": ([*ASKED, ended(RUN)], RunRefused(run=RUN, reason="nan")),
    "an epoch": ((), EpochOpened(epoch=0, fingerprint="f", reason="first")),
    "a hint": ((), Steered(hint=1, text="try less")),
    "a second pause": ([Paused(reason="asked")], Paused(reason="asked")),
    "a round": ((), round_opened(1)),
    "a second round": ([round_opened(1)], round_opened(2)),
    "a split": ([round_opened(1)], RoundSplit(round=1, atoms=(), cells=())),
    "a composition over the new incumbent": ([round_opened(1), composed(1, over=0), *DONE], composed(1, over=1)),
    "a headline of an older round": ([round_opened(1), round_opened(2)], headline(1)),
}

UNFIT: dict[str, tuple[Sequence[Event], Event]] = {
    "a second beginning": ((), study_created()),
    "a trial that skips a number": ((), opened(2)),
    "a trial with the number of the base": ((), opened(0)),
    "a trial whose number is taken": (OPEN, opened(1)),
    "a proposal for no trial": ((), proposed(1)),
    "a second proposal": (READY, proposed(1)),
    "a verdict before the proposal": (OPEN, kept(1, 0)),
    "a second verdict": (DONE, discarded(1)),
    "a keep over a replaced incumbent": ([*DONE, *ready(2)], kept(2, 0)),
    "a standing of a discarded trial": (
        [*READY, discarded(1)],
        StandingChanged(trial=1, standing=Standing.CONFIRMED, reason="?"),
    ),
    "a run that was asked for": (ASKED, requested(1)),
    "a run twice in one request": (READY, requested(1, run_of(1), run_of(1))),
    "runs for no trial": ((), requested(7)),
    "the end of a run nobody asked for": (READY, ended(RUN)),
    "a second end of a run": ([*ASKED, ended(RUN)], ended(RUN)),
    "a number before the end": (ASKED, measured(RUN)),
    "a second number": ([*ASKED, ended(RUN), measured(RUN)], measured(RUN)),
    "a number of a failed run": ([*ASKED, ended(RUN, RunStatus.FAILED)], measured(RUN)),
    "a number after a refusal": ([*ASKED, ended(RUN), RunRefused(run=RUN, reason="nan")], measured(RUN)),
    "a refusal after a number": ([*ASKED, ended(RUN), measured(RUN)], RunRefused(run=RUN, reason="nan")),
    "an epoch again": (
        [EpochOpened(epoch=1, fingerprint="f", reason="first")],
        EpochOpened(epoch=1, fingerprint="g", reason="x"),
    ),
    "a hint whose number is taken": ([Steered(hint=1, text="try less")], Steered(hint=1, text="try more")),
    "a round that skips a number": ((), round_opened(2)),
    "a round again": ([round_opened(1)], round_opened(1)),
    "a step of no round": ((), RoundJudged(round=1, outcomes=())),
    "a second headline": ([round_opened(1), headline(1)], headline(1)),
    "a second composition": (
        [round_opened(1), composed(1, over=0)],
        composed(1, over=0),
    ),
    "a composition over a replaced incumbent": ([*DONE, round_opened(1)], composed(1, over=0)),
    "a split of a settled round": ([round_opened(1), RoundSettled(round=1)], RoundSplit(round=1, atoms=(), cells=())),
    "a headline that was judged fails": ([round_opened(1), headline(1)], HeadlineFailed(round=1, reason="crash")),
}


# ---------------------------------------------------------------- the contract


class LedgerContract(ABC):
    """Inherit, implement `open`, and pytest does the rest."""

    @abstractmethod
    def open(self, place: Path, clock: Callable[[], float]) -> CheckedLedger:
        """A connection of its own to the ledger at `place` (an empty directory at first), made when missing."""

    @pytest.fixture
    def clock(self) -> HandClock:
        """Time stands still unless a test moves it."""
        return HandClock()

    @pytest.fixture
    def reopen(self, tmp_path: Path, clock: HandClock) -> Iterator[Callable[[], CheckedLedger]]:
        """Opens the same ledger once more."""
        opened_ones: list[CheckedLedger] = []

        def again() -> CheckedLedger:
            opened_ones.append(self.open(tmp_path / "place", clock))
            return opened_ones[-1]

        (tmp_path / "place").mkdir()
        yield again
        for one in opened_ones:
            one.close()

    @pytest.fixture
    def empty(self, reopen: Callable[[], CheckedLedger]) -> CheckedLedger:
        """A ledger without events."""
        return reopen()

    @pytest.fixture
    def ledger(self, empty: CheckedLedger) -> CheckedLedger:
        """A ledger whose study has begun."""
        assert empty.record([study_created()]) == 1
        return empty

    # -- events

    def test_begins_with_the_study_and_nothing_else(self, empty: CheckedLedger) -> None:
        assert empty.record([opened(1)]) is None
        assert list(empty.events()) == []
        assert empty.record([study_created(), opened(1)]) == 2
        assert [(each.seq, each.event) for each in empty.events()] == [(1, study_created()), (2, opened(1))]

    def test_events_come_back_as_recorded_and_in_order(
        self, ledger: CheckedLedger, clock: HandClock, reopen: Callable[[], CheckedLedger]
    ) -> None:
        clock.now += 0.125
        assert ledger.record(DONE) == 1 + len(DONE)
        again = reopen()
        assert [each.event for each in again.events(after=1)] == DONE
        assert [each.seq for each in again.events()] == list(range(1, len(DONE) + 2))
        assert {each.at for each in again.events(after=1)} == {clock.now}
        assert list(again.events(after=1 + len(DONE))) == []

    def test_recording_nothing_ends_the_lease_and_nothing_else(self, ledger: CheckedLedger) -> None:
        lease = ledger.claim("step", "w1", 10)
        assert ledger.record([], lease=lease) == 1
        assert ledger.claim("step", "w2", 10) is not None

    @pytest.mark.parametrize("case", FITTING)
    def test_fits(self, ledger: CheckedLedger, case: str) -> None:
        before, event = FITTING[case]
        assert ledger.record(before) == 1 + len(before)
        assert ledger.record([event]) == 2 + len(before)
        assert ledger.verify() == []
        assert ledger.verify_projection() == []

    @pytest.mark.parametrize("case", UNFIT)
    def test_what_does_not_fit_changes_nothing(self, ledger: CheckedLedger, case: str) -> None:
        before, event = UNFIT[case]
        assert ledger.record(before) == 1 + len(before)
        then = (list(ledger.events()), list(ledger.trials()), list(ledger.runs()), ledger.counts())
        assert ledger.record([Paused(reason="first"), event]) is None
        assert (list(ledger.events()), list(ledger.trials()), list(ledger.runs()), ledger.counts()) == then
        assert ledger.verify() == []
        assert ledger.verify_projection() == []

    def test_a_batch_sees_its_own_events(self, ledger: CheckedLedger) -> None:
        assert ledger.record([*DONE, *ready(2), kept(2, 1), opened(3)]) is not None
        assert ledger.incumbent() == 2
        assert ledger.record([proposed(3), proposed(3)]) is None

    def test_of_two_keeps_over_one_incumbent_the_first_wins(
        self, ledger: CheckedLedger, reopen: Callable[[], CheckedLedger]
    ) -> None:
        other = reopen()
        ledger.record([*ready(1), *ready(2)])
        assert other.record([kept(2, 0)]) is not None
        assert ledger.record([kept(1, 0)]) is None
        assert ledger.record([kept(1, 2)]) is not None
        assert (ledger.incumbent(), other.incumbent()) == (1, 1)

    # -- leases

    def test_a_live_lease_bars_others(
        self, ledger: CheckedLedger, clock: HandClock, reopen: Callable[[], CheckedLedger]
    ) -> None:
        other = reopen()
        assert ledger.claim("step", "w1", 10) is not None
        assert other.claim("step", "w2", 10) is None
        assert other.claim("another", "w2", 10) is not None
        clock.now += 9.9
        assert other.claim("step", "w2", 10) is None
        clock.now += 0.2
        assert other.claim("step", "w2", 10) is not None

    def test_tokens_only_grow(self, ledger: CheckedLedger, clock: HandClock) -> None:
        tokens = []
        for _ in range(3):
            one = ledger.claim("step", "w1", 10)
            assert one is not None
            ledger.release(one)
            two = ledger.claim("step", "w1", 10)
            assert two is not None
            assert ledger.record([Paused(reason="x")], lease=two) is not None
            tokens += [one.token, two.token]
        assert tokens == sorted(set(tokens))

    def test_a_lease_taken_over_records_nothing(self, ledger: CheckedLedger, clock: HandClock) -> None:
        old = ledger.claim("step", "w1", 10)
        clock.now += 11
        new = ledger.claim("step", "w2", 10)
        assert old is not None
        assert new is not None
        assert new.token > old.token
        with pytest.raises(LostLease, match=r"w1.*step"):
            ledger.record([opened(1)], lease=old)
        with pytest.raises(LostLease):
            ledger.extend(old, 10)
        ledger.release(old)
        assert ledger.record([opened(1)], lease=new) == 2

    def test_a_lease_that_ran_out_still_holds_until_taken(self, ledger: CheckedLedger, clock: HandClock) -> None:
        lease = ledger.claim("step", "w1", 10)
        assert lease is not None
        clock.now += 100
        ledger.extend(lease, 10)
        assert ledger.claim("step", "w2", 10) is None
        clock.now += 100
        assert ledger.record([opened(1)], lease=lease) == 2
        with pytest.raises(LostLease):
            ledger.record([opened(2)], lease=lease)

    def test_the_same_worker_takes_its_own_step_back(self, ledger: CheckedLedger) -> None:
        old, new = ledger.claim("step", "w1", 10), ledger.claim("step", "w1", 10)
        assert old is not None
        assert new is not None
        with pytest.raises(LostLease):
            ledger.extend(old, 10)
        ledger.extend(new, 10)

    def test_a_lease_survives_what_does_not_fit(self, ledger: CheckedLedger) -> None:
        lease = ledger.claim("step", "w1", 10)
        assert lease is not None
        assert ledger.record([opened(5)], lease=lease) is None
        assert ledger.claim("step", "w2", 10) is None
        assert ledger.record([opened(1)], lease=lease) == 2

    def test_a_clock_set_back_a_day_does_not_freeze_a_step(self, ledger: CheckedLedger, clock: HandClock) -> None:
        ledger.claim("step", "w1", 10)
        clock.now -= 5
        assert ledger.claim("step", "w2", 10) is None
        clock.now -= 86_400
        assert ledger.claim("step", "w2", 10) is not None

    def test_each_step_goes_to_one_of_many_threads(self, tmp_path: Path, reopen: Callable[[], CheckedLedger]) -> None:
        race = Race(steps=[f"step {number}" for number in range(100)])
        reopen()
        threads = [
            threading.Thread(target=race.run, args=(self.open(tmp_path / "place", HandClock()), f"w{number}"))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(race.won) == sorted(race.steps)

    # -- the rows

    def test_rows_follow_their_events(self, ledger: CheckedLedger, clock: HandClock) -> None:
        ledger.record([opened(1)])
        clock.now += 60
        ledger.record([*DONE[1:]])
        row = ledger.trial(1)
        assert row is not None
        assert (row.number, row.state, row.standing) == (1, TrialState.KEPT, Standing.UNCONFIRMED)
        assert (row.tree, row.settings, row.paths) == (tree_of(1), proposed(1).settings, ("train.py",))
        assert (row.effect, row.low, row.high, row.over, row.value) == (0.1, 0.05, 0.15, 0, 2.4)
        assert (row.opened_at, row.ended_at) == (clock.now - 60, clock.now)
        (run,) = ledger.runs()
        assert (run.key, run.purpose, run.trial, run.status) == (RUN, Purpose.SCREEN, 1, RunStatus.OK)
        assert (run.metrics, run.wall, run.cpu, run.tail) == ({"loss": 2.5}, 1.5, 1.25, "")

    def test_a_failed_run_keeps_its_tail(self, ledger: CheckedLedger) -> None:
        ledger.record([*ASKED, ended(RUN, RunStatus.FAILED)])
        (run,) = ledger.runs(tree=tree_of(1))
        assert run.tail == "loss 2.5\n" * 20

    def test_trials_by_number_state_and_end(self, ledger: CheckedLedger) -> None:
        for number in range(1, 31):
            verdict = kept(number, number - 10) if number % 10 == 0 else discarded(number)
            ledger.record([opened(number), proposed(number), *([verdict] if number % 3 else [])])
        numbers = [row.number for row in ledger.trials()]
        assert numbers == list(range(1, 31))
        assert [row.number for row in ledger.trials(after=4, limit=3)] == [5, 6, 7]
        assert [row.number for row in ledger.trials(newest=True, limit=3)] == [30, 29, 28]
        assert [row.number for row in ledger.trials(after=27, newest=True)] == [30, 29, 28]
        assert [row.number for row in ledger.trials(states=[TrialState.READY], limit=4)] == [3, 6, 9, 12]
        both = [TrialState.READY, TrialState.KEPT]
        assert [row.number for row in ledger.trials(states=both, newest=True, limit=4)] == [30, 27, 24, 21]
        assert [row.number for row in ledger.trials(states=["kept"])] == [10, 20]
        assert ledger.counts()[TrialState.DISCARDED] == 18
        assert ledger.counts()[TrialState.READY] == 10
        assert ledger.counts()[TrialState.CRASHED] == 0
        assert ledger.trial(31) is None

    def test_the_first_trial_of_a_tree(self, ledger: CheckedLedger) -> None:
        twin = TrialVetoed(trial=2, rule="duplicate", reason="as 1", tree=tree_of(1), same_as=1)
        ledger.record([*DONE, opened(2), twin])
        row = ledger.trial_of_tree(tree_of(1))
        assert row is not None
        assert row.number == 1
        assert ledger.trial_of_tree(tree_of(2)) is None
        assert ledger.trial_of_tree("") is None

    def test_runs_oldest_first(self, ledger: CheckedLedger) -> None:
        more = [run_of(1, repeat=number) for number in range(1, 6)]
        ledger.record([*READY, requested(1, *reversed(more)), opened(2), proposed(2), requested(2)])
        assert [run.key for run in ledger.runs(tree=tree_of(1), limit=3)] == more[:1:-1]
        assert [run.key for run in ledger.runs()] == [*reversed(more), run_of(2)]


@dataclass
class Race:
    """Workers that claim steps and never give them back."""

    steps: list[str]
    won: list[str] = field(default_factory=list)

    def run(self, ledger: CheckedLedger, worker: str) -> None:
        """Claim what can be had."""
        for step in self.steps:
            if ledger.claim(step, worker, 1000) is not None:
                self.won.append(step)
        ledger.close()
