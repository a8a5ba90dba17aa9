"""The kept changes taken apart into atoms, and put together again without some of them.

A changed top-level constant is an atom, every other hunk is one, a file added, deleted, binary or of another kind is
one; those that cannot stand apart are one together. All of it follows from the two trees alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from autoresearch.adapters.git.constants import constant, parsed
from autoresearch.adapters.git.freeze import shown
from autoresearch.adapters.git.groups import groups
from autoresearch.adapters.git.hunks import Hunk, Lines, apply, hunks, lines, matches, merge
from autoresearch.adapters.git.objects import TREE, Entry, Objects
from autoresearch.adapters.git.trees import Difference, differences, edited, find
from autoresearch.domain.model import Atom

MOST_TEXT = 4 << 20
MOST_SUMMARY = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hunks of one text file, or (no hunks) the whole of a path."""

    difference: Difference
    hunks: tuple[Hunk, ...] = ()


Piece = tuple[Part, ...]
"""What one atom toggles."""


def split(objects: Objects, reference: str, full: str, steps: Sequence[tuple[int, str, str]]) -> tuple[Atom, ...]:
    """The atoms of `reference` → `full`, numbered from 1 by path and line; `steps` are (trial, parent tree, tree)."""
    return tuple(
        Atom(id=number, summary=_summary(objects, piece), trials=_trials(objects, piece, steps))
        for number, piece in enumerate(pieces(objects, reference, full), start=1)
    )


def compose(objects: Objects, reference: str, full: str, off: Sequence[int], onto: str | None = None) -> str | None:
    """The tree `full` without the atoms `off`; with `onto`, that removal merged three-way onto another tree.

    None when the merge conflicts. Raises `ValueError` for an atom that the change does not have.
    """
    all_pieces = pieces(objects, reference, full)
    if unknown := [number for number in off if not 1 <= number <= len(all_pieces)]:
        raise ValueError(f"no atom {unknown[0]}: the change has {len(all_pieces)}")
    removed = {part for number in off for part in all_pieces[number - 1]}
    gone = {(part.difference.path, hunk) for part in removed for hunk in part.hunks}
    edits: dict[str, Entry | None] = {}
    for part in removed:
        path, old, new = part.difference
        if part.hunks:
            assert old
            assert new
            a, b = _lines(objects, old), _lines(objects, new)
            left = [hunk for hunk in _hunks(objects, part.difference) if (path, hunk) not in gone]
            edits[path] = Entry(new.mode, objects.write("blob", apply(a, b, left)))
        else:
            edits[path] = old
    without = edited(objects, full, edits)
    return without if onto is None or onto == full else merge_trees(objects, full, onto, without)


def merge_trees(objects: Objects, base: str, ours: str, theirs: str) -> str | None:
    """The tree `ours` with the change `base` → `theirs` made to it, None when that conflicts."""
    edits: dict[str, Entry | None] = {}
    for path, old, new in differences(objects, base, theirs):
        mine = find(objects, ours, path)
        if mine == new:
            continue
        if mine == old and not _blocked(objects, ours, path):
            edits[path] = new
            continue
        if mine is None or old is None or new is None or not all(_is_text(objects, one) for one in (mine, old, new)):
            return None
        texts = [_lines(objects, one) for one in (old, mine, new)]
        data = merge(*texts, python=_is_python(path))
        if data is None or not _still_parses(path, texts, data):
            return None
        edits[path] = Entry(mine.mode if new.mode == old.mode else new.mode, objects.write("blob", data))
    return edited(objects, ours, edits)


@lru_cache(maxsize=8)
def pieces(objects: Objects, reference: str, full: str) -> tuple[Piece, ...]:
    """What each atom toggles, in the order of the atoms' numbers."""
    found: list[Piece] = []
    whole: list[Part] = []
    for difference in differences(objects, reference, full):
        own = _hunks(objects, difference)
        if own:
            found += [(Part(difference=difference, hunks=group),) for group in _groups(objects, difference, own)]
        else:
            whole.append(Part(difference=difference))
    found += _exclusive(whole)
    return tuple(sorted(found, key=lambda piece: (piece[0].difference.path, piece[0].hunks)))


def _hunks(objects: Objects, difference: Difference) -> tuple[Hunk, ...]:
    """The hunks of a text that kept its mode; none when the path is to be toggled whole."""
    path, old, new = difference
    if old is None or new is None or old.mode != new.mode or not (_is_text(objects, old) and _is_text(objects, new)):
        return ()
    return hunks(_lines(objects, old), _lines(objects, new), python=_is_python(path))


def _groups(objects: Objects, difference: Difference, own: Sequence[Hunk]) -> Sequence[tuple[Hunk, ...]]:
    path, old, new = difference
    assert old
    assert new
    a, b = _lines(objects, old), _lines(objects, new)
    if not _is_python(path) or parsed(b"".join(a)) is None or parsed(b"".join(b)) is None:
        return [(hunk,) for hunk in own]
    return groups(own, lambda chosen: parsed(apply(a, b, chosen)) is not None)


