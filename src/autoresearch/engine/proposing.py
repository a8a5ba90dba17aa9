"""The proposal step: brief, researcher, freeze, guardrails.

Returns the events that say what came of it; records nothing.
"""

import time
from dataclasses import replace

from autoresearch.domain import events as e
from autoresearch.domain.brief import RECENT, Brief
from autoresearch.domain.confirmation import noise_of
from autoresearch.domain.globs import matches
from autoresearch.domain.guardrails import check
from autoresearch.domain.model import BASE, Proposal
from autoresearch.domain.seeds import derive
from autoresearch.domain.state import StudyState
from autoresearch.domain.stats import mean
from autoresearch.engine.desk import Desk
from autoresearch.engine.history import History
from autoresearch.ports import Frozen, Researcher


def propose(
    desk: Desk, state: StudyState, number: int, researcher: Researcher, history: History
) -> tuple[e.Event, ...]:
    """Let the researcher work on a fresh workspace of the parent and judge what it left there."""
    trial = state.open[number]
    parent = state.kept[trial.parent].tree
    conditions = desk.conditions
    with desk.store.workspace(parent, without=conditions.hidden) as workspace:
        began = time.monotonic()
        proposal = researcher.propose(brief(desk, state, number, history), workspace)
        proposal = replace(proposal, cost=replace(proposal.cost, seconds=time.monotonic() - began))
        if proposal.empty:
            return (e.TrialAbandoned(trial=number, reason=proposal.empty, cost=proposal.cost),)
        frozen = desk.store.freeze(workspace, editable=conditions.editable, hidden=conditions.hidden)
    return admitted(desk, number, proposal, frozen)


def admitted(desk: Desk, number: int, proposal: Proposal, frozen: Frozen) -> tuple[e.Event, ...]:
    """The frozen proposal as a ready trial, or the veto of a guardrail."""
    hypothesis = " ".join(proposal.hypothesis.split())[:400] or "(no hypothesis given)"
    veto = check(frozen.changes, lambda path: matches(path, desk.conditions.editable))
    rule, reason, same = (veto.rule, veto.reason, None) if veto else ("", "", None)
    if veto is None and frozen.tree == desk.state.study.base_tree:
        rule, same, reason = "duplicate", BASE, "the same tree as the base"
    elif veto is None and (earlier := desk.record.trial_of_tree(frozen.tree)) is not None:
        rule, same = "duplicate", earlier.number
        reason = f"the same tree as trial {earlier.number} ({earlier.state}); its result stands"
    if rule:
        return (
            e.TrialVetoed(
                trial=number,
                rule=rule,
                reason=reason,
                hypothesis=hypothesis,
                tree=frozen.tree,
                same_as=same,
                cost=proposal.cost,
                settings=proposal.settings,
            ),
        )
    desk.store.keep_alive(frozen.tree, message=f"trial {number}: {hypothesis}")
    return (
        e.TrialProposed(
            trial=number,
            tree=frozen.tree,
            hypothesis=hypothesis,
            cost=proposal.cost,
            settings=proposal.settings,
            paths=tuple(change.path for change in frozen.changes),
            dropped=frozen.dropped[:20],
        ),
    )


def brief(desk: Desk, state: StudyState, number: int, history: History) -> Brief:
    """What the researcher of trial `number` is told."""
    study, trial = state.study, state.open[number]
    metric = study.metric
    base, incumbent = state.gains(study.base_tree), state.gains(state.incumbent_trial.tree, *e.CLEAN)
    lineage = [kept.number for kept in state.lineage() if kept.number != BASE][-RECENT:]
    stop = study.stop.trials
    return Brief(
        study=study.name,
        goal=study.goal,
        program=desk.program,
        metric=metric,
        editable=desk.conditions.editable,
        trial=number,
        ordinal=trial.ordinal,
        parent=trial.parent,
        move=trial.move,
        seed=derive(study.seed, "researcher", number),
        budget=f"{study.rung.budget.seconds:g} s {study.rung.budget.clock}",
        baseline=metric.value(mean(base)) if base else None,
        incumbent=metric.value(mean(incumbent)) if incumbent else None,
        noise=noise_of(state).sigma,
        lineage=history.of(lineage),
        history=history.latest(),
        counts=tuple(sorted(state.counts.items())),
        hints=tuple(state.hints.values()),
        remaining=max(0, stop - state.proposed_trials) if stop is not None else None,
    )
