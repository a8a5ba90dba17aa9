"""The state of a study as a fold of its events.

Anything that changes state lives in this file.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch
from typing import Any

from autoresearch.domain import events as e
from autoresearch.domain.brief import Hint
from autoresearch.domain.model import BASE, RunKey, RunStatus, Standing, TrialState
from autoresearch.domain.state import (
    CONTROLLER,
    FINAL,
    PERSON,
    Control,
    KeptTrial,
    Measured,
    OpenTrial,
    Pending,
    Round,
    Stage,
    StudyState,
)
from autoresearch.domain.stats import Scatter, scatter


def fold(state: StudyState, recorded: e.Recorded) -> None:
    """Apply one recorded event to the state, in place. Events that change nothing here are passed over."""
    _apply(recorded.event, state)
    state.seq = recorded.seq


@singledispatch
def _apply(event: e.Event, state: StudyState) -> None:
    """Events without effect on planning (a worker's coming and going)."""


def _on(kind: type[Any]) -> Callable[[Callable[[Any, StudyState], None]], Callable[[Any, StudyState], None]]:
    return _apply.register(kind)


# ---------------------------------------------------------------- the study


@_on(e.StudyCreated)
def _(event: e.StudyCreated, state: StudyState) -> None:
    state._study, state.spec, state.program = event.study, event.spec, event.program
    tree = event.study.base_tree
    state.kept[BASE] = KeptTrial(number=BASE, parent=BASE, tree=tree, hypothesis="base", standing=Standing.NONE)
    state.confirmed_tree = tree


@_on(e.StudyAmended)
def _(event: e.StudyAmended, state: StudyState) -> None:
    if event.study.base_tree != state.study.base_tree:  # before the first trial only
        state.kept[BASE] = replace(state.kept[BASE], tree=event.study.base_tree)
        state.confirmed_tree = event.study.base_tree
    state._study, state.spec, state.program = event.study, event.spec, event.program
    state.fruitless = 0


@_on(e.EpochOpened)
def _(event: e.EpochOpened, state: StudyState) -> None:
    """Numbers of another epoch do not compare: runs under way are dropped, everything live is measured anew."""
    state.epoch, state.fingerprint = event.epoch, event.fingerprint
    state.fresh_issued = 0
    for number, trial in state.open.items():
        state.open[number] = replace(trial, issued=0)
    state.readings.clear()
    state.pending.clear()
    state.scatter = Scatter()
    if state.round:
        state.rounds[-1] = replace(state.rounds[-1], settled=True)


@_on(e.Paused)
def _(event: e.Paused, state: StudyState) -> None:
    state.control, state.reason = Control.PAUSED, event.reason


@_on(e.Resumed)
def _(event: e.Resumed, state: StudyState) -> None:
    state.control, state.reason, state.stop_now = Control.RUNNING, "", False
    state.incumbent_failures = state.fruitless = 0
    state.infra.clear()


@_on(e.StopRequested)
def _(event: e.StopRequested, state: StudyState) -> None:
    state.control, state.reason, state.stop_now = Control.STOPPING, event.reason, event.now


@_on(e.StudyFinished)
def _(event: e.StudyFinished, state: StudyState) -> None:
    state.control, state.reason = Control.FINISHED, event.reason


@_on(e.ConfirmRequested)
def _(event: e.ConfirmRequested, state: StudyState) -> None:
    state.confirm_asked = state.headline_asked = True
    state.stop_now = False
    if state.control is Control.FINISHED:
        state.control = Control.STOPPING


@_on(e.Steered)
def _(event: e.Steered, state: StudyState) -> None:
    state.hints[event.hint] = Hint(id=event.hint, text=event.text)
    state.next_hint = event.hint + 1


@_on(e.HintDropped)
def _(event: e.HintDropped, state: StudyState) -> None:
    state.hints.pop(event.hint, None)


@_on(e.StepFailed)
def _(event: e.StepFailed, state: StudyState) -> None:
    state.infra[event.step] += 1
    state.infra_reason = event.reason


# ---------------------------------------------------------------- runs


@_on(e.RunsRequested)
def _(event: e.RunsRequested, state: StudyState) -> None:
    for run in event.runs:
        state.pending[run] = Pending(run=run, purpose=event.purpose, trial=event.trial, round=event.round)
    if event.trial in state.open and event.purpose is e.Purpose.RACE:
        trial = state.open[event.trial]
        seeds = {run.seed for run in event.runs}
        state.open[trial.number] = replace(trial, issued=trial.issued + len(seeds))
    elif event.purpose is e.Purpose.CALIBRATE:
        state.fresh_issued += len(event.runs)
    if event.round is not None and event.purpose is e.Purpose.CONFIRM:
        _change_round(state, event.round, requested=True)


@_on(e.RunEnded)
def _(event: e.RunEnded, state: StudyState) -> None:
    state.infra.pop(f"execute:{event.run.id}", None)
    if (pending := state.pending.get(event.run)) is None:
        return
    state.runs += 1
    state.confirm_runs += pending.purpose in (e.Purpose.CONFIRM, e.Purpose.HEADLINE)
    if event.result.status is RunStatus.OK:
        state.pending[event.run] = replace(pending, stage=Stage.SCORE, measures=event.result.measures)
    else:
        _settle_run(state, event.run, Measured(run=event.run, purpose=pending.purpose, failure=event.result.reason))


@_on(e.RunMeasured)
def _(event: e.RunMeasured, state: StudyState) -> None:
    if (pending := state.pending.get(event.run)) is not None:
        scores, name = event.scores, state.study.metric.name
        metrics = {**scores.metrics, **pending.measures, name: scores.metrics[name]}
        done = Measured(run=event.run, purpose=pending.purpose, metrics=metrics, holdout=scores.holdout)
        _settle_run(state, event.run, done)


@_on(e.RunRefused)
def _(event: e.RunRefused, state: StudyState) -> None:
    if (pending := state.pending.get(event.run)) is not None:
        _settle_run(state, event.run, Measured(run=event.run, purpose=pending.purpose, failure=event.reason))


@_on(e.RunLost)
def _(event: e.RunLost, state: StudyState) -> None:
    if (pending := state.pending.get(event.run)) is not None:
        state.pending[event.run] = replace(pending, stage=Stage.EXECUTE)


def _settle_run(state: StudyState, run: RunKey, measured: Measured) -> None:
    del state.pending[run]
    state.infra.pop(f"score:{run.id}", None)
    if run.tree == state.incumbent_trial.tree:
        state.incumbent_failures = state.incumbent_failures + 1 if measured.failure else 0
    before = _repeats(state, run.tree)
    state.readings.setdefault(run.tree, []).append(measured)
    old, new = scatter(before), scatter(_repeats(state, run.tree))
    state.scatter = Scatter(
        squares=state.scatter.squares - old.squares + new.squares, dof=state.scatter.dof - old.dof + new.dof
    )


def _repeats(state: StudyState, tree: str) -> list[float]:
    """Readings of a tree that are draws like any other: not the one that let it pass the screen."""
    return state.gains(tree, *e.CLEAN)


# ---------------------------------------------------------------- trials


@_on(e.TrialOpened)
def _(event: e.TrialOpened, state: StudyState) -> None:
    state.proposed_trials += event.researcher not in (CONTROLLER, PERSON)
    state.open[event.trial] = OpenTrial(
        number=event.trial,
        parent=event.parent,
        move=event.move,
        researcher=event.researcher,
        ordinal=state.proposed_trials,
    )
    state.next_trial = event.trial + 1
    if event.researcher != CONTROLLER:
        state.final_held = False


@_on(e.TrialProposed)
def _(event: e.TrialProposed, state: StudyState) -> None:
    trial = state.open[event.trial]
    state.open[event.trial] = replace(trial, state=TrialState.READY, tree=event.tree, hypothesis=event.hypothesis)
    state.usd += event.cost.usd
    state.infra.pop(f"propose:{event.trial}", None)


@_on(e.TrialAbandoned)
def _(event: e.TrialAbandoned, state: StudyState) -> None:
    state.usd += event.cost.usd
    state.infra.pop(f"propose:{event.trial}", None)
    for run in [run for run, pending in state.pending.items() if pending.trial == event.trial]:
        del state.pending[run]
    if tree := state.open[event.trial].tree:
        state.given_up[tree] += 1
    _end(state, event.trial, TrialState.ABANDONED)


@_on(e.TrialVetoed)
def _(event: e.TrialVetoed, state: StudyState) -> None:
    state.usd += event.cost.usd
    _end(state, event.trial, TrialState.VETOED)


@_on(e.TrialDiscarded)
def _(event: e.TrialDiscarded, state: StudyState) -> None:
    _end(state, event.trial, TrialState.DISCARDED)


@_on(e.TrialCrashed)
def _(event: e.TrialCrashed, state: StudyState) -> None:
    _end(state, event.trial, TrialState.CRASHED)


@_on(e.TrialKept)
def _(event: e.TrialKept, state: StudyState) -> None:
    trial = state.open[event.trial]
    state.kept[event.trial] = KeptTrial(
        number=trial.number,
        parent=event.over,
        tree=trial.tree,
        researcher=trial.researcher,
        hypothesis=trial.hypothesis,
        effect=event.effect,
    )
    state.incumbent = event.trial
    state.incumbent_failures = 0
    _end(state, event.trial, TrialState.KEPT)


@_on(e.StandingChanged)
def _(event: e.StandingChanged, state: StudyState) -> None:
    state.kept[event.trial] = replace(state.kept[event.trial], standing=event.standing)


def _end(state: StudyState, number: int, outcome: TrialState) -> None:
    trial = state.open.pop(number)
    state.counts[outcome] += 1
    if trial.researcher not in (CONTROLLER, PERSON):
        state.since_keep = 0 if outcome is TrialState.KEPT else state.since_keep + 1
        state.fruitless = 0 if outcome not in (TrialState.VETOED, TrialState.ABANDONED) else state.fruitless + 1
    if outcome is not TrialState.KEPT:
        _forget(state, {trial.tree})


# ---------------------------------------------------------------- confirmation


@_on(e.RoundOpened)
def _(event: e.RoundOpened, state: StudyState) -> None:
    state.confirm_asked = False
    state.rounds.append(
        Round(
            number=event.round,
            reference=event.reference,
            full=event.full,
            incumbent=event.incumbent,
            reason=event.reason,
        )
    )


@_on(e.RoundSplit)
def _(event: e.RoundSplit, state: StudyState) -> None:
    _change_round(state, event.round, atoms=event.atoms, cells=event.cells)


@_on(e.RoundJudged)
def _(event: e.RoundJudged, state: StudyState) -> None:
    _change_round(state, event.round, outcomes=event.outcomes, level=event.level)


@_on(e.RoundComposed)
def _(event: e.RoundComposed, state: StudyState) -> None:
    _change_round(state, event.round, composed=True, confirmed=event.confirmed, working=event.working, over=event.over)


@_on(e.RoundSettled)
def _(event: e.RoundSettled, state: StudyState) -> None:
    number, before = event.round, state.confirmed_tree
    _change_round(state, number, settled=True)
    state.confirmed_tree = state.rounds[number - 1].confirmed or state.confirmed_tree
    state.final_held = state.rounds[number - 1].reason == FINAL
    state.headline_due |= state.confirmed_tree != before
    _forget(state, {before} | {cell.tree for cell in state.rounds[number - 1].cells if cell.tree})
    state.rounds[number - 1] = replace(state.rounds[number - 1], cells=())


@_on(e.HeadlineJudged)
def _(event: e.HeadlineJudged, state: StudyState) -> None:
    _change_round(state, event.round, headline=event)
    state.headline_due = state.headline_asked = False


@_on(e.HeadlineFailed)
def _(event: e.HeadlineFailed, state: StudyState) -> None:
    state.confirmed_tree = state.rounds[event.round - 1].reference
    state.headline_due = state.headline_asked = False


def _change_round(state: StudyState, number: int, **changes: Any) -> None:
    state.rounds[number - 1] = replace(state.rounds[number - 1], **changes)


def _forget(state: StudyState, trees: set[str]) -> None:
    """Drop the readings of trees that nothing live refers to any more; what they said of the noise stays."""
    live = {kept.tree for kept in state.kept.values()} | {trial.tree for trial in state.open.values()}
    live |= {state.confirmed_tree, state.study.base_tree}
    if state.round:
        live |= {cell.tree for cell in state.round.cells if cell.tree}
    for tree in trees - live:
        state.readings.pop(tree, None)
