"""A seeded simulator of whole studies: the real `plan`, acceptance and confirmation; only runs are draws.

A tree is a set of changes, each with a true effect; a run of it is the sum of these plus Gaussian noise of s.d. 1.
Nothing of the decision is written again here: events are folded by `lineage.fold`, as the engine does.
``python -m autoresearch.testing.simulator --help`` prints tables of figures.
"""

import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from multiprocessing import get_context
from statistics import fmean, stdev
from typing import Any

from autoresearch.domain import confirmation
from autoresearch.domain import events as e
from autoresearch.domain.lineage import fold
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
from autoresearch.domain.state import CONTROLLER, StudyState
from autoresearch.testing.priors import PRIORS, Prior

BASE_TREE = "base"
ALONE = Limits()
"""One trial at a time, and no clock."""


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

    def __init__(
        self,
        prior: Prior,
        *,
        runs: int,
        seed: int,
        acceptance: str = "race",
        sigma: float = 1.0,
        confirm: bool = True,
        **more: Any,
    ) -> None:
        """`runs` caps all runs, confirmation included; `sigma` 0.0 makes the metric deterministic.

        Without `confirm` all runs are spent on the search, nothing is reserved and nothing is claimed: each kept trial
        is declared held, so that the plan finds none to confirm. `more`: further fields of the `Study`.
        """
        self._prior, self._sigma = prior, sigma
        self._search_only = None if confirm else runs
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
            stop=Stop(trials=None, runs=runs if confirm else None),
        )
        self.record(e.StudyCreated(study=replace(study, **more), spec=""))
        self.record(e.EpochOpened(epoch=0, fingerprint="", reason="created"))

    def record(self, event: e.Event) -> None:
        """Append and fold."""
        self._seq += 1
        self.events.append(event)
        fold(self.state, e.Recorded(seq=self._seq, at=0.0, event=event))

    def play(self, limits: Limits = ALONE, *, order: random.Random | None = None) -> Outcome:
        """Ask and perform until nothing is due: the most urgent step first, or with `order` any of them."""
        while True:
            if self._search_only is not None and self.state.runs >= self._search_only:
                self._search_only = None
                self.record(e.StopRequested(reason="all runs used", now=True))
            due = plan(self.state, limits)
            for event in due.decision:
                self._watch(event)
                self.record(event)
                if self._search_only is not None and isinstance(event, e.TrialKept):
                    self.record(e.StandingChanged(trial=event.trial, standing=Standing.HELD, reason="search only"))
            if due.steps:
                self.perform(order.choice(due.steps) if order else due.steps[0])
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

    def perform(self, step: Step) -> None:
        """What a worker would do; a subclass changes the world by `execute` and `measure`."""
        match step.kind:
            case StepKind.PROPOSE if step.trial is not None:
                self._propose(step.trial)
            case StepKind.EXECUTE if step.run is not None:
                self.record(e.RunEnded(run=step.run, result=self.execute(step)))
            case StepKind.SCORE if step.run is not None:
                self.record(e.RunMeasured(run=step.run, scores=Scores(metrics=self.measure(step.run))))
            case StepKind.SPLIT:
                self._split()
            case StepKind.COMPOSE:
                self._compose()

    def execute(self, step: Step) -> RunResult:
        """How the run of `step` ends."""
        return RunResult(status=RunStatus.OK)

    def measure(self, run: RunKey) -> dict[str, float]:
        """What the scorer says of a run that ended well."""
        return {"gain": self.truth(run.tree) + (self._chance.gauss(0.0, self._sigma) if self._sigma else 0.0)}

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
    incumbent_gain_error: float
    """Standard error of `incumbent_gain` over the studies."""
    confirmed_gain: float
    confirmed_gain_error: float
    confirmed: int
    """Confirmed changes of all studies together."""
    false_confirmed_share: float
    claiming: int
    """Studies that claim anything."""
    reported_minus_true: float
    headline_minus_true: float
    runs: float

    @property
    def claiming_share(self) -> float:
        """Share of studies that claim anything."""
        return self.claiming / self.studies


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
        incumbent_gain_error=_error([outcome.incumbent_gain for outcome in outcomes]),
        confirmed_gain=fmean(outcome.confirmed_gain for outcome in outcomes),
        confirmed_gain_error=_error([outcome.confirmed_gain for outcome in outcomes]),
        confirmed=confirmed,
        false_confirmed_share=sum(outcome.false_confirmed for outcome in outcomes) / max(1, confirmed),
        claiming=sum(outcome.claims for outcome in outcomes),
        reported_minus_true=fmean(outcome.reported_minus_true for outcome in outcomes),
        headline_minus_true=fmean(headlines) if headlines else 0.0,
        runs=fmean(outcome.runs for outcome in outcomes),
    )


