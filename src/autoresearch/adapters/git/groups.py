"""Hunks gathered so that any of the groups can be left out and the file still parses.

Two hunks are joined only when leaving out one of them was seen to break the file; the nearest that heals it is taken.
"""

from collections.abc import Callable, Iterable, Sequence

from autoresearch.adapters.git.hunks import Hunk

Parses = Callable[[Sequence[Hunk]], bool]
Group = tuple[int, ...]


def groups(hunks: Sequence[Hunk], parses: Parses) -> Sequence[tuple[Hunk, ...]]:
    """Partition `hunks` (in order); `parses` tells whether the old text with some of them applied is still whole.

    Each group is tried alone, left out alone, and at every split of the list into an old and a new half.
    """
    known: dict[frozenset[int], bool] = {}

    def whole(chosen: Iterable[int]) -> bool:
        key = frozenset(chosen)
        if key not in known:
            known[key] = parses([hunks[index] for index in sorted(key)])
        return known[key]

    everything = range(len(hunks))
    parts: list[Group] = [(index,) for index in everything]
    while pair := _unsound(parts, everything, whole):
        first, second = pair
        joined = tuple(sorted(first + second))
        parts = sorted([part for part in parts if part not in pair] + [joined])
    return [tuple(hunks[index] for index in part) for part in parts]


def _unsound(
    parts: Sequence[Group], everything: Iterable[int], whole: Callable[[Iterable[int]], bool]
) -> tuple[Group, Group] | None:
    """Two groups to join, None when every group can stand apart."""
    if len(parts) < 2:
        return None
    everything = set(everything)

    def apart(part: Group) -> bool:
        return whole(part) and whole(everything - set(part))

    for place, part in enumerate(parts):
        if apart(part):
            continue
        others = sorted((abs(other - place), other) for other in range(len(parts)) if other != place)
        healing = next((other for _, other in others if apart(part + parts[other])), others[0][1])
        return part, parts[healing]
    for end in range(1, len(parts)):
        head = {index for part in parts[:end] for index in part}
        if not (whole(head) and whole(everything - head)):
            return parts[end - 1], parts[end]
    return None
