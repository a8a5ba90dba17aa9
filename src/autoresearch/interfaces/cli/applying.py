"""What is confirmed as clean commits, and a keep taken out again: trees, messages and events; others perform them.

The confirmed tree is reached from the base by the rounds that added to it; each of their confirmed changes is a commit.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from autoresearch.adapters.git.store import GitStore
from autoresearch.domain import events as e
from autoresearch.domain.confirmation import off_in_confirmed, removal
from autoresearch.domain.errors import AutoresearchError, LedgerError, UsageError
from autoresearch.domain.model import BASE, Atom, Standing
from autoresearch.domain.records import TrialRow
from autoresearch.domain.state import PERSON, Control, KeptTrial, Round, StudyState
from autoresearch.domain.text import plain
from autoresearch.interfaces.cli.output import signed

UNDONE = "undone by hand"
"""Reason of the round that takes a confirmed change out again."""
SUBJECT = 72
"""Characters of a commit's first line."""
_TOGETHER = re.compile(r"only together with ((?:atom \d+(?:, )?)+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of the branch of results."""

    tree: str
    message: str
    trials: tuple[int, ...]
    effect: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def subject(self) -> str:
        """The first line."""
        return self.message.partition("\n")[0]


# ---------------------------------------------------------------- apply


def commits(state: StudyState, store: GitStore) -> list[Commit]:
    """The commits from the base to the confirmed tree, in the order in which the changes were confirmed.

    Raises `AutoresearchError` when nothing is confirmed, `LedgerError` when the rounds do not lead to the tree.
    """
    base = state.study.base_tree
    if state.confirmed_tree == base:
        waiting = sum(kept.standing is Standing.UNCONFIRMED for kept in state.kept.values() if kept.number != BASE)
        hint = f"{waiting} kept changes wait for it: `autoresearch confirm`" if waiting else "nothing held up so far"
        raise AutoresearchError(f"nothing is confirmed, so there is nothing to apply ({hint})")
    rounds = chain(state)
    undone_atoms = {_name(atom) for round in rounds if round.reason == UNDONE for atom in round.atoms or ()}
    for skipped in (undone_atoms, set()):  # as if what was undone had never been, or, where that does not fit, with it
        found = [commit for round in rounds for commit in _commits_of(state, store, round, skipped)]
        last = found[-1].tree if found else base
        if last == state.confirmed_tree:
            break
    else:
        raise LedgerError(
            f"the confirmed changes give the tree {last}, the record names {state.confirmed_tree}: "
            "run `autoresearch doctor`"
        )
    return found


def _name(atom: Atom) -> tuple[str, tuple[int, ...]]:
    """What an atom is known by beyond its round."""
    return atom.summary, atom.trials


def chain(state: StudyState) -> list[Round]:
    """The rounds that lead from the base tree to the confirmed tree, oldest first.

    A round whose tree was given up later (it did not run by itself) is not among them.
    """
    found: list[Round] = []
    tree, rounds = state.confirmed_tree, list(state.rounds)
    while tree != state.study.base_tree:
        while rounds and not (rounds[-1].settled and rounds[-1].confirmed == tree != rounds[-1].reference):
            rounds.pop()
        if not rounds:
            raise LedgerError(f"no confirmation round gave the tree {tree}: run `autoresearch doctor`")
        found.append(rounds.pop())
        tree = found[-1].reference
    return found[::-1]


def _commits_of(
    state: StudyState, store: GitStore, round: Round, skipped: Set[tuple[str, tuple[int, ...]]]
) -> Iterator[Commit]:
    """The commits of one round, without the atoms named in `skipped`."""
    if round.reason == UNDONE:
        if not skipped:
            yield _undoing(state, round)
        return
    out = set(off_in_confirmed(round)) | {atom.id for atom in round.atoms or () if _name(atom) in skipped}
    waiting = {atom.id for atom in round.atoms or ()} - out
    groups = grouped([atom for atom in round.atoms or () if atom.id in waiting], round.outcomes or ())
    before = round.reference
    for group in groups:
        waiting -= {atom.id for atom in group}
        tree = store.compose(round.reference, round.full, sorted(out | waiting))
        if tree is None:
            raise LedgerError(f"round {round.number}: the confirmed changes do not fit together any more; run `doctor`")
        if tree != before:
            yield _commit(state, round, group, groups, tree)
        before = tree


def grouped(atoms: Sequence[Atom], outcomes: Sequence[e.AtomOutcome]) -> list[list[Atom]]:
    """Atoms that go into one commit: those that only stand together, and with the first those that all others need.

    In the order of the trials that made them.
    """
    by_id = {outcome.atom: outcome for outcome in outcomes}
    parts = [{atom.id} | _mates(by_id[atom.id].note) for atom in atoms]
    merged: list[set[int]] = []
    for part in parts:
        touching = [other for other in merged if other & part]
        merged = [other for other in merged if not other & part] + [part.union(*touching)]
    order = {atom.id: (min(atom.trials, default=0), atom.id) for atom in atoms}
    groups = [sorted((atom for atom in atoms if atom.id in part), key=lambda atom: order[atom.id]) for part in merged]
    groups.sort(key=lambda group: order[group[0].id])
    needed = [group for group in groups if not any(by_id[atom.id].standing is Standing.CONFIRMED for atom in group)]
    rest = [group for group in groups if group not in needed]
    if needed and rest:
        rest[0] = [*rest[0], *(atom for group in needed for atom in group)]
    return rest or groups


def _mates(note: str) -> set[int]:
    """Atoms that a note says an atom stands together with."""
    found = _TOGETHER.search(note)
    return {int(number) for number in re.findall(r"\d+", found[1])} if found else set()


def _commit(
    state: StudyState, round: Round, group: Sequence[Atom], groups: Sequence[Sequence[Atom]], tree: str
) -> Commit:
    by_id = {outcome.atom: outcome for outcome in round.outcomes or ()}
    told = next((by_id[a.id] for a in group if by_id[a.id].standing is Standing.CONFIRMED), by_id[group[0].id])
    trials = tuple(dict.fromkeys(trial for atom in group for trial in atom.trials))
    shared = sum(bool(set(trials) & {trial for atom in other for trial in atom.trials}) for other in groups) > 1
    change = "; ".join(atom.summary for atom in group)
    hypothesis = plain(state.kept[trials[-1]].hypothesis, 400) if trials and trials[-1] in state.kept else change
    subject = plain(change if shared else hypothesis, SUBJECT)
    return Commit(
        tree=tree,
        message=_message(state, round, subject, change, trials, told),
        trials=trials,
        effect=told.effect,
        low=told.low,
        high=told.high,
    )


def _message(
    state: StudyState, round: Round, subject: str, change: str, trials: Sequence[int], told: e.AtomOutcome
) -> str:
    metric = state.study.metric
    lines = [textwrap.fill(f"{_trial_words(state, trial)}", SUBJECT) for trial in trials]
    sure = f"95 % interval [{signed(told.low)}, {signed(told.high)}]" if told.low < told.high else "exact"
    effect = (
        f"Effect on {metric.name} ({metric.direction}): a gain of {signed(told.effect)}, {sure}, "
        "from fresh runs with and without the change."
    )
    numbers = ", ".join(map(str, trials)) or "unknown"
    footer = f"Study: {state.study.name}\nTrial: {numbers}\nConfirmed-in-round: {round.number}"
    body = [*lines, textwrap.fill(f"Change: {plain(change, 400)}", SUBJECT), textwrap.fill(effect, SUBJECT), footer]
    return "\n\n".join([subject, *body]) + "\n"


def _trial_words(state: StudyState, trial: int) -> str:
    kept = state.kept.get(trial)
    return f"Trial {trial}: {plain(kept.hypothesis, 400)}" if kept is not None else f"Trial {trial}"


def _undoing(state: StudyState, round: Round) -> Commit:
    trials = tuple(dict.fromkeys(trial for atom in round.atoms or () for trial in atom.trials))
    note = next((plain(outcome.note, 300) for outcome in round.outcomes or ()), UNDONE)
    message = f"{plain(note, SUBJECT)}\n\n{textwrap.fill(note, SUBJECT)}\n\nStudy: {state.study.name}\n"
    return Commit(tree=round.confirmed, message=message, trials=trials)


# ---------------------------------------------------------------- discard


def undone(state: StudyState, store: GitStore, row: TrialRow, reason: str) -> list[e.Event]:
    """The events that take a kept trial out of the incumbent, and out of the confirmed tree if it is in there.

    Raises `UsageError` when it is not kept, not in the incumbent any more, or others build on the same lines.
    """
    kept = _in_incumbent(state, row)
    parent = state.kept[kept.parent].tree
    off = [atom.id for atom in store.split(parent, kept.tree, [(kept.number, parent, kept.tree)])]
    working = _without(state, store, kept, off, state.incumbent_trial.tree)
    why = f"{UNDONE}: {reason}" if reason else UNDONE
    events: list[e.Event] = []
    if kept.standing is Standing.CONFIRMED:
        events += _round_undone(state, kept, _without(state, store, kept, off, state.confirmed_tree), why)
    if working != state.incumbent_trial.tree:
        store.keep_alive(working, message=f"without trial {kept.number}")
        events += removal(
            state,
            tree=working,
            researcher=PERSON,
            hypothesis=f"take out trial {kept.number}: {kept.hypothesis}"[:400],
            reason=why,
            effect=-(row.effect or 0.0),
            low=-(row.high if row.high is not None else 0.0),
            high=-(row.low if row.low is not None else 0.0),
        )
    events.append(e.StandingChanged(trial=kept.number, standing=Standing.REFUTED, reason=why))
    if kept.standing is Standing.CONFIRMED and state.control is Control.FINISHED:
        events.append(e.ConfirmRequested())  # the confirmed tree is another now: its headline is to be measured anew
    return events


def _in_incumbent(state: StudyState, row: TrialRow) -> KeptTrial:
    number = row.number
    if number not in state.kept:
        raise UsageError(f"trial {number} was not kept ({row.state}): there is nothing to undo")
    kept = state.kept[number]
    if kept.standing is Standing.REFUTED:
        raise UsageError(f"trial {number} is out already: {plain(row.reason)}")
    if kept.standing is Standing.HELD:
        raise UsageError(f"trial {number} took something out and holds no change of its own; name a kept idea")
    if kept not in state.lineage():
        raise UsageError(f"trial {number} is no part of the incumbent: there is nothing to undo")
    if state.round is not None:
        raise UsageError(f"confirmation round {state.round.number} is under way: undo trial {number} when it is over")
    return kept


def _without(state: StudyState, store: GitStore, kept: KeptTrial, off: Sequence[int], onto: str) -> str:
    """The tree `onto` without what a trial changed."""
    parent = state.kept[kept.parent].tree
    tree = store.compose(parent, kept.tree, off, onto)
    if tree is None:
        mine = set(store.paths_touched(parent, kept.tree))
        later = [each for each in state.lineage() if each.number > kept.number]
        near = [each.number for each in later if mine & set(_paths(state, store, each))]
        raise UsageError(
            f"trial {kept.number} cannot be taken out by itself: later trials "
            f"({', '.join(map(str, near)) or 'of the lineage'}) build on the same lines of {', '.join(sorted(mine))}; "
            "discard those first, newest first"
        )
    return tree


def _paths(state: StudyState, store: GitStore, kept: KeptTrial) -> Iterable[str]:
    return store.paths_touched(state.kept[kept.parent].tree, kept.tree)


def _round_undone(state: StudyState, kept: KeptTrial, confirmed: str, why: str) -> list[e.Event]:
    """A round that measures nothing: it says that a confirmed change is out, so that no later one starts from it."""
    number = len(state.rounds) + 1
    note = f"take out trial {kept.number} again, {why}"
    told = [
        (atom, outcome)
        for past in state.rounds
        for atom in past.atoms or ()
        for outcome in past.outcomes or ()
        if outcome.atom == atom.id and outcome.standing is Standing.CONFIRMED and kept.number in atom.trials
    ]
    atoms = tuple(Atom(id=place, summary=a.summary, trials=a.trials) for place, (a, _) in enumerate(told, start=1))
    outcomes = tuple(
        e.AtomOutcome(atom=place, standing=Standing.REFUTED, effect=o.effect, low=o.low, high=o.high, p=o.p, note=note)
        for place, (_, o) in enumerate(told, start=1)
    )
    nothing = confirmed == state.study.base_tree
    before = confirmed if nothing else state.confirmed_tree
    return [
        e.RoundOpened(round=number, reference=before, full=confirmed, incumbent=state.incumbent, reason=UNDONE),
        e.RoundSplit(round=number, atoms=atoms, cells=()),
        e.RoundJudged(round=number, outcomes=outcomes),
        e.RoundComposed(round=number, confirmed=confirmed, working=None, over=state.incumbent),
        e.RoundSettled(round=number),
        *([e.HeadlineFailed(round=number, reason="nothing is confirmed any more")] if nothing else []),
    ]
