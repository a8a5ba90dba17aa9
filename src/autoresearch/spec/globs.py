"""Globs of paths: may two of them match the same path, and does one stay inside the repository?

``*`` and ``?`` stay within one directory, ``**`` crosses them; a glob that ends in a plain name covers all below it.
"""

import re
from functools import cache

_CLASS = re.compile(r"\[[^\]]*\]")


def overlap(first: str, second: str) -> bool:
    """Whether some path is matched by both globs. Errs towards yes: a character class counts as ``?``."""
    return any(_meet(one, two) for one in _forms(first) for two in _forms(second))


def escapes(glob: str) -> str:
    """Why `glob` is no glob of paths inside the repository; empty when it is one."""
    if not glob.strip() or "\0" in glob or "\n" in glob:
        return "is empty or holds a control character"
    if glob.startswith(("/", "~")):
        return "is not inside the repository: write it relative to the repository's root"
    parts = _segments(glob)
    if ".." in parts:
        return "leads out of the repository with '..'"
    if parts and parts[0] == ".git":
        return "lies in .git, which no study may touch"
    return "" if parts else "names no file"


def _forms(glob: str) -> tuple[tuple[str, ...], ...]:
    """The glob as segments; one that ends in a plain name also as all that lies below it."""
    parts = _segments(glob)
    if parts and parts[-1] == "**":  # at the end it stands for at least one segment
        return ((*parts[:-1], "*", "**"),)
    return (parts, (*parts, "**")) if parts and not set("*?") & set(parts[-1]) else (parts,)


def _segments(glob: str) -> tuple[str, ...]:
    return tuple(part for part in _CLASS.sub("?", glob).split("/") if part not in ("", "."))


@cache
def _meet(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """Whether two sequences of segments can match the same path."""
    if not one or not two:
        return all(part == "**" for part in one + two)
    if one[0] == "**":
        return _meet(one[1:], two) or _meet(one, two[1:])
    if two[0] == "**":
        return _meet(two, one)
    return _letters_meet(one[0], two[0]) and _meet(one[1:], two[1:])


def _letters_meet(one: str, two: str) -> bool:
    """The same for the letters of one segment, with ``*`` and ``?``: reachable pairs of positions."""
    reached = {(0, 0)}
    for i in range(len(one) + 1):
        for j in range(len(two) + 1):
            if (i, j) not in reached:
                continue
            star_one, star_two = one[i : i + 1] == "*", two[j : j + 1] == "*"
            if star_one:
                reached.add((i + 1, j))
            if star_two:
                reached.add((i, j + 1))
            if i < len(one) and j < len(two):
                reached |= _step(one[i], two[j], i, j)
    return (len(one), len(two)) in reached


def _step(one: str, two: str, i: int, j: int) -> set[tuple[int, int]]:
    """Positions after both read one letter."""
    if one == "*" or two == "*":
        return {(i + (one != "*"), j + (two != "*"))}
    return {(i + 1, j + 1)} if one == two or "?" in (one, two) else set()
