"""Where each key of a TOML text stands: what `tomllib` does not tell.

Reads only text that `tomllib` has accepted; a statement's keys are found by giving that statement alone to `tomllib`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|\#[^\n]*|[\[\]{}\n]|[^"\'\#\[\]{}\n]+|.',
    re.S,
)


def lines(text: str) -> dict[Path, int]:
    """The line (from 1) on which each key or table first stands, by its path; elements of ``[[x]]`` by number."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        if statement.startswith("["):
            table = _header(statement, counts)
            found.setdefault(table, line)
            paths: Iterator[Path] = iter(())
        else:
            paths = _keys(tomllib.loads(statement), table)
        for path in paths:
            found.setdefault(path, line)
    return found


def line_of(found: Mapping[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest table around it; 1 when nothing of it is there."""
    return next((found[path[:end]] for end in range(len(path), 0, -1) if path[:end] in found), 1)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each logical line: a header, or a key with its whole value."""
    line, start, depth, parts = 1, 1, 0, list[str]()
    for token in _TOKEN.findall(text + "\n"):
        if token in ("[", "{"):
            depth += 1
        elif token in ("]", "}"):
            depth -= 1
        if token == "\n" and depth == 0:
            if statement := "".join(parts).strip():
                yield start, statement
            parts, start = [], line + 1
        elif not token.startswith("#"):
            parts.append(token)
        line += token.count("\n")


def _header(statement: str, counts: dict[Path, int]) -> Path:
    """The path of a table header; opens the next element of an array of tables."""
    node: Any = tomllib.loads(statement)
    names: list[str] = []
    while isinstance(node, dict) and node:
        name, node = next(iter(node.items()))
        names.append(name)
        node = node[0] if isinstance(node, list) else node
    path: Path = ()
    for depth, name in enumerate(names):
        path = (*path, name)
        if statement.startswith("[[") and depth == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _keys(node: object, path: Path) -> Iterator[Path]:
    """Paths of all keys in a parsed value: dotted keys and inline tables."""
    pairs: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(node, dict):
        pairs = iter(node.items())
    elif isinstance(node, list):
        pairs = iter(enumerate(node))
    for name, item in pairs:
        yield (*path, name)
        yield from _keys(item, (*path, name))
