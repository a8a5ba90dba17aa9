"""What is due: a pure function from the state of a study to one decision or to steps that need work.

A decision is events that follow from the record alone; whoever asked records them and asks again. A step needs the
world (a researcher, a run, a scorer, the store): a worker claims it by lease, performs it, records, and asks again.
Recovery after a crash is asking again.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from autoresearch.domain import confirmation
from autoresearch.domain import events as e
from autoresearch.domain.acceptance import RULES, Evidence, MoreRuns, Outcome, Reading, Verdict
from autoresearch.domain.model import BASE, RunKey, TrialState
from autoresearch.domain.policies import POLICIES
from autoresearch.domain.seeds import POOL, derive, pool_seed
from autoresearch.domain.state import Control, OpenTrial, Stage, StudyState
from autoresearch.domain.stats import mean

CALIBRATION = POOL
"""A/A runs before the first proposal."""
INFRA_TRIES = 5
"""Failures of the machine on one step after which a study pauses."""
SUSPECT_RUNS = 3
"""Runs, the first one included, without which an implausible gain is not believed; 2 with a deterministic metric."""
FRUITLESS = 100
"""Proposals in a row that led to no run after which the search ends: it would spin without result."""
FAILED_INCUMBENT = 3
"""Failed runs of the incumbent in a row after which a study pauses: what was kept does not run any more."""


class StepKind(StrEnum):
    """What a worker can do."""

    PROPOSE = "propose"
    EXECUTE = "execute"
    SCORE = "score"
    SPLIT = "split"
    COMPOSE = "compose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something due that needs the world."""

    kind: StepKind
    trial: int | None = None
    run: RunKey | None = None
    round: int | None = None
    purpose: e.Purpose | None = None

    @property
    def key(self) -> str:
        """What a lease is taken on."""
        what = self.run.id if self.run else self.trial if self.trial is not None else self.round
        return f"{self.kind}:{what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the one who asks allows."""

    slots: int = 1
    """Trials without a verdict at a time."""
    new_trials: bool = True
    out_of_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Either a decision, or steps (the most urgent first), or nothing."""

    decision: tuple[e.Event, ...] = ()
    steps: tuple[Step, ...] = ()
    finished: bool = False
    """Nothing will be due until a person changes something."""


def plan(state: StudyState, limits: Limits) -> Plan:
    """What is due now."""
    if state.control is Control.FINISHED or (state.control is Control.PAUSED):
        return Plan(finished=True)
    if decision := _decide(state, limits):
        return Plan(decision=decision)
    steps = tuple(_steps(state))
    return Plan(steps=steps, finished=not steps)


def stop_reason(state: StudyState, limits: Limits) -> str:
    """Why no further trial is opened; empty while the search goes on."""
    stop, metric = state.study.stop, state.study.metric
    if state.control is Control.STOPPING:
        return state.reason
    if limits.out_of_time:
        return f"{stop.hours:g} hours are over" if stop.hours else "time is over"
    if stop.trials is not None and state.proposed_trials >= stop.trials:
        return f"{stop.trials} trials done"
    if (left := confirmation.search_runs_left(state)) is not None and left <= 0:
        return f"the rest of the {stop.runs} runs belongs to confirmation"
    if state.fruitless >= FRUITLESS:
        return f"{FRUITLESS} proposals in a row were vetoed or empty: the researcher has nothing new to propose"
    if stop.patience is not None and state.since_keep >= stop.patience:
        return f"{stop.patience} trials in a row without a keep"
    if stop.target is not None:
        tree = state.incumbent_trial.tree
        gains = state.gains(tree, *e.CLEAN) or state.gains(tree)
        if gains and mean(gains) >= metric.gain(stop.target):
            return f"the target {stop.target:g} is reached"
    return ""


def _decide(state: StudyState, limits: Limits) -> tuple[e.Event, ...]:
    if state.stop_now:
        return _given_up(state)
    if stuck := _stuck(state):
        return stuck
    if not _calibrated(state):
        return _calibrate(state)
    for trial in state.open.values():
        if trial.state is TrialState.READY and not state.waits_for(trial=trial.number):
            return _judge(state, trial)
    over = not state.open and bool(stop_reason(state, limits))
    asked = state.headline_asked and not (state.open or limits.new_trials)
    return (
        confirmation.advanced(state)
        or confirmation.opened(state, ending=over, searching=limits.new_trials and not over)
        or (confirmation.headline(state) if over or asked else ())
        or _finish(state, limits, over)
        or _open(state, limits)
    )


def _stuck(state: StudyState) -> tuple[e.Event, ...]:
    if state.incumbent_failures >= FAILED_INCUMBENT:
        failed = [m for m in state.readings_of(state.incumbent_trial.tree) if m.failure]
        number = state.incumbent
        what = "the base tree" if number == BASE else f"trial {number}, the incumbent (`discard {number}` undoes it),"
        return (e.Paused(reason=f"{what} failed {FAILED_INCUMBENT} times: {failed[-1].failure}"),)
    for step, count in state.infra.items():
        if count >= INFRA_TRIES:
            said = state.infra_reason.strip().rpartition("\n")[2]
            return (e.Paused(reason=f"the machine failed {count} times at {step}: {said}"),)
    stop = state.study.stop
    if stop.cost_usd is not None and state.usd >= stop.cost_usd and state.control is Control.RUNNING:
        return (e.Paused(reason=f"the cost cap of ${stop.cost_usd:g} is reached (${state.usd:.2f} spent)"),)
    return ()


def _given_up(state: StudyState) -> tuple[e.Event, ...]:
    gone = tuple(e.TrialAbandoned(trial=number, reason=state.reason or "stopped") for number in state.open)
    return (*gone, e.StudyFinished(reason=state.reason or "stopped"))


def _calibrated(state: StudyState) -> bool:
    return state.scatter.dof >= CALIBRATION - 1


def _calibrate(state: StudyState) -> tuple[e.Event, ...]:
    """A/A runs of the incumbent: seeds of the pool first, then seeds nobody has seen."""
    if any(pending.purpose is e.Purpose.CALIBRATE for pending in state.pending.values()):
        return ()
    tree, first = state.incumbent_trial.tree, state.fresh_issued
    wanted = CALIBRATION - min(len(state.gains(tree)), CALIBRATION - 1)
    seeds = [_calibration_seed(state, index) for index in range(first, first + wanted)]
    return (e.RunsRequested(purpose=e.Purpose.CALIBRATE, runs=tuple(_run(state, tree, seed) for seed in seeds)),)


def _calibration_seed(state: StudyState, index: int) -> int:
    seed = state.study.seed
    return pool_seed(seed, index) if index < POOL else derive(seed, "fresh", state.epoch, index)


def _run(state: StudyState, tree: str, seed: int) -> RunKey:
    return RunKey(tree=tree, rung=state.study.rung.name, seed=seed, epoch=state.epoch)


# ---------------------------------------------------------------- the verdict on one trial


def _judge(state: StudyState, trial: OpenTrial) -> tuple[e.Event, ...]:
    runs = state.readings_of(trial.tree)
    if failed := next((measured for measured in runs if measured.failure), None):
        return (e.TrialCrashed(trial=trial.number, reason=failed.failure),)
    if not runs:
        screen = _run(state, trial.tree, pool_seed(state.study.seed, trial.number))
        screen = replace(screen, repeat=state.given_up[trial.tree])
        return (e.RunsRequested(purpose=e.Purpose.SCREEN, runs=(screen,), trial=trial.number),)
    evidence = _evidence(state, trial)
    answer = RULES[state.study.acceptance].decide(evidence)
    if isinstance(answer, MoreRuns):
        return _more(state, trial, answer)
    if suspect := _implausible(state, trial, evidence, answer):
        return suspect
    if answer.outcome is Outcome.KEEP:
        return _guarded(state, trial, answer) or _kept(state, trial, answer)
    return (_discarded(state, trial, answer, rule="acceptance"),)


def _evidence(state: StudyState, trial: OpenTrial) -> Evidence:
    metric = state.study.metric
    incumbent = _readings(state, state.incumbent_trial.tree)
    level = mean([reading.gain for reading in incumbent]) if incumbent else 0.0
    return Evidence(
        trial=_readings(state, trial.tree),
        incumbent=incumbent,
        noise=confirmation.noise_of(state),
        min_effect=metric.min_effect.at(level),
    )


def _readings(state: StudyState, tree: str) -> tuple[Reading, ...]:
    metric = state.study.metric
    return tuple(
        Reading(
            seed=measured.run.seed,
            gain=metric.gain(measured.metrics[metric.name]),
            screening=measured.purpose is e.Purpose.SCREEN,
        )
        for measured in state.readings_of(tree)
        if not measured.failure
    )


def _more(state: StudyState, trial: OpenTrial, wanted: MoreRuns) -> tuple[e.Event, ...]:
    """Fresh runs of the trial and of the incumbent; the n-th of each share a seed issued after the tree was frozen."""
    count = max(wanted.trial, wanted.incumbent)
    first = trial.issued
    seeds = [derive(state.study.seed, "race", state.epoch, trial.number, first + i) for i in range(count)]
    runs = [_run(state, trial.tree, seed) for seed in seeds[: wanted.trial]]
    runs += [_run(state, state.incumbent_trial.tree, seed) for seed in seeds[: wanted.incumbent]]
    return (e.RunsRequested(purpose=e.Purpose.RACE, runs=tuple(runs), trial=trial.number),)


def _implausible(state: StudyState, trial: OpenTrial, evidence: Evidence, verdict: Verdict) -> tuple[e.Event, ...]:
    """A gain too good to be true is run again before it is believed, even with a deterministic metric.

    Suspect is a tree with any reading beyond the bound and beyond 6 sigma above the incumbent; it is judged as usual
    when every one of its runs shows at least half of that.
    """
    bound, sigma = state.study.metric.implausible, evidence.noise.sigma
    if bound is None:
        return ()
    level = mean([reading.gain for reading in evidence.incumbent])
    gains = [reading.gain - level for reading in evidence.trial]
    most, least = max(gains), min(gains)
    if most <= max(bound.at(level), 6 * sigma):
        return ()
    if (wanted := (SUSPECT_RUNS if sigma else 2) - len(gains)) > 0:
        return _more(state, trial, MoreRuns(trial=wanted, incumbent=0)) if verdict.outcome is Outcome.KEEP else ()
    if least >= most / 2:
        return ()
    reason = f"implausible: {most:+.4g} in one run and {least:+.4g} in another of {len(gains)}"
    return (_discarded(state, trial, verdict, rule="implausible", reason=reason),)


def _guarded(state: StudyState, trial: OpenTrial, verdict: Verdict) -> tuple[e.Event, ...]:
    for guard in state.study.guards:
        own = _mean_of(state, trial.tree, guard.metric)
        reference = _mean_of(state, state.incumbent_trial.tree, guard.metric)
        if own is None and reference is None:
            return (e.Paused(reason=_unguarded(state, guard.metric)),)
        if own is None or (reference is not None and guard.broken_by(own, reference)):
            seen = "was not measured" if own is None else f"went from {reference:.4g} to {own:.4g}"
            return (_discarded(state, trial, verdict, rule="guard", reason=f"guard {guard.metric} {seen}"),)
    return ()


def _unguarded(state: StudyState, metric: str) -> str:
    """Why a study stops that would discard every better trial."""
    readings = [each for each in state.readings_of(state.incumbent_trial.tree) if not each.failure]
    known = sorted({name for each in readings for name in each.metrics} - {state.study.metric.name})
    return f"the guard {metric!r} is on a metric that no run gives: mend the spec (known: {', '.join(known)})"


def _mean_of(state: StudyState, tree: str, metric: str) -> float | None:
    values = [m.metrics[metric] for m in state.readings_of(tree) if not m.failure and metric in m.metrics]
    return mean(values) if values else None


def _kept(state: StudyState, trial: OpenTrial, verdict: Verdict) -> tuple[e.Event, ...]:
    return (
        e.TrialKept(
            trial=trial.number,
            over=state.incumbent,
            effect=verdict.effect,
            low=verdict.low,
            high=verdict.high,
            reason=verdict.reason,
            value=_mean_of(state, trial.tree, state.study.metric.name),
        ),
    )


def _discarded(state: StudyState, trial: OpenTrial, verdict: Verdict, *, rule: str, reason: str = "") -> e.Event:
    return e.TrialDiscarded(
        trial=trial.number,
        effect=verdict.effect,
        low=verdict.low,
        high=verdict.high,
        reason=reason or verdict.reason,
        unsure=verdict.outcome is Outcome.UNSURE,
        rule=rule,
        value=_mean_of(state, trial.tree, state.study.metric.name),
    )


# ---------------------------------------------------------------- opening and ending


def _open(state: StudyState, limits: Limits) -> tuple[e.Event, ...]:
    if not limits.new_trials or stop_reason(state, limits) or len(state.open) >= limits.slots:
        return ()
    choice = POLICIES[state.study.policy](state)
    return (
        e.TrialOpened(
            trial=state.next_trial, parent=choice.parent, move=choice.move, researcher=state.study.researcher
        ),
    )


def _finish(state: StudyState, limits: Limits, over: bool) -> tuple[e.Event, ...]:
    if over and not state.pending and state.round is None:
        return (e.StudyFinished(reason=stop_reason(state, limits)),)
    return ()


def _steps(state: StudyState) -> list[Step]:
    runs = [
        Step(
            kind=StepKind.SCORE if pending.stage is Stage.SCORE else StepKind.EXECUTE,
            run=pending.run,
            trial=pending.trial,
            round=pending.round,
            purpose=pending.purpose,
        )
        for pending in state.pending.values()
    ]
    proposals = [
        Step(kind=StepKind.PROPOSE, trial=trial.number)
        for trial in state.open.values()
        if trial.state is TrialState.OPEN
    ]
    scores = [step for step in runs if step.kind is StepKind.SCORE]
    executions = [step for step in runs if step.kind is StepKind.EXECUTE]
    return list(chain(scores, _round_steps(state), executions, proposals))


def _round_steps(state: StudyState) -> list[Step]:
    round = state.round
    if round is None:
        return []
    if round.atoms is None:
        return [Step(kind=StepKind.SPLIT, round=round.number)]
    if round.outcomes is not None and not (round.composed and round.over == state.incumbent):
        return [Step(kind=StepKind.COMPOSE, round=round.number)]
    return []
