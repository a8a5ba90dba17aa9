"""Confirmation as a part of planning: when a round is held, what its cells are, and what its readings say.

The statistics stand in `factorial`; here they meet the state of a study. Functions return events, they record nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from autoresearch.domain import events as e
from autoresearch.domain import factorial
from autoresearch.domain.model import Atom, Cost, Move, RunKey, Standing
from autoresearch.domain.seeds import derive
from autoresearch.domain.state import CONTROLLER, FINAL, KeptTrial, Round, StudyState
from autoresearch.domain.stats import Noise, difference, mean

SCHEDULE = factorial.Schedule()
INTERIM = "interval"
ASKED = "asked for"


def noise_of(state: StudyState) -> Noise:
    """The noise of one run as known so far; infinitely uncertain (0 degrees of freedom, sigma 0) before calibration."""
    return state.scatter.noise() if state.scatter.dof else Noise(sigma=0.0, dof=0.0)


def unsettled(state: StudyState) -> list[KeptTrial]:
    """Kept trials of the lineage of which it is not known whether they hold up."""
    waiting = (Standing.UNCONFIRMED, Standing.UNDECIDED)
    return [kept for kept in state.lineage() if kept.standing in waiting and kept.researcher != CONTROLLER]


def search_runs_left(state: StudyState) -> int | None:
    """Runs the search may still use when the study has a cap on runs; None without one."""
    total = state.study.stop.runs
    if total is None:
        return None
    waiting = unsettled(state)
    reserve = factorial.reserve(
        SCHEDULE, total=total, atoms=len(waiting), ratio=_ratio(state, waiting), spent=state.confirm_runs
    )
    return total - reserve - state.runs - len(state.pending)


def final_runs(state: StudyState) -> int:
    """Runs that the last round and the headline may use: what the cap leaves, or what the search owes them."""
    total = state.study.stop.runs
    if total is not None:
        return max(0, total - state.runs - len(state.pending))
    waiting, search = unsettled(state), state.runs - state.confirm_runs
    owed = factorial.owed(SCHEDULE, search=search, atoms=len(waiting), ratio=_ratio(state, waiting))
    return max(0, owed - state.confirm_runs)


def _ratio(state: StudyState, waiting: Sequence[KeptTrial]) -> float:
    """Typical effect of what waits for confirmation, in sigma; 0 where nothing is known of either."""
    sigma = noise_of(state).sigma
    return mean([kept.effect for kept in waiting]) / sigma if waiting and sigma else 0.0


def opened(state: StudyState, *, ending: bool, searching: bool) -> tuple[e.Event, ...]:
    """The opening of a round, if one is due. `ending`: the search is over; `searching`: further trials will follow."""
    waiting = unsettled(state)
    if state.round or not waiting or state.incumbent_trial.tree == state.confirmed_tree:
        return ()
    if ending and not state.final_held:
        reason = FINAL
    elif state.confirm_asked:
        reason = ASKED
    elif searching and factorial.due(SCHEDULE, atoms=_fresh(waiting), used=state.runs, spent=state.confirm_runs):
        reason = INTERIM
    else:
        return ()
    return (
        e.RoundOpened(
            round=len(state.rounds) + 1,
            reference=state.confirmed_tree,
            full=state.incumbent_trial.tree,
            incumbent=state.incumbent,
            reason=reason,
        ),
    )


def _fresh(waiting: Sequence[KeptTrial]) -> int:
    return sum(kept.standing is Standing.UNCONFIRMED for kept in waiting)


def cells(state: StudyState, round: Round, atoms: Sequence[Atom]) -> tuple[tuple[tuple[int, ...], int], ...]:
    """The cells of a round as (ids of the atoms that are off, seed). Empty when the runs left cannot separate them."""
    count = len(atoms)
    if count == 0:
        return ()
    least = factorial.least_runs(count)
    if round.reason == INTERIM:
        size = max(least, factorial.interim_size(SCHEDULE, atoms=count))
    elif state.study.stop.runs is not None:
        size = factorial.final_size(SCHEDULE, atoms=count, left=final_runs(state))
        if round.reason == ASKED:  # the search goes on: the rest of the runs is not this round's
            ratio = _ratio(state, unsettled(state))
            size = min(size, max(least, factorial.round_size(SCHEDULE, atoms=count, ratio=ratio)))
    else:
        size = max(least, factorial.final_size(SCHEDULE, atoms=count, left=final_runs(state)))
    if size and noise_of(state).sigma == 0.0:
        size = least
    if size == 0:
        return ()
    study, number = state.study, round.number
    design = factorial.design(atoms=count, runs=size, seed=derive(study.seed, "design", number, state.epoch))
    return tuple(
        (
            tuple(atom.id for atom, on in zip(atoms, cell, strict=True) if not on),
            derive(study.seed, "confirm", number, index, state.epoch),
        )
        for index, cell in enumerate(design)
    )


def advanced(state: StudyState) -> tuple[e.Event, ...]:
    """The next thing the record says of the round under way; empty while it waits for a step or a run."""
    round = state.round
    if round is None or round.atoms is None:
        return ()
    if not round.requested and (runs := cell_runs(state, round)):
        return (e.RunsRequested(purpose=e.Purpose.CONFIRM, runs=runs, round=round.number),)
    if state.waits_for(round=round.number):
        return ()
    if round.outcomes is None:
        return (_judged(state, round),)
    if round.composed and round.over == state.incumbent:
        return _settled(state, round)
    return ()


def cell_runs(state: StudyState, round: Round) -> tuple[RunKey, ...]:
    """The runs of a round's cells, in order; a cell whose tree cannot be built has none."""
    rung = state.study.rung.name
    return tuple(
        RunKey(tree=cell.tree, rung=rung, seed=cell.seed, epoch=state.epoch) for cell in round.cells if cell.tree
    )