def _error(values: Sequence[float]) -> float:
    """Standard error of the mean; 0 for a single value."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0


def simulate(
    prior: Prior, *, runs: int, seeds: range, acceptance: str = "race", confirm: bool = True, processes: int = 1
) -> Summary:
    """Play one study per seed; with several `processes` the prior must be one that can be pickled."""
    one = partial(_play, prior, runs, acceptance, confirm)
    if processes == 1:
        return summarise([one(seed) for seed in seeds])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return summarise(list(pool.map(one, seeds, chunksize=max(1, min(25, len(seeds) // (4 * processes))))))


def _play(prior: Prior, runs: int, acceptance: str, confirm: bool, seed: int) -> Outcome:
    return SimulatedStudy(prior, runs=runs, seed=seed, acceptance=acceptance, confirm=confirm).play()


# ---------------------------------------------------------------- the table

RULES = ("greedy-alone", "race", "strict", "greedy")
"""Rows of the table; ``-alone``: all runs are used for search, nothing is confirmed."""

COLUMNS = (
    *("prior", "runs", "rule", "studies", "keeps", "false keeps", "true gain", "reported − true"),
    *("confirmed gain", "beside greedy alone", "false confirmed", "studies that claim"),
)


def table(
    names: Iterable[str], sizes: Sequence[int], rules: Sequence[str], seeds: range, processes: int
) -> Iterable[str]:
    """Lines of a Markdown table, each as soon as it is known."""
    yield _row(COLUMNS)
    yield _row("---" for _ in COLUMNS)
    for name in names:
        for runs in sizes:
            greedy = None
            for rule in rules:
                acceptance, _, alone = rule.partition("-")
                found = simulate(
                    PRIORS[name],
                    runs=runs,
                    seeds=seeds,
                    acceptance=acceptance,
                    confirm=not alone,
                    processes=processes,
                )
                if rule == "greedy-alone":
                    greedy = found
                yield _row((name, str(runs), rule, *_figures(found, bool(alone), greedy)))


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figures(found: Summary, alone: bool, greedy: Summary | None) -> Iterable[str]:
    """The cells after prior, runs and rule."""
    reached = found.incumbent_gain if alone else found.confirmed_gain
    known = greedy is not None and greedy.incumbent_gain > 0
    yield str(found.studies)
    yield f"{found.keeps:.1f}"
    yield f"{found.false_keep_share:.1%}"
    yield f"{found.incumbent_gain:.2f} ± {found.incumbent_gain_error:.2f}"
    yield f"{found.reported_minus_true:.2f}"
    yield "" if alone else f"{found.confirmed_gain:.2f} ± {found.confirmed_gain_error:.2f}"
    yield f"{reached / greedy.incumbent_gain:.0%}" if greedy is not None and known else ""
    yield "" if alone else f"{found.false_confirmed_share:.2%} of {found.confirmed}"
    yield "" if alone else f"{found.claiming_share:.2%}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table that decision page 0003 and its tests speak of."""
    parser = argparse.ArgumentParser(prog="python -m autoresearch.testing.simulator", description=__doc__)
    parser.add_argument("--prior", nargs="+", default=list(PRIORS), choices=list(PRIORS), metavar="NAME")
    parser.add_argument("--runs", nargs="+", type=int, default=[125, 700], help="caps on runs (default: 125 700)")
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=[*RULES, "race-alone", "strict-alone"])
    parser.add_argument("--studies", type=int, default=200, help="studies a row (default: 200)")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(arguments)
    for line in table(given.prior, given.runs, given.rules, range(given.studies), given.processes):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
