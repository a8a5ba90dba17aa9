"""A seeded simulator of whole studies: the real `plan`, acceptance and confirmation; only runs are draws.

A tree is a set of changes, each with a true effect; a run of it is the sum of these plus Gaussian noise of s.d. 1.
Nothing of the decision is written again here: events are folded by `lineage.fold`, as the engine does.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from autoresearch.domain import confirmation
from autoresearch.domain import events as e
from autoresearch.domain.lineage import CONTROLLER, StudyState, fold
from autoresearch.domain.model import (
    Atom,
    Budget,
    Cost,
    Direction,
    Metric,
    Rung,
    RunKey,
    RunResult,
    RunStatus,
    Scores,
    Standing,
    Stop,
    Study,
)
from autoresearch.domain.plan import Limits, Step, StepKind, plan

Prior = Callable[[random.Random], float]
"""Draws the true effect (in units of the noise's s.d.) of one proposed change on its parent."""

BASE_TREE = "base"


def mixture(*parts: tuple[float, float]) -> Prior:
    """Effects `size` with probability `share`, for each (share, size); what is left has no effect."""

    def draw(chance: random.Random) -> float:
        at = chance.random()
        for share, size in parts:
            at -= share
            if at < 0:
                return size
        return 0.0

    return draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One simulated study. Effects in units of the noise's s.d."""

    runs: int
    trials: int
    keeps: int
    false_keeps: int
    """Keeps whose change does not improve on the incumbent it replaced."""
    incumbent_gain: float
    """True gain of the working incumbent over the base."""
    confirmed_gain: float
    """True gain of the confirmed-only tree over the base."""
    confirmed: int
    false_confirmed: int
    """Confirmed changes whose true effect is not above 0."""
    claims: bool
    """Whether anything at all is claimed."""
    reported_minus_true: float
    """Selected mean of the last keep's own runs less its tree's true value."""
    headline_minus_true: float | None
    """Headline effect less its true value; None without a headline."""


class SimulatedStudy:
    """A study whose world is a prior and a seed; `play` runs it to its end."""

    def __init__(self, prior: Prior, *, runs: int, seed: int, acceptance: str = "race", sigma: float = 1.0) -> None:
        """`runs` caps all runs, confirmation included; `sigma` 0.0 makes the metric deterministic."""
        self._prior, self._sigma = prior, sigma
        self._chance = random.Random(seed)
        self._seq = 0
        self.trees: dict[str, frozenset[int]] = {BASE_TREE: frozenset()}
        self.effects: dict[int, float] = {}
        self.events: list[e.Event] = []
        self.false_keeps = 0
        self.state = StudyState()
        study = Study(
            name="simulated",
            goal="",
            base_commit="0" * 40,
            base_tree=BASE_TREE,
            seed=seed,
            metric=Metric(name="gain", direction=Direction.MAXIMIZE),
            rungs=(Rung(name="only", budget=Budget(seconds=1.0)),),
            acceptance=acceptance,
            stop=Stop(trials=None, runs=runs),
        )
        self.record(e.StudyCreated(study=study, spec=""))
        self.record(e.EpochOpened(epoch=0, fingerprint="", reason="created"))

    def record(self, event: e.Event) -> None:
        """Append and fold."""
        self._seq += 1
        self.events.append(event)
        fold(self.state, e.Recorded(seq=self._seq, at=0.0, event=event))

    def play(self) -> Outcome:
        """Ask and perform until nothing is due."""
        while True:
            due = plan(self.state, Limits())
            for event in due.decision:
                self._watch(event)
                self.record(event)
            if due.steps:
                self._perform(due.steps[0])
            elif not due.decision:
                return self._outcome()

    def truth(self, tree: str) -> float:
        """The true value of a tree; the base has 0."""
        return sum(self.effects[change] for change in self.trees[tree])

    def _watch(self, event: e.Event) -> None:
        if isinstance(event, e.TrialKept) and self.state.open.get(event.trial) is not None:
            trial = self.state.open[event.trial]
            if trial.researcher == CONTROLLER:
                return
            gain = self.truth(trial.tree) - self.truth(self.state.incumbent_trial.tree)
            self.false_keeps += gain <= 0

    def _perform(self, step: Step) -> None:
        match step.kind:
            case StepKind.PROPOSE if step.trial is not None:
                self._propose(step.trial)
            case StepKind.EXECUTE if step.run is not None:
                self.record(e.RunEnded(run=step.run, result=RunResult(status=RunStatus.OK)))
            case StepKind.SCORE if step.run is not None:
                self.record(e.RunMeasured(run=step.run, scores=Scores(metrics={"gain": self._measure(step.run)})))
            case StepKind.SPLIT:
                self._split()
            case StepKind.COMPOSE:
                self._compose()

    def _measure(self, run: RunKey) -> float:
        return self.truth(run.tree) + (self._chance.gauss(0.0, self._sigma) if self._sigma else 0.0)

    def _propose(self, trial: int) -> None:
        parent = self.state.kept[self.state.open[trial].parent].tree
        self.effects[trial] = self._prior(self._chance)
        tree = self._tree(self.trees[parent] | {trial})
        self.record(e.TrialProposed(trial=trial, tree=tree, hypothesis=f"change {trial}", cost=Cost()))

    def _tree(self, changes: frozenset[int]) -> str:
        name = "+".join(map(str, sorted(changes))) or BASE_TREE
        self.trees[name] = changes
        return name

    def _split(self) -> None:
        round = self.state.round
        assert round is not None
        full = self.trees[round.full]
        changes = sorted(full - self.trees[round.reference])
        atoms = tuple(Atom(id=change, summary=f"change {change}", trials=(change,)) for change in changes)
        cells = tuple(
            e.Cell(off=off, tree=self._tree(full - set(off)), seed=seed)
            for off, seed in confirmation.cells(self.state, round, atoms)
        )
        self.record(e.RoundSplit(round=round.number, atoms=atoms, cells=cells))

    def _compose(self) -> None:
        round = self.state.round
        assert round is not None
        confirmed = self._tree(self.trees[round.full] - set(confirmation.off_in_confirmed(round)))
        gone = confirmation.off_in_working(round)
        working = self._tree(self.trees[self.state.incumbent_trial.tree] - set(gone)) if gone else None
        self.record(
            e.RoundComposed(round=round.number, confirmed=confirmed, working=working, over=self.state.incumbent)
        )

    def _outcome(self) -> Outcome:
        state = self.state
        confirmed = self.trees[state.confirmed_tree]
        keeps = [kept for kept in state.kept.values() if kept.number and kept.researcher != CONTROLLER]
        headlines = [round.headline for round in state.rounds if round.headline]
        return Outcome(
            runs=state.runs,
            trials=state.proposed_trials,
            keeps=len(keeps),
            false_keeps=self.false_keeps,
            incumbent_gain=self.truth(state.incumbent_trial.tree),
            confirmed_gain=self.truth(state.confirmed_tree),
            confirmed=len(confirmed),
            false_confirmed=sum(self.effects[change] <= 0 for change in confirmed),
            claims=any(kept.standing is Standing.CONFIRMED for kept in state.kept.values()) or bool(confirmed),
            reported_minus_true=self._inflation(),
            headline_minus_true=headlines[-1].effect - self.truth(state.confirmed_tree) if headlines else None,
        )

    def _inflation(self) -> float:
        for event in reversed(self.events):
            if isinstance(event, e.TrialKept) and event.value is not None:
                return event.value - self.truth(self.state.kept[event.trial].tree)
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Many simulated studies together; shares in [0, 1], effects in units of the noise's s.d."""

    studies: int
    keeps: float
    false_keep_share: float
    incumbent_gain: float
    confirmed_gain: float
    false_confirmed_share: float
    claiming_share: float
    reported_minus_true: float
    headline_minus_true: float
    runs: float


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Pool outcomes: shares over all keeps and all confirmed changes, means over studies."""
    keeps = sum(outcome.keeps for outcome in outcomes)
    confirmed = sum(outcome.confirmed for outcome in outcomes)
    headlines = [each.headline_minus_true for each in outcomes if each.headline_minus_true is not None]
    return Summary(
        studies=len(outcomes),
        keeps=keeps / len(outcomes),
        false_keep_share=sum(outcome.false_keeps for outcome in outcomes) / max(1, keeps),
        incumbent_gain=fmean(outcome.incumbent_gain for outcome in outcomes),
        confirmed_gain=fmean(outcome.confirmed_gain for outcome in outcomes),
        false_confirmed_share=sum(outcome.false_confirmed for outcome in outcomes) / max(1, confirmed),
        claiming_share=fmean(outcome.claims for outcome in outcomes),
        reported_minus_true=fmean(outcome.reported_minus_true for outcome in outcomes),
        headline_minus_true=fmean(headlines) if headlines else 0.0,
        runs=fmean(outcome.runs for outcome in outcomes),
    )


def simulate(prior: Prior, *, runs: int, seeds: range, acceptance: str = "race") -> Summary:
    """Play one study per seed."""
    return summarise([SimulatedStudy(prior, runs=runs, seed=seed, acceptance=acceptance).play() for seed in seeds])
