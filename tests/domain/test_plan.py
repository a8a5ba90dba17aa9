"""The core plays whole simulated studies: real plan, acceptance, confirmation and fold."""

import random

from autoresearch.domain import codec
from autoresearch.domain import events as e
from autoresearch.domain.lineage import fold
from autoresearch.domain.model import BASE, RunResult, RunStatus, Standing, TrialState
from autoresearch.domain.plan import CALIBRATION, Limits, StepKind, plan
from autoresearch.domain.state import Control, StudyState
from autoresearch.testing.priors import mixture
from autoresearch.testing.simulator import SimulatedStudy, simulate

GAINS = mixture((0.1, 2.0), (0.4, -1.0))


def played(seed: int = 1, runs: int = 200, **more: object) -> SimulatedStudy:
    study = SimulatedStudy(GAINS, runs=runs, seed=seed, **more)  # type: ignore[arg-type]
    study.play()
    return study


def refold(events: list[e.Event]) -> StudyState:
    state = StudyState()
    for seq, event in enumerate(events, 1):
        copy = codec.load_event(type(event).__name__, codec.dump(event))
        fold(state, e.Recorded(seq=seq, at=0.0, event=copy))
    return state


def test_the_first_runs_are_calibration_on_distinct_seeds() -> None:
    study = SimulatedStudy(GAINS, runs=50, seed=3)
    due = plan(study.state, Limits())
    (asked,) = due.decision
    assert isinstance(asked, e.RunsRequested)
    assert asked.purpose is e.Purpose.CALIBRATE
    assert len({run.seed for run in asked.runs}) == CALIBRATION
    assert {run.tree for run in asked.runs} == {study.state.study.base_tree}


def test_a_study_ends_within_its_cap_on_runs_and_confirms_only_what_is_better() -> None:
    for seed in range(5):
        study = played(seed)
        assert study.state.control is Control.FINISHED
        assert study.state.runs <= 200
        assert not study.state.pending
        assert not study.state.open
        confirmed = study.trees[study.state.confirmed_tree]
        assert all(study.effects[change] > 0 for change in confirmed)


def test_no_run_is_asked_for_twice() -> None:
    study = played(seed=4, runs=300)
    asked = [run for event in study.events if isinstance(event, e.RunsRequested) for run in event.runs]
    assert len(asked) == len(set(asked))


def test_confirmation_never_touches_the_pool_and_a_race_uses_fresh_paired_seeds() -> None:
    study = played(seed=4, runs=300)
    seeds: dict[e.Purpose, set[int]] = {}
    for event in study.events:
        if isinstance(event, e.RunsRequested):
            seeds.setdefault(event.purpose, set()).update(run.seed for run in event.runs)
    assert seeds[e.Purpose.SCREEN] <= seeds[e.Purpose.CALIBRATE]
    assert not seeds[e.Purpose.CONFIRM] & (seeds[e.Purpose.CALIBRATE] | seeds[e.Purpose.RACE])
    assert not seeds[e.Purpose.RACE] & seeds[e.Purpose.CALIBRATE]


def test_the_state_is_a_function_of_the_record_and_survives_writing_and_reading() -> None:
    study = played(seed=5)
    again = refold(study.events)
    assert again.incumbent == study.state.incumbent
    assert again.kept == study.state.kept
    assert again.readings == study.state.readings
    assert again.scatter == study.state.scatter
    assert plan(again, Limits()) == plan(study.state, Limits())


def test_the_same_measurements_give_the_same_decisions() -> None:
    """Replaying the world's events lets `plan` decide everything else exactly as before."""
    study = played(seed=6)
    world = (e.TrialProposed, e.RunEnded, e.RunMeasured, e.RoundSplit, e.RoundComposed, e.StudyCreated, e.EpochOpened)
    state, left = StudyState(), list(study.events)
    seq = 0
    while left:
        if isinstance(left[0], world) and not (state.epoch >= 0 and plan(state, Limits()).decision):
            events: tuple[e.Event, ...] = (left[0],)
        else:
            events = plan(state, Limits()).decision
        assert list(events) == left[: len(events)]
        assert events
        for event in events:
            seq += 1
            fold(state, e.Recorded(seq=seq, at=0.0, event=event))
        left = left[len(events) :]


def test_state_stays_bounded_by_the_keeps() -> None:
    study = played(seed=7, runs=700)
    live = {kept.tree for kept in study.state.kept.values()}
    assert set(study.state.readings) <= live | {study.state.confirmed_tree, study.state.study.base_tree}


