"""The steps of a confirmation round that need the store: splitting changes into atoms, composing trees.

What the cells are and what their readings say is decided in `domain.confirmation`.
"""

from autoresearch.domain import confirmation
from autoresearch.domain import events as e
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import BASE
from autoresearch.domain.state import Round, StudyState
from autoresearch.engine.desk import Desk


def split(desk: Desk, state: StudyState, number: int) -> tuple[e.Event, ...]:
    """Atoms, and the tree of every cell of the design."""
    round = _round(state, number)
    steps = [(kept.number, state.kept[kept.parent].tree, kept.tree) for kept in state.lineage() if kept.number != BASE]
    atoms = desk.store.split(round.reference, round.full, steps)
    trees: dict[tuple[int, ...], str | None] = {}
    cells = []
    for off, seed in confirmation.cells(state, round, atoms):
        if off not in trees:
            trees[off] = desk.store.compose(round.reference, round.full, off)
            if (tree := trees[off]) is not None:
                desk.store.keep_alive(tree, message=f"round {number}: without {list(off)}")
        cells.append(e.Cell(off=off, tree=trees[off], seed=seed))
    return (e.RoundSplit(round=number, atoms=atoms, cells=tuple(cells)),)


def compose(desk: Desk, state: StudyState, number: int) -> tuple[e.Event, ...]:
    """The confirmed-only tree, and the incumbent without what was refuted."""
    round = _round(state, number)
    confirmed = desk.store.compose(round.reference, round.full, confirmation.off_in_confirmed(round))
    off = confirmation.off_in_working(round)
    onto = None if state.incumbent == round.incumbent else state.incumbent_trial.tree
    working = desk.store.compose(round.reference, round.full, off, onto) if off else None
    for tree in (confirmed, working):
        if tree is not None:
            desk.store.keep_alive(tree, message=f"round {number}")
    return (
        e.RoundComposed(round=number, confirmed=confirmed or round.reference, working=working, over=state.incumbent),
    )


def _round(state: StudyState, number: int) -> Round:
    if state.round is None or state.round.number != number:
        raise InfraError(f"round {number} is not under way any more")
    return state.round
