"""What a brief says of past settings: those of the base, those tried, and what each move was worth.

A trial counts as an observation when its own settings and its parent's are known and differ in a constant of today.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autoresearch.adapters.researchers.constants import Constant
from autoresearch.adapters.researchers.space import Dimension, coordinate
from autoresearch.adapters.researchers.surrogate import Observation
from autoresearch.domain.brief import Brief, PastTrial
from autoresearch.domain.model import BASE, Scalar, Setting, TrialState

OWN = ("", "tune")
CHILDREN = 3
MEASURED = (TrialState.KEPT, TrialState.DISCARDED, TrialState.CRASHED)
Values = dict[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The record as far as it concerns constants."""

    base: Values
    tried: frozenset[tuple[Scalar, ...]]
    """Combinations of all of today's constants, in their order."""
    trials: tuple[tuple[PastTrial, Values, Values], ...]
    """Measured trials with their own and their parents' values, oldest first."""

    def observations(self, dims: Sequence[Dimension], here: Sequence[float]) -> tuple[Observation, ...]:
        """The trials in coordinates. A constant that a trial did not have stands where the incumbent has it."""
        rows: dict[int, list[float]] = {}
        seen = []
        for trial, own, parent in self.trials:
            if trial.parent not in rows:
                rows[trial.parent] = [
                    coordinate(dim, parent[dim.id]) if dim.id in parent else at
                    for dim, at in zip(dims, here, strict=True)
                ]
            before = rows[trial.parent]
            after = list(before)
            for index, dim in enumerate(dims):
                now = own.get(dim.id)
                if now is not None and dim.id in parent and now != parent[dim.id]:
                    after[index] = coordinate(dim, now)
            if after != before:
                seen.append(_observation(trial, tuple(after), tuple(before)))
        return tuple(seen)


def gather(brief: Brief, found: Sequence[Constant], base: Sequence[Setting], window: int) -> Past:
    """Read the brief. At most `window` measured trials are used, the latest."""
    values = {each.number: _values(each.settings) for each in (*brief.lineage, *brief.history) if each.settings}
    values |= _parents(brief.history, values)
    values[brief.parent] = {each.id: each.value for each in found}
    if base:
        values[BASE] = _values(base)
    first: Values = {}
    for number in sorted(values):
        first = values[number] | first
    measured = [each for each in brief.history if each.number != BASE and each.state in MEASURED]
    known = [each for each in measured if each.number in values and each.parent in values and _told(each)]
    ids = [each.id for each in found]
    return Past(
        base=first,
        tried=frozenset(tuple(each[key] for key in ids) for each in values.values() if all(key in each for key in ids)),
        trials=tuple((each, values[each.number], values[each.parent]) for each in known[-window:]),
    )


def _parents(history: Sequence[PastTrial], values: dict[int, Values]) -> dict[int, Values]:
    """Settings of parents whose own were not recorded (the base; what confirmation composed): those most children keep.

    Each child moved few constants, so from `CHILDREN` on the commonest value of each is the parent's.
    """
    families: dict[int, list[Values]] = {}
    for each in history:
        if each.number in values and each.parent not in values:
            families.setdefault(each.parent, []).append(values[each.number])
    return {
        parent: {key: Counter(each[key] for each in many if key in each).most_common(1)[0][0] for key in many[0]}
        for parent, many in families.items()
        if len(many) >= CHILDREN
    }


def _told(trial: PastTrial) -> bool:
    return trial.state is TrialState.CRASHED or (trial.effect is not None and math.isfinite(trial.effect))


def _values(settings: Sequence[Setting]) -> Values:
    return {each.name: each.value for each in settings}


def _observation(trial: PastTrial, after: tuple[float, ...], before: tuple[float, ...]) -> Observation:
    return Observation(
        point=after,
        parent=before,
        effect=None if trial.state is TrialState.CRASHED else trial.effect,
        precise=trial.state is TrialState.KEPT,
        mixed=trial.researcher not in OWN,
    )
