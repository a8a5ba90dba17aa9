"""Path patterns: which files are editable, which are hidden.

`*`, `?` and `[…]` stay within a segment; `**` crosses segments; ``dir/**`` and a plain ``dir`` cover all below `dir`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

WILD = re.compile(r"[*?\[]")


class Globs:
    """A set of patterns, compiled; an empty set matches nothing."""

    __slots__ = ("_inner", "_regex", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile `patterns`: relative, with forward slashes; leading ``./`` or ``/`` and final ``/`` are ignored."""
        self.patterns = tuple(_segments(pattern) for pattern in patterns)
        self.patterns = tuple(parts for parts in self.patterns if parts)
        self._regex: Matching = re.compile("|".join(_translate(parts) for parts in self.patterns) or r"(?!)", re.DOTALL)
        self._inner = lru_cache(maxsize=4096)(self._below)

    def match(self, path: str) -> bool:
        """Whether a pattern covers `path`."""
        return self._regex.fullmatch(path) is not None

    def below(self, directory: str) -> bool:
        """Whether anything below `directory` could be covered (may say yes once too often, never no)."""
        return self._inner(directory)

    def _below(self, directory: str) -> bool:
        parts = tuple(directory.split("/"))
        return any(_reaches(pattern, parts) for pattern in self.patterns)


class Matching(Protocol):
    """What is used of a compiled regular expression."""

    def fullmatch(self, string: str) -> object | None:
        """A match of the whole string."""
        ...


@lru_cache(maxsize=64)
def globs(patterns: tuple[str, ...]) -> Globs:
    """The compiled set of `patterns`, made once."""
    return Globs(patterns)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of `patterns` covers `path`."""
    return globs(tuple(patterns)).match(path)


def _segments(pattern: str) -> tuple[str, ...]:
    return tuple(part for part in pattern.split("/") if part not in ("", "."))


def _translate(parts: tuple[str, ...]) -> str:
    """The regular expression of one pattern over whole paths."""
    out = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out += ".+" if last else "(?:[^/]+/)*"
        else:
            out += _segment(part) + ("" if last else "/")
    return f"(?:{out})" if WILD.search(parts[-1]) else f"(?:{out}(?:/.+)?)"


def _segment(part: str) -> str:
    """The regular expression of one segment."""
    out, index = "", 0
    while index < len(part):
        sign = part[index]
        index += 1
        if sign == "*":
            out += "" if out.endswith("[^/]*") else "[^/]*"
        elif sign == "?":
            out += "[^/]"
        elif sign == "[" and (end := part.find("]", index + 1)) > 0:
            out += _choice(part[index:end])
            index = end + 1
        else:
            out += re.escape(sign)
    return out


def _choice(inner: str) -> str:
    """The regular expression of a bracket: ``[abc]``, ``[a-z]``, ``[!abc]``; a backwards range matches nothing."""
    negated = inner[0] in "!^"
    body = re.sub(r"([\\\[\]&|~^])", r"\\\1", inner[1:] if negated else inner)
    choice = f"(?!/)[{'^' if negated else ''}{body}]"
    try:
        re.compile(choice)
    except re.error:
        return "(?!)"
    return choice


def _reaches(pattern: tuple[str, ...], directory: tuple[str, ...]) -> bool:
    """Whether `pattern` could cover something below `directory`."""
    for index, name in enumerate(directory):
        if index == len(pattern):
            return not WILD.search(pattern[-1])
        if pattern[index] == "**":
            return True
        if not re.fullmatch(_segment(pattern[index]), name, re.DOTALL):
            return False
    return len(pattern) > len(directory) or not WILD.search(pattern[-1])