def _judged(state: StudyState, round: Round) -> e.RoundJudged:
    atoms = round.atoms or ()
    if not round.cells:
        return e.RoundJudged(round=round.number, outcomes=tuple(_unknown(atom) for atom in atoms))
    toggles = [tuple(atom.id not in cell.off for atom in atoms) for cell in round.cells]
    found = factorial.estimate(cells=toggles, gains=[_gain(state, cell) for cell in round.cells], noise=noise_of(state))
    confirmed = sum(outcome.standing is Standing.CONFIRMED for past in state.rounds for outcome in past.outcomes or ())
    level = factorial.level(
        SCHEDULE,
        spent=sum(past.level for past in state.rounds),
        confirmed=confirmed,
        last=round.reason == FINAL,
    )
    known = state.gains(state.study.base_tree) or [
        gain for cell in round.cells if (gain := _gain(state, cell)) is not None
    ]
    reference = abs(mean(known or [0.0]))
    outcomes = factorial.judge(found, level=level, min_effect=state.study.metric.min_effect.at(reference))
    return e.RoundJudged(
        round=round.number,
        level=level,
        outcomes=tuple(
            e.AtomOutcome(
                atom=atoms[index].id,
                standing=outcome.standing,
                effect=outcome.effect,
                low=outcome.low,
                high=outcome.high,
                p=outcome.p,
                note=_note(outcome, [atoms[other].id for other in outcome.atoms if other != index]),
            )
            for outcome in outcomes
            for index in outcome.atoms
        ),
    )


def _gain(state: StudyState, cell: e.Cell) -> float | None:
    """The gain of a cell's own run; None when it crashed or could not be built."""
    metric = state.study.metric
    for measured in state.readings_of(cell.tree) if cell.tree else ():
        if measured.run.seed == cell.seed and not measured.failure:
            return metric.gain(measured.metrics[metric.name])
    return None


NEEDED = "every tree without it failed: it stays wherever something else stays"


def _note(outcome: factorial.AtomOutcome, others: list[int]) -> str:
    notes = [NEEDED] if outcome.needed else []
    if others:
        notes.append("only together with " + ", ".join(f"atom {other}" for other in others))
    return "; ".join(notes)


def _unknown(atom: Atom) -> e.AtomOutcome:
    inf = float("inf")
    note = "too few runs were left to tell the changes apart"
    return e.AtomOutcome(atom=atom.id, standing=Standing.UNDECIDED, effect=0.0, low=-inf, high=inf, p=1.0, note=note)