def test_a_deterministic_metric_needs_one_run_a_trial_and_is_exact() -> None:
    study = SimulatedStudy(GAINS, runs=100, seed=8, sigma=0.0)
    outcome = study.play()
    screens = [
        event for event in study.events if isinstance(event, e.RunsRequested) and event.purpose is e.Purpose.RACE
    ]
    assert not screens
    assert outcome.false_keeps == 0
    assert outcome.confirmed_gain == outcome.incumbent_gain > 0


def test_greedy_keeps_falsely_more_often_than_race() -> None:
    greedy = simulate(GAINS, runs=125, seeds=range(20), acceptance="greedy")
    race = simulate(GAINS, runs=125, seeds=range(20))
    assert race.false_keep_share < greedy.false_keep_share / 2
    assert race.reported_minus_true < greedy.reported_minus_true


def test_a_refuted_change_is_taken_out_by_a_trial_of_its_own() -> None:
    """A greedy search keeps harmful changes; what confirmation refutes leaves the incumbent."""
    harmful = mixture((0.2, 2.5), (0.7, -1.5))
    for seed in range(40):
        study = SimulatedStudy(harmful, runs=400, seed=seed, acceptance="greedy")
        study.play()
        refuted = [kept.number for kept in study.state.kept.values() if kept.standing is Standing.REFUTED]
        if refuted and study.state.incumbent_trial.researcher == "confirmation":
            assert not study.trees[study.state.incumbent_trial.tree] & set(refuted)
            return
    raise AssertionError("no simulated study refuted anything")


def test_paused_studies_and_finished_ones_have_nothing_due() -> None:
    study = SimulatedStudy(GAINS, runs=50, seed=3)
    study.record(e.Paused(reason="by hand"))
    assert plan(study.state, Limits()).finished
    assert not plan(study.state, Limits()).steps
    study.record(e.Resumed())
    assert plan(study.state, Limits()).decision


def test_stopping_opens_no_trial_but_confirms() -> None:
    study = SimulatedStudy(GAINS, runs=400, seed=2)
    while len(study.state.kept) < 3:
        due = plan(study.state, Limits())
        for event in due.decision:
            study.record(event)
        if due.steps:
            study.perform(due.steps[0])
    opened = study.state.next_trial
    study.record(e.StopRequested(reason="enough"))
    study.play()
    removals = [k for k in study.state.kept.values() if k.researcher == "confirmation"]
    assert study.state.next_trial == opened + len(removals)
    assert study.state.rounds
    assert study.state.reason == "enough"


def test_stopping_now_gives_up_open_trials_without_confirmation() -> None:
    study = SimulatedStudy(GAINS, runs=400, seed=2)
    while not study.state.open:
        due = plan(study.state, Limits())
        for event in due.decision:
            study.record(event)
        if due.steps and due.steps[0].kind is not StepKind.PROPOSE:
            study.perform(due.steps[0])
    study.record(e.StopRequested(reason="now", now=True))
    study.play()
    assert study.state.counts[TrialState.ABANDONED] == 1
    assert not study.state.rounds


def test_a_new_epoch_measures_the_incumbent_anew_and_forgets_old_numbers() -> None:
    study = played(seed=1)
    before = study.state.incumbent
    study.record(e.Resumed())
    study.record(e.EpochOpened(epoch=1, fingerprint="other", reason="scorer changed"))
    assert study.state.incumbent == before
    assert not study.state.readings
    (asked,) = plan(study.state, Limits()).decision
    assert isinstance(asked, e.RunsRequested)
    assert asked.purpose is e.Purpose.CALIBRATE
    assert {run.tree for run in asked.runs} == {study.state.incumbent_trial.tree}
    assert {run.epoch for run in asked.runs} == {1}


def test_a_base_that_fails_pauses_the_study_and_says_why() -> None:
    study = SimulatedStudy(GAINS, runs=50, seed=3)
    for _ in range(20):
        due = plan(study.state, Limits())
        for event in due.decision:
            study.record(event)
        for step in due.steps:
            assert step.run is not None
            study.record(e.RunEnded(run=step.run, result=RunResult(status=RunStatus.FAILED, reason="boom")))
    assert study.state.control is Control.PAUSED
    assert "base" in study.state.reason
    assert "boom" in study.state.reason


def test_seeds_are_the_studys_own_and_chance_is_an_argument() -> None:
    one, two = played(seed=9), played(seed=9)
    random.seed(1)
    three = played(seed=9)
    assert one.events == two.events == three.events
    assert played(seed=10).events != one.events
    assert one.state.kept[BASE].tree == "base"