def _exclusive(whole: Sequence[Part]) -> Iterator[Piece]:
    """Whole paths, together where a file stands in the way of a directory of the same name."""
    left = list(whole)
    while left:
        piece = [left.pop(0)]
        for part in list(left):
            if any(_in_the_way(part.difference.path, other.difference.path) for other in piece):
                left.remove(part)
                piece.append(part)
        yield tuple(sorted(piece, key=lambda part: part.difference.path))


def _in_the_way(one: str, other: str) -> bool:
    return one.startswith(other + "/") or other.startswith(one + "/")


# ---------------------------------------------------------------- texts


def _is_text(objects: Objects, entry: Entry) -> bool:
    if entry.kind != "file" or objects.size(entry.oid) > MOST_TEXT:
        return False
    return b"\0" not in objects.blob(entry.oid)


def _lines(objects: Objects, entry: Entry) -> Lines:
    return lines(objects.blob(entry.oid))


def _is_python(path: str) -> bool:
    return path.endswith((".py", ".pyi"))


def _still_parses(path: str, texts: Sequence[Lines], data: bytes) -> bool:
    if not _is_python(path) or any(parsed(b"".join(text)) is None for text in texts):
        return True
    return parsed(data) is not None


def _blocked(objects: Objects, tree: str, path: str) -> bool:
    """Whether a file lies where `path` needs a directory."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        entry = find(objects, tree, "/".join(parts[:end]))
        if entry is not None and entry.mode != TREE:
            return True
    return False


# ---------------------------------------------------------------- what an atom is called, and whose it is


def _summary(objects: Objects, piece: Piece) -> str:
    text = "; ".join(word for part in piece for word in _words(objects, part))
    return text if len(text) <= MOST_SUMMARY else text[: MOST_SUMMARY - 1] + "…"


def _words(objects: Objects, part: Part) -> Iterator[str]:
    path, old, new = part.difference
    name = shown(path)
    if part.hunks:
        assert old
        assert new
        a, b = _lines(objects, old), _lines(objects, new)
        for hunk in part.hunks:
            yield f"{name}: {_setting(a, b, hunk)}" if hunk.name else f"{name}:{_span(hunk)}"
    elif old is None:
        yield f"{name}: added"
    elif new is None:
        yield f"{name}: deleted"
    else:
        yield f"{name}: " + ("mode changed" if old.oid == new.oid else "replaced")


def _setting(a: Lines, b: Lines, hunk: Hunk) -> str:
    old, new = constant(a[hunk.a0]), constant(b[hunk.b0])
    assert old
    assert new
    return f"{hunk.name} {old.source} → {new.source}"


def _span(hunk: Hunk) -> str:
    first, last = (hunk.b0 + 1, hunk.b1) if hunk.b1 > hunk.b0 else (hunk.a0 + 1, hunk.a1)
    where = f"{first}" if last <= first else f"{first}-{last}"
    return f"{where} (+{hunk.b1 - hunk.b0} −{hunk.a1 - hunk.a0})"


def _trials(objects: Objects, piece: Piece, steps: Sequence[tuple[int, str, str]]) -> tuple[int, ...]:
    """The trials whose change reached into the atom; failing that, those that changed its files at all."""
    touched = []
    exact = []
    for trial, parent, tree in steps:
        for part in piece:
            path = part.difference.path
            before, after = find(objects, parent, path), find(objects, tree, path)
            if before != after:
                touched.append(trial)
                if not part.hunks or _reached(objects, part, before, after):
                    exact.append(trial)
    return tuple(dict.fromkeys(exact or touched))


def _reached(objects: Objects, part: Part, before: Entry | None, after: Entry | None) -> bool:
    """Whether the step `before` → `after` of the file changed lines that belong to the atom's hunks."""
    _, old, new = part.difference
    texts = [_lines(objects, one) if one and _is_text(objects, one) else () for one in (old, before, after, new)]
    a, parent, tree, b = texts
    changed = hunks(parent, tree)
    removed = {i for hunk in changed for i in range(hunk.a0, hunk.a1)}
    added = {j for hunk in changed for j in range(hunk.b0, hunk.b1)}
    from_reference = {i for i, j in matches(a, parent) if j in removed}
    in_full = {j for i, j in matches(tree, b) if i in added}
    for hunk in part.hunks:
        if not (from_reference.isdisjoint(range(hunk.a0, hunk.a1)) and in_full.isdisjoint(range(hunk.b0, hunk.b1))):
            return True
        if hunk.name and _value(parent, hunk.name) != _value(tree, hunk.name):
            return True
    return False


def _value(text: Lines, name: str) -> str | None:
    """The value that a text first gives to a constant."""
    start = name.encode()
    for line in text:
        if line.startswith(start) and (found := constant(line)) and found.name == name:
            return found.value
    return None