def off_in_confirmed(round: Round) -> tuple[int, ...]:
    """Atoms that the confirmed-only tree lacks: all but the confirmed, and the needed ones if anything is confirmed."""
    outcomes = round.outcomes or ()
    if not any(outcome.standing is Standing.CONFIRMED for outcome in outcomes):
        return tuple(outcome.atom for outcome in outcomes)
    return tuple(
        outcome.atom
        for outcome in outcomes
        if outcome.standing is not Standing.CONFIRMED and not outcome.note.startswith(NEEDED)
    )


def off_in_working(round: Round) -> tuple[int, ...]:
    """Atoms that the working incumbent loses: the refuted ones."""
    return tuple(outcome.atom for outcome in round.outcomes or () if outcome.standing is Standing.REFUTED)


def _settled(state: StudyState, round: Round) -> tuple[e.Event, ...]:
    events: list[e.Event] = list(_standings(state, round))
    if round.working and round.working != state.incumbent_trial.tree:
        events += _removal(state, round)
    return (*events, e.RoundSettled(round=round.number))


def _removal(state: StudyState, round: Round) -> list[e.Event]:
    """The incumbent without what was refuted, as a kept trial of its own."""
    gone = set(off_in_working(round))
    lost = [outcome for outcome in round.outcomes or () if outcome.atom in gone]
    summaries = [atom.summary for atom in round.atoms or () if atom.id in gone]
    hypothesis = "take out what did not hold up: " + "; ".join(summaries)
    return removal(
        state,
        tree=round.working or "",
        researcher=CONTROLLER,
        hypothesis=hypothesis[:400],
        reason=f"confirmation round {round.number}",
        effect=-sum(outcome.effect for outcome in lost),
        low=-sum(outcome.high for outcome in lost),
        high=-sum(outcome.low for outcome in lost),
    )


def removal(
    state: StudyState,
    *,
    tree: str,
    researcher: str,
    hypothesis: str,
    reason: str,
    effect: float,
    low: float,
    high: float,
) -> list[e.Event]:
    """A kept trial that takes something out of the incumbent, without a measurement of its own."""
    number, over = state.next_trial, state.incumbent
    return [
        e.TrialOpened(trial=number, parent=over, move=Move.SIMPLIFY, researcher=researcher),
        e.TrialProposed(trial=number, tree=tree, hypothesis=hypothesis, cost=Cost()),
        e.TrialKept(trial=number, over=over, effect=effect, low=low, high=high, reason=reason),
        e.StandingChanged(trial=number, standing=Standing.HELD, reason="not an idea: a removal"),
    ]


def _standings(state: StudyState, round: Round) -> list[e.Event]:
    """What the outcomes of its atoms say of each trial that waited."""
    events: list[e.Event] = []
    settled_up_to = {kept.number for kept in _lineage_up_to(state, round.incumbent)}
    for kept in unsettled(state):
        if kept.number not in settled_up_to:
            continue
        events.append(_standing(kept.number, _outcomes_of(round, kept.number)))
    return events


def _outcomes_of(round: Round, trial: int) -> list[e.AtomOutcome]:
    """What a judged round says of the atoms that are this trial's change."""
    by_atom = {outcome.atom: outcome for outcome in round.outcomes or ()}
    return [by_atom[atom.id] for atom in round.atoms or () if trial in atom.trials]


def _lineage_up_to(state: StudyState, number: int) -> list[KeptTrial]:
    lineage = state.lineage()
    cut = next((i for i, kept in enumerate(lineage) if kept.number == number), len(lineage) - 1)
    return lineage[: cut + 1]


