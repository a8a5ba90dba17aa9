"""Trees compared and edited, object by object.

Equal subtrees are never entered: the cost follows the size of the difference, not of the repository.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from autoresearch.adapters.git.objects import TREE, Entry, Objects


class Difference(NamedTuple):
    """One path at which two trees differ; `old` or `new` is None where it does not exist. Never a directory."""

    path: str
    old: Entry | None
    new: Entry | None


def differences(objects: Objects, old: str | None, new: str | None, at: str = "") -> Iterator[Difference]:
    """Every path that differs, in git's order of names; a file that became a directory is deleted, its files added."""
    if old == new:
        return
    before = objects.tree(old) if old else {}
    after = objects.tree(new) if new else {}
    for name in sorted(before.keys() | after.keys()):
        was, now, path = before.get(name), after.get(name), at + name
        if was == now:
            continue
        was_tree = was.oid if was and was.mode == TREE else None
        now_tree = now.oid if now and now.mode == TREE else None
        leaf_was, leaf_now = (None if was_tree else was), (None if now_tree else now)
        if leaf_was or leaf_now:
            yield Difference(path, leaf_was, leaf_now)
        if was_tree or now_tree:
            yield from differences(objects, was_tree, now_tree, path + "/")


def leaves(objects: Objects, tree: str, at: str = "") -> Iterator[tuple[str, Entry]]:
    """Every path below a tree that is no directory."""
    for name, entry in objects.tree(tree).items():
        if entry.mode == TREE:
            yield from leaves(objects, entry.oid, f"{at}{name}/")
        else:
            yield at + name, entry


def find(objects: Objects, tree: str, path: str) -> Entry | None:
    """The entry at `path`, or None."""
    *parents, name = path.split("/")
    for part in parents:
        entry = objects.tree(tree).get(part)
        if entry is None or entry.mode != TREE:
            return None
        tree = entry.oid
    return objects.tree(tree).get(name)


def edited(objects: Objects, tree: str | None, edits: Mapping[str, Entry | None]) -> str:
    """The tree with each path of `edits` replaced (None: removed); directories left empty go too."""
    return _edited(objects, tree, edits) or objects.write_tree({})


def _edited(objects: Objects, tree: str | None, edits: Mapping[str, Entry | None]) -> str | None:
    if not edits:
        return tree
    entries = dict(objects.tree(tree)) if tree else {}
    inner: dict[str, dict[str, Entry | None]] = {}
    for path, entry in edits.items():
        name, slash, rest = path.partition("/")
        if slash:
            inner.setdefault(name, {})[rest] = entry
        elif entry is not None:
            entries[name] = entry
        elif name in entries and entries[name].mode != TREE:
            del entries[name]
    for name, below in inner.items():
        old = entries.get(name)
        if old is not None and old.mode != TREE and not any(below.values()):
            continue
        new = _edited(objects, old.oid if old and old.mode == TREE else None, below)
        if new:
            entries[name] = Entry(TREE, new)
        else:
            entries.pop(name, None)
    return objects.write_tree(entries) if entries else None
