"""States from which a study must be able to go on, or to end, whatever happened before."""

from autoresearch.domain import events as e
from autoresearch.domain.confirmation import ASKED
from autoresearch.domain.model import Cost, RunKey, RunResult, RunStatus, TrialState
from autoresearch.domain.plan import FRUITLESS, INFRA_TRIES, Limits, Step, StepKind, plan
from autoresearch.domain.state import FINAL, Control
from autoresearch.testing.priors import mixture
from autoresearch.testing.simulator import SimulatedStudy

GAINS = mixture((0.1, 2.0), (0.4, -1.0))
QUIET = Limits(slots=0, new_trials=False)


def until_kept(study: SimulatedStudy) -> SimulatedStudy:
    """Play until a trial is kept that no round has seen."""
    while study.state.incumbent == 0 or study.state.open or study.state.pending or study.state.round:
        step_of(study, Limits())
    return study


def step_of(study: SimulatedStudy, limits: Limits) -> None:
    due = plan(study.state, limits)
    for event in due.decision:
        study.record(event)
    if due.steps:
        study.perform(due.steps[0])


def rest(study: SimulatedStudy, limits: Limits) -> None:
    while not plan(study.state, limits).finished:
        step_of(study, limits)


def test_confirmation_after_an_end_at_once_takes_place() -> None:
    study = until_kept(SimulatedStudy(GAINS, runs=300, seed=1))
    study.record(e.StopRequested(reason="enough", now=True))
    rest(study, Limits())
    assert study.state.control is Control.FINISHED
    study.record(e.ConfirmRequested())
    rest(study, QUIET)
    assert [round.settled for round in study.state.rounds] == [True]


def test_a_round_that_was_asked_for_leaves_runs_and_error_level_to_the_rest_of_the_search() -> None:
    study = until_kept(SimulatedStudy(GAINS, runs=300, seed=1))
    study.record(e.ConfirmRequested())
    rest(study, QUIET)
    [asked] = study.state.rounds
    assert asked.reason == ASKED
    assert study.state.runs < 150
    assert study.state.control is Control.RUNNING
    rest(study, Limits())
    last = study.state.rounds[-1]
    assert last.reason == FINAL
    assert last.level > 0


def test_without_further_trials_nobody_holds_an_interim_round() -> None:
    study = SimulatedStudy(GAINS, runs=700, seed=1)
    while not (
        plan(study.state, Limits()).decision and isinstance(plan(study.state, Limits()).decision[0], e.RoundOpened)
    ):
        step_of(study, Limits())
    rest(study, QUIET)
    assert not study.state.rounds


class Fruitless(SimulatedStudy):
    def perform(self, step: Step) -> None:
        if step.kind is StepKind.PROPOSE and step.trial is not None:
            self.record(e.TrialAbandoned(trial=step.trial, reason="nothing comes to mind"))
        else:
            super().perform(step)


def test_a_researcher_with_nothing_to_propose_ends_the_search() -> None:
    study = Fruitless(GAINS, runs=10_000, seed=1)
    rest(study, Limits())
    assert study.state.counts[TrialState.ABANDONED] == FRUITLESS
    assert "nothing new to propose" in study.state.reason
    study.record(e.Resumed())
    assert not plan(study.state, Limits()).finished


def test_a_tree_given_up_half_way_may_be_measured_later() -> None:
    study = SimulatedStudy(GAINS, runs=300, seed=1)
    while not (study.state.open and any(trial.tree for trial in study.state.open.values()) and study.state.pending):
        step_of(study, Limits())
    [trial] = study.state.open.values()
    first = [run for run in study.state.pending if run.tree == trial.tree]
    study.record(e.TrialAbandoned(trial=trial.number, reason="stopped"))
    for number in range(trial.number + 1, trial.number + 9):
        study.record(e.TrialOpened(trial=number, parent=0, move=trial.move, researcher="tune"))
        study.record(e.TrialProposed(trial=number, tree=trial.tree, hypothesis="again", cost=Cost()))
        [asked] = plan(study.state, Limits()).decision
        assert isinstance(asked, e.RunsRequested)
        assert not set(asked.runs) & set(first)
        first += asked.runs
        study.record(e.TrialAbandoned(trial=number, reason="stopped"))


class Broken(SimulatedStudy):
    def execute(self, step: Step) -> RunResult:
        return RunResult(status=RunStatus.FAILED, reason="no")


def test_a_stuck_study_can_be_stopped() -> None:
    study = Broken(GAINS, runs=100, seed=1)
    rest(study, Limits())
    paused = study.state.control
    study.record(e.StopRequested(reason="enough", now=True))
    rest(study, Limits())
    assert (paused, study.state.control) == (Control.PAUSED, Control.FINISHED)


def test_a_pause_by_the_machine_says_what_the_machine_said() -> None:
    study = SimulatedStudy(GAINS, runs=100, seed=1)
    step_of(study, Limits())
    run: RunKey = next(iter(study.state.pending))
    for _ in range(INFRA_TRIES):
        study.record(e.StepFailed(step=f"execute:{run.id}", reason="Traceback\n  deep\nOSError: no such device"))
    [paused] = plan(study.state, Limits()).decision
    assert isinstance(paused, e.Paused)
    assert paused.reason.endswith("OSError: no such device")