def _standing(trial: int, own: list[e.AtomOutcome]) -> e.StandingChanged:
    if not own:
        return e.StandingChanged(
            trial=trial, standing=Standing.REFUTED, reason="nothing of it is left in the incumbent"
        )
    order = (Standing.CONFIRMED, Standing.UNDECIDED, Standing.REFUTED)
    standing = next(each for each in order if any(outcome.standing is each for outcome in own))
    telling = [outcome for outcome in own if outcome.standing is standing]
    others = len(own) - len(telling)
    reason = f"{len(telling)} of its {len(own)} atoms {standing}" if others else f"{standing} by removal"
    notes = "; ".join(dict.fromkeys(outcome.note for outcome in telling if outcome.note))
    return e.StandingChanged(
        trial=trial,
        standing=standing,
        reason=f"{reason} ({notes})" if notes else reason,
        effect=sum(outcome.effect for outcome in telling),
        low=sum(outcome.low for outcome in telling),
        high=sum(outcome.high for outcome in telling),
    )


def headline(state: StudyState) -> tuple[e.Event, ...]:
    """At the end: runs of base and confirmed-only tree on fresh shared seeds, then their difference."""
    study = state.study
    base, confirmed = study.base_tree, state.confirmed_tree
    if not state.headline_due or state.round or not state.rounds or confirmed == base:
        return ()
    last = state.rounds[-1].number
    seeds = [derive(study.seed, "headline", last, index, state.epoch) for index in range(_headline_runs(state))]
    runs = [
        RunKey(tree=tree, rung=study.rung.name, seed=seed, epoch=state.epoch)
        for tree in (base, confirmed)
        for seed in seeds
    ]
    done = {m.run: m for tree in {base, confirmed} for m in state.readings_of(tree)}
    if missing := tuple(run for run in runs if run not in done and run not in state.pending):
        return (e.RunsRequested(purpose=e.Purpose.HEADLINE, runs=missing, round=last),)
    if any(run in state.pending for run in runs):
        return ()
    return _headline_judged(state, last, len(runs))


def _headline_runs(state: StudyState) -> int:
    return 1 if noise_of(state).sigma == 0.0 else SCHEDULE.headline


def _headline_judged(state: StudyState, round: int, runs: int) -> tuple[e.Event, ...]:
    study = state.study
    base = state.gains(study.base_tree, e.Purpose.HEADLINE)
    best = state.gains(state.confirmed_tree, e.Purpose.HEADLINE)
    if not base or not best:
        return _headline_failed(state, "base" if not base else "confirmed-only")
    test = difference(best, base, noise=noise_of(state))
    held = _holdout(state, state.confirmed_tree), _holdout(state, study.base_tree)
    told = e.HeadlineJudged(
        round=round,
        base=study.metric.value(mean(base)),
        confirmed=study.metric.value(mean(best)),
        effect=test.effect,
        low=test.low,
        high=test.high,
        runs=runs,
        holdout_effect=mean(held[0]) - mean(held[1]) if all(held) else None,
        holdout_se=noise_of(state).sigma * (1 / len(held[0]) + 1 / len(held[1])) ** 0.5 if all(held) else None,
    )
    return (told,)


def _headline_failed(state: StudyState, which: str) -> tuple[e.Event, ...]:
    """Back to the tree that was last measured beside the base; what was confirmed since is undecided again."""
    lost = _unmeasured(state)
    events: list[e.Event] = [
        e.HeadlineFailed(round=lost[0].number, reason=f"no run of the {which} tree succeeded"),
    ]
    for kept in state.lineage():
        own = [outcome for round in lost for outcome in _outcomes_of(round, kept.number)]
        own = [outcome for outcome in own if outcome.standing is Standing.CONFIRMED]
        if own and kept.standing is Standing.CONFIRMED:
            reason = f"confirmed by removal, but no run of the {which} tree succeeded"
            events.append(replace(_standing(kept.number, own), standing=Standing.UNDECIDED, reason=reason))
    return tuple(events)


def _unmeasured(state: StudyState) -> list[Round]:
    """The rounds that made the confirmed tree and had no headline yet, oldest first; else the last round."""
    found: list[Round] = []
    tree = state.confirmed_tree
    for round in reversed(state.rounds):
        if round.confirmed == tree != round.reference:
            if round.headline:
                break
            found.append(round)
            tree = round.reference
    return found[::-1] or [state.rounds[-1]]


def _holdout(state: StudyState, tree: str) -> list[float]:
    metric = state.study.metric
    return [metric.gain(m.holdout[metric.name]) for m in state.readings_of(tree) if metric.name in m.holdout]
