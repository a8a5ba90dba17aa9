"""What every ledger must do, as a pytest class to inherit: implement `open` and the tests run on your back end.

Tests know the ledger by `ports` alone, and by the few further methods that `CheckedLedger` names.
"""
# ruff: noqa: D102 (the names of tests say what they test)

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pytest

from autoresearch.domain.errors import LostLease
from autoresearch.domain.events import (
    Paused,
    Purpose,
    TrialAbandoned,
    TrialVetoed,
)
from autoresearch.domain.model import (
    RunStatus,
    Standing,
    TrialState,
)
from autoresearch.ports import Ledger, Record
from autoresearch.testing.ledger_cases import (
    ASKED,
    DONE,
    FITTING,
    READY,
    RUN,
    UNFIT,
    discarded,
    ended,
    kept,
    opened,
    proposed,
    ready,
    requested,
    run_of,
    study_created,
    tree_of,
)


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

    def test_a_tree_without_a_result_is_nobodys(self, ledger: CheckedLedger) -> None:
        veto = TrialVetoed(trial=2, rule="editable", reason="no", tree=tree_of(2))
        gone = TrialAbandoned(trial=1, reason="stopped")
        ledger.record([opened(1), proposed(1), gone, opened(2), veto])
        assert ledger.trial_of_tree(tree_of(1)) is None
        assert ledger.trial_of_tree(tree_of(2)) is None

    def test_a_tree_that_waits_for_its_verdict_is_not_proposed_again(self, ledger: CheckedLedger) -> None:
        twin = replace(proposed(2), tree=tree_of(1))
        ledger.record([opened(1), opened(2), proposed(1)])
        assert ledger.record([twin]) is None
        assert ledger.record([twin, discarded(1)]) is None
        assert ledger.record([TrialAbandoned(trial=1, reason="stopped"), twin]) is not None

    def test_a_removal_may_lead_to_any_tree(self, ledger: CheckedLedger) -> None:
        mine = replace(opened(2), researcher="confirmation")
        back = [mine, replace(proposed(2), tree=tree_of(1)), kept(2, over=0)]
        assert ledger.record([opened(1), proposed(1), *back]) is not None

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
