"""Differences of two texts by lines, and their three-way merge.

Lines that occur once in both are matched first (patience diff), so a hunk is what a person would call one edit; the
same two texts always give the same hunks.
"""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from autoresearch.adapters.git.constants import constant

Lines = tuple[bytes, ...]
MOST_COMPARED = 4_000_000
"""Two stretches without a line in common anchor are compared line by line up to this product of lengths."""


class Hunk(NamedTuple):
    """Lines ``a0:a1`` of the old text were replaced by lines ``b0:b1`` of the new; `name`: the constant they set."""

    a0: int
    a1: int
    b0: int
    b1: int
    name: str = ""


def lines(data: bytes) -> Lines:
    """The lines of a text with their line feeds; joined they give the text back."""
    *whole, last = data.split(b"\n")
    return tuple([line + b"\n" for line in whole] + ([last] if last else []))


@lru_cache(maxsize=256)
def matches(a: Lines, b: Lines) -> tuple[tuple[int, int], ...]:
    """Pairs of line numbers that are matched, ascending in both."""
    found: list[tuple[int, int]] = []
    stack = [(0, len(a), 0, len(b))]
    while stack:
        a0, a1, b0, b1 = stack.pop()
        while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
            found.append((a0, b0))
            a0, b0 = a0 + 1, b0 + 1
        while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
            a1, b1 = a1 - 1, b1 - 1
            found.append((a1, b1))
        if a0 == a1 or b0 == b1:
            continue
        anchors = _anchors(a, b, a0, a1, b0, b1)
        if anchors:
            ends = [*anchors, (a1, b1)]
            starts = [(a0, b0), *anchors]
            stack += [(x0, x1, y0, y1) for (x0, y0), (x1, y1) in zip(starts, ends, strict=True)]
        elif (a1 - a0) * (b1 - b0) <= MOST_COMPARED:
            same = difflib.SequenceMatcher(None, a[a0:a1], b[b0:b1], autojunk=False).get_matching_blocks()
            found += [(a0 + i + k, b0 + j + k) for i, j, size in same for k in range(size)]
    return tuple(sorted(found))


def _anchors(a: Lines, b: Lines, a0: int, a1: int, b0: int, b1: int) -> list[tuple[int, int]]:
    """The longest run of lines that occur once in both stretches, in the same order in both."""
    once_a = {line for line, count in Counter(a[a0:a1]).items() if count == 1}
    counts_b = Counter(b[b0:b1])
    place = {b[j]: j for j in range(b0, b1) if counts_b[b[j]] == 1 and b[j] in once_a}
    pairs = [(i, place[a[i]]) for i in range(a0, a1) if a[i] in place]
    return _ascending(pairs)


def _ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of `pairs` (ascending in the first number) that ascends in the second too."""
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        slot = bisect_left(tails, j)
        before.append(at[slot - 1] if slot else -1)
        tails[slot : slot + 1] = [j]
        at[slot : slot + 1] = [index]
    chosen = []
    index = at[-1] if at else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def hunks(a: Lines, b: Lines, *, python: bool = False) -> tuple[Hunk, ...]:
    """What was replaced by what, in order; with `python`, each top-level constant of a new value stands alone."""
    found = []
    i = j = 0
    for x, y in (*matches(a, b), (len(a), len(b))):
        if (i, j) != (x, y):
            found += _parted(a, b, Hunk(i, x, j, y)) if python else [Hunk(i, x, j, y)]
        i, j = x + 1, y + 1
    return tuple(found)


def _parted(a: Lines, b: Lines, hunk: Hunk) -> list[Hunk]:
    """A hunk parted at the constants that it gives another value."""
    new = {}
    for j in range(hunk.b0, hunk.b1):
        if (found := constant(b[j])) and found.name not in new:
            new[found.name] = (j, found)
    pairs: list[tuple[int, int]] = []
    for i in range(hunk.a0, hunk.a1):
        old = constant(a[i])
        if old is None or old.name not in new:
            continue
        j, now = new[old.name]
        alike = old.kind == now.kind and a[i].endswith(b"\n") == b[j].endswith(b"\n")
        if alike and old.value != now.value and not any(j == other for _, other in pairs):
            pairs.append((i, j))
    parts = []
    i, j = hunk.a0, hunk.b0
    for x, y in _ascending(pairs):
        parts += [Hunk(i, x, j, y), Hunk(x, x + 1, y, y + 1, new_name(a[x]))]
        i, j = x + 1, y + 1
    parts.append(Hunk(i, hunk.a1, j, hunk.b1))
    return [part for part in parts if part.a0 < part.a1 or part.b0 < part.b1]


def new_name(line: bytes) -> str:
    """The name of the constant that a line sets."""
    found = constant(line)
    return found.name if found else ""


def apply(a: Lines, b: Lines, chosen: Sequence[Hunk]) -> bytes:
    """The old text with the `chosen` hunks (in order) of its difference to the new one."""
    out: list[bytes] = []
    i = 0
    for hunk in chosen:
        out += a[i : hunk.a0]
        out += b[hunk.b0 : hunk.b1]
        i = hunk.a1
    return b"".join([*out, *a[i:]])


def merge(base: Lines, ours: Lines, theirs: Lines, *, python: bool = False) -> bytes | None:
    """The three-way merge, None when both changed the same or (but for constants) touching lines differently."""
    mine = [(hunk, ours) for hunk in hunks(base, ours, python=python)]
    yours = [(hunk, theirs) for hunk in hunks(base, theirs, python=python)]
    merged = {(hunk.a0, hunk.a1, text[hunk.b0 : hunk.b1]): (hunk, text) for hunk, text in mine + yours}
    ordered = sorted(merged.items(), key=lambda item: item[0][:2])
    for (before, _), (after, _) in pairwise(ordered):
        if _clash(before, after, merged):
            return None
    out: list[bytes] = []
    i = 0
    for (a0, a1, new), _ in ordered:
        out += base[i:a0]
        out += new
        i = a1
    return b"".join([*out, *base[i:]])


Key = tuple[int, int, Lines]


def _clash(before: Key, after: Key, merged: dict[Key, tuple[Hunk, Lines]]) -> bool:
    """Whether two neighbouring changes cannot both be made."""
    if before[1] != after[0]:
        return before[1] > after[0]
    (first, text), (second, other) = merged[before], merged[after]
    return text is not other and not (first.name and second.name)
