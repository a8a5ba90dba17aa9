"""Verdicts beside the acceptance rule, and how studies end: guards, implausible gains, stop reasons, headlines."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from autoresearch.domain import events as e
from autoresearch.domain.model import (
    Bound,
    Cost,
    Direction,
    Guard,
    Metric,
    RunKey,
    RunResult,
    RunStatus,
    Standing,
    Stop,
    TrialState,
)
from autoresearch.domain.plan import Limits, Step, StepKind, plan, stop_reason
from autoresearch.domain.state import Control
from autoresearch.testing.priors import mixture
from autoresearch.testing.simulator import ALONE, SimulatedStudy

Spoil = Callable[[dict[str, float], frozenset[int], int], dict[str, float]]
"""Changes measured metrics, given the changes in the tree and how often the tree was measured before."""


class World(SimulatedStudy):
    """A simulated study with scripted effects, whose measurements and runs can be spoiled."""

    def __init__(
        self,
        *effects: float,
        spoil: Spoil | None = None,
        crash: Callable[[Step, frozenset[int]], bool] = lambda step, changes: False,
        runs: int = 400,
        sigma: float = 1.0,
        cost: float = 0.0,
        **more: Any,
    ) -> None:
        script = iter(effects)
        super().__init__(lambda chance: next(script, -9.0), runs=runs, seed=1, sigma=sigma, **more)
        self._spoil, self._crash, self._cost = spoil, crash, cost
        self._measured: dict[str, int] = {}

    def measure(self, run: RunKey) -> dict[str, float]:
        before = self._measured.get(run.tree, 0)
        self._measured[run.tree] = before + 1
        metrics = super().measure(run)
        return self._spoil(metrics, self.trees[run.tree], before) if self._spoil else metrics

    def execute(self, step: Step) -> RunResult:
        assert step.run is not None
        if self._crash(step, self.trees[step.run.tree]):
            return RunResult(status=RunStatus.FAILED, reason="exit status 1")
        return super().execute(step)

    def record(self, event: e.Event) -> None:
        if isinstance(event, e.TrialProposed) and self._cost:
            event = e.TrialProposed(
                trial=event.trial, tree=event.tree, hypothesis=event.hypothesis, cost=Cost(usd=self._cost)
            )
        super().record(event)

    def found(self, kind: type[e.Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def until(self, done: Callable[[], bool], limits: Limits = ALONE) -> None:
        while not done():
            due = plan(self.state, limits)
            assert due.decision or due.steps
            for event in due.decision:
                self.record(event)
            if due.steps:
                self.perform(due.steps[0])

    def runs_for(self, trial: int) -> list[RunKey]:
        asked = [event for event in self.found(e.RunsRequested) if event.trial == trial]
        return [run for event in asked for run in event.runs if self.trees[run.tree]]


def stop(**more: Any) -> Stop:
    return Stop(**{"trials": 3, **more})


# ---------------------------------------------------------------- guards

MEMORY = (Guard(metric="memory", max_increase=Bound(value=0.1, relative=True)),)


def hungry(metrics: dict[str, float], changes: frozenset[int], _: int) -> dict[str, float]:
    """Trial 1 needs half as much memory again, trial 2 a little more."""
    return {**metrics, "memory": 100.0 + 50.0 * (1 in changes) + 5.0 * (2 in changes)}


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_a_broken_guard_discards_what_the_rule_would_keep(sigma: float) -> None:
    study = World(9.0, 9.0, spoil=hungry, sigma=sigma, guards=MEMORY, stop=stop(trials=2))
    study.play()
    (lost,) = study.found(e.TrialDiscarded)
    assert (lost.trial, lost.rule, lost.unsure) == (1, "guard", False)
    assert lost.reason == "guard memory went from 100 to 150"
    assert study.state.kept[2].standing is Standing.CONFIRMED


def test_a_tree_without_the_guarded_metric_is_discarded() -> None:
    def silent(metrics: dict[str, float], changes: frozenset[int], _: int) -> dict[str, float]:
        return metrics if changes else {**metrics, "memory": 100.0}

    study = World(9.0, spoil=silent, sigma=0.0, guards=MEMORY, stop=stop(trials=1))
    study.play()
    (lost,) = study.found(e.TrialDiscarded)
    assert (lost.rule, lost.reason) == ("guard", "guard memory was not measured")


def test_a_guard_that_the_incumbent_never_measured_asks_only_that_the_trial_does() -> None:
    def newly(metrics: dict[str, float], changes: frozenset[int], _: int) -> dict[str, float]:
        return {**metrics, "memory": 100.0} if changes else metrics

    study = World(9.0, spoil=newly, sigma=0.0, guards=MEMORY, stop=stop(trials=1))
    study.play()
    assert study.state.kept[1].standing is Standing.CONFIRMED


# ---------------------------------------------------------------- implausible gains

BOUNDED = Metric(name="gain", direction=Direction.MAXIMIZE, implausible=Bound(value=5.0, relative=False))


def glitch(metrics: dict[str, float], changes: frozenset[int], before: int) -> dict[str, float]:
    """The first run of any changed tree reads far too well."""
    return {"gain": metrics["gain"] + 100.0 * bool(changes and before == 0)}


@pytest.mark.parametrize("effect", [0.0, 1.0, -1.0])
@pytest.mark.parametrize(("sigma", "runs"), [(0.0, 2), (1.0, 3)])
@pytest.mark.parametrize("rule", ["race", "strict", "greedy"])
def test_an_implausible_gain_that_does_not_reproduce_is_discarded(
    effect: float, sigma: float, runs: int, rule: str
) -> None:
    study = World(effect, spoil=glitch, sigma=sigma, metric=BOUNDED, acceptance=rule, stop=stop(trials=1))
    study.play()
    (lost,) = study.found(e.TrialDiscarded)
    assert lost.rule == "implausible"
    assert lost.reason.startswith("implausible: +")
    assert len(study.runs_for(1)) == (7 if rule == "strict" and sigma else runs)
    assert study.state.control is Control.FINISHED


@pytest.mark.parametrize(("sigma", "runs"), [(0.0, 2), (1.0, 3)])
def test_an_implausible_gain_that_reproduces_is_kept_after_further_runs(sigma: float, runs: int) -> None:
    study = World(100.0, sigma=sigma, metric=BOUNDED, stop=stop(trials=1))
    study.play()
    assert not study.found(e.TrialDiscarded)
    assert len(study.runs_for(1)) == runs
    assert study.state.kept[1].standing is Standing.CONFIRMED


def test_gains_within_the_bound_or_within_six_sigma_are_not_run_again() -> None:
    exact = World(4.9, sigma=0.0, metric=BOUNDED, stop=stop(trials=1))
    exact.play()
    assert len(exact.runs_for(1)) == 1
    noisy = World(30.0, sigma=10.0, metric=BOUNDED, stop=stop(trials=1), acceptance="greedy")
    noisy.until(lambda: not noisy.state.open and noisy.state.next_trial > 1)
    assert len(noisy.runs_for(1)) == 1


# ---------------------------------------------------------------- why a search ends


@pytest.mark.parametrize(
    ("effects", "limit", "trials", "reason"),
    [
        ((), {"trials": 4}, 4, "4 trials done"),
        ((9.0, 9.0), {"trials": None, "patience": 3}, 5, "3 trials in a row without a keep"),
        ((9.0, 9.0, 9.0), {"trials": None, "target": 15.0}, 2, "the target 15 is reached"),
        ((9.0,), {"trials": None, "runs": 20}, 2, "the rest of the 20 runs belongs to confirmation"),
    ],
)
def test_stop_reasons(effects: Iterable[float], limit: dict[str, Any], trials: int, reason: str) -> None:
    study = World(*effects, sigma=1.0, stop=Stop(**limit))
    study.play()
    assert study.state.control is Control.FINISHED
    assert study.state.reason == reason
    if limit.get("runs") is None:
        assert study.state.proposed_trials == trials
    assert study.state.proposed_trials >= trials
    assert bool(study.state.rounds) == bool(effects)


def test_the_target_is_judged_by_readings_that_selected_nothing() -> None:
    """A lucky first reading beyond the target does not end the study."""
    study = World(4.0, spoil=glitch, stop=stop(trials=None, target=20.0))
    study.until(lambda: 1 in study.state.kept)
    assert not stop_reason(study.state, ALONE)


def test_the_cost_cap_pauses_and_a_stop_still_confirms() -> None:
    study = World(9.0, 9.0, 9.0, cost=2.0, stop=stop(trials=None, cost_usd=3.0))
    study.play()
    assert (study.state.control, study.state.proposed_trials) == (Control.PAUSED, 2)
    assert study.state.reason == "the cost cap of $3 is reached ($4.00 spent)"
    study.record(e.Resumed())
    study.play()
    assert (study.state.control, study.state.proposed_trials) == (Control.PAUSED, 2)
    study.record(e.StopRequested(reason="enough"))
    study.play()
    assert (study.state.control, study.state.proposed_trials) == (Control.FINISHED, 2)
    assert study.state.kept[1].standing is Standing.CONFIRMED


def test_without_time_open_trials_end_and_confirmation_follows() -> None:
    study = World(9.0, 9.0, 9.0, stop=stop(trials=None, hours=2.0))
    study.until(lambda: len(study.state.kept) == 2 and bool(study.state.open))
    study.play(Limits(out_of_time=True))
    assert study.state.control is Control.FINISHED
    assert study.state.reason == "2 hours are over"
    assert study.state.proposed_trials == 2
    assert study.found(e.HeadlineJudged)


# ---------------------------------------------------------------- several trials at once


def test_a_race_goes_on_against_the_incumbent_of_the_moment() -> None:
    """Trial 2 is screened against the base; trial 1 takes its place before the race of trial 2 is over."""
    study = World(20.0, 3.0, stop=stop(trials=2))
    two = Limits(slots=2)
    study.until(lambda: len(study.state.open) == 2, two)
    while 1 in study.state.open or 2 in study.state.open:
        due = plan(study.state, two)
        for event in due.decision:
            study.record(event)
        first = [step for step in due.steps if step.trial == 1 or study.state.incumbent == 1]
        if due.steps and not due.decision:
            study.perform((first or list(due.steps))[0])
    assert study.state.incumbent == 1
    (lost,) = study.found(e.TrialDiscarded)
    assert lost.trial == 2
    assert lost.effect < -10.0


@pytest.mark.parametrize("seed", range(12))
def test_trials_side_by_side_end_in_any_order_without_a_run_asked_for_twice(seed: int) -> None:
    study = SimulatedStudy(mixture((0.3, 2.0), (0.4, -1.0)), runs=160, seed=seed)
    outcome = study.play(Limits(slots=2), order=random.Random(seed))
    asked = [run for event in study.events if isinstance(event, e.RunsRequested) for run in event.runs]
    assert len(asked) == len(set(asked))
    assert study.state.control is Control.FINISHED
    assert not study.state.open
    assert not study.state.pending
    ended = sum(study.state.counts[state] for state in TrialState if state.ended)
    assert ended == study.state.next_trial - 1
    assert outcome.runs <= 160
    assert all(study.effects[change] > 0 for change in study.trees[study.state.confirmed_tree])


# ---------------------------------------------------------------- confirmation that is asked for, headlines that fail


def test_confirmation_asked_for_on_a_running_study_is_held_at_once_and_the_search_goes_on() -> None:
    study = World(9.0, -1.0, 9.0, stop=stop(trials=3))
    study.until(lambda: 1 in study.state.kept and bool(study.state.open))
    study.record(e.ConfirmRequested())
    study.play()
    assert [round.reason for round in study.state.rounds] == ["asked for", "final"]
    opened = study.found(e.TrialOpened)
    assert study.events.index(study.found(e.RoundSettled)[0]) < study.events.index(opened[2])
    assert {study.state.kept[number].standing for number in (1, 3)} == {Standing.CONFIRMED}
    assert study.state.rounds[-1].headline


def test_confirmation_asked_for_on_a_finished_study_tries_what_is_undecided_again() -> None:
    def lucky(metrics: dict[str, float], changes: frozenset[int], before: int) -> dict[str, float]:
        return {"gain": metrics["gain"] + 5.0 * (2 in changes and before == 0)}

    study = World(9.0, 0.0, acceptance="greedy", spoil=lucky, stop=stop(trials=2))
    study.play()
    before = study.state.kept[2].standing
    study.record(e.ConfirmRequested())
    study.play(Limits(slots=0, new_trials=False))
    assert [round.reason for round in study.state.rounds] == ["final", "asked for"]
    assert (before, study.state.kept[2].standing) == (Standing.UNDECIDED, Standing.REFUTED)
    assert study.trees[study.state.incumbent_trial.tree] == study.trees[study.state.confirmed_tree] == {1}
    assert study.state.proposed_trials == 2


def only_at_the_end(step: Step, changes: frozenset[int]) -> bool:
    """What is confirmed does not run by itself once it is measured beside the base."""
    return step.purpose is e.Purpose.HEADLINE and bool(changes)


def test_a_confirmed_tree_that_does_not_run_is_not_claimed() -> None:
    study = World(9.0, 9.0, crash=only_at_the_end, stop=stop(trials=2))
    outcome = study.play()
    (failed,) = study.found(e.HeadlineFailed)
    assert failed.reason == "no run of the confirmed-only tree succeeded"
    assert study.state.confirmed_tree == "base"
    assert not outcome.claims
    assert [study.state.kept[number].standing for number in (1, 2)] == [Standing.UNDECIDED] * 2
    assert study.state.control is Control.FINISHED


def test_a_failed_headline_takes_back_every_round_since_the_last_good_one() -> None:
    """Rounds 1 and 2 confirm before anything is measured beside the base: neither is claimed when that fails."""
    study = World(9.0, 9.0, crash=only_at_the_end, stop=stop(trials=2))
    study.until(lambda: 1 in study.state.kept)
    study.record(e.ConfirmRequested())
    study.play()
    assert len(study.state.rounds) == 2
    assert study.found(e.HeadlineFailed)[0].round == 1
    assert study.state.confirmed_tree == "base"
    assert {study.state.kept[number].standing for number in (1, 2)} == {Standing.UNDECIDED}


def test_after_a_failed_headline_what_was_measured_before_stays_claimed() -> None:
    study = World(9.0, 9.0, crash=lambda step, c: only_at_the_end(step, c) and 2 in c, stop=stop(trials=1))
    study.play()
    first = study.state.confirmed_tree
    assert study.state.rounds[0].headline
    study.record(e.StudyAmended(study=World(stop=stop(trials=2)).state.study, spec=""))
    study.record(e.Resumed())
    study.play()
    assert study.found(e.HeadlineFailed)[0].round == 2
    assert study.state.confirmed_tree == first != "base"
    assert [study.state.kept[number].standing for number in (1, 2)] == [Standing.CONFIRMED, Standing.UNDECIDED]


def test_steps_wait_for_nothing_else_than_the_world() -> None:
    """Asking twice without recording gives the same answer: recovery is asking again."""
    study = World(9.0, stop=stop(trials=1))
    study.until(lambda: bool(study.state.open))
    assert plan(study.state, ALONE) == plan(study.state, ALONE)
    assert plan(study.state, ALONE).steps[0].kind is StepKind.PROPOSE
