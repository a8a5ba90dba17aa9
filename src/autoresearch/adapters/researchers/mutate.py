"""The classical baseline: random variation of constants and small syntax edits, with no model of what helps.

What it writes always parses and differs from the parent; the same brief and workspace give the same proposal.
"""

import ast
import random
from collections.abc import Sequence
from dataclasses import dataclass

from autoresearch.adapters.researchers.constants import Constant, constants, rewrite, settings
from autoresearch.adapters.researchers.edits import NUMERAL, apply, edits, jitter
from autoresearch.adapters.researchers.files import editable_files, read
from autoresearch.adapters.researchers.numerals import write
from autoresearch.adapters.researchers.space import coordinate, dimension, value_at
from autoresearch.domain.brief import Brief
from autoresearch.domain.model import Proposal, Scalar
from autoresearch.ports import Workspace

ATTEMPTS = 40
LARGEST = 1 << 20
"""Characters of the largest file that is varied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutate:
    """Varies a constant with probability `constants`, else something inside a function or another text file."""

    constants: float = 0.6

    def propose(self, brief: Brief, workspace: Workspace) -> Proposal:
        """One variation, drawn from `brief.seed`."""
        rng = random.Random(brief.seed)
        found = constants(workspace, brief.editable)
        paths = editable_files(workspace, brief.editable)
        for _ in range(ATTEMPTS):
            said = None
            if found and (rng.random() < self.constants or not paths):
                said = _vary_constant(workspace, found, rng)
            elif paths:
                said = _vary_file(workspace, rng.choice(paths), rng)
            if said:
                return Proposal(hypothesis=said, settings=settings(workspace, brief.editable))
        return Proposal(
            hypothesis="",
            empty="nothing in the editable files can be varied: name Python files with functions or top-level "
            "constants, or text files with numbers, under workspace.editable",
        )


def _vary_constant(workspace: Workspace, found: Sequence[Constant], rng: random.Random) -> str | None:
    constant = rng.choice(found)
    value = _drawn(constant, rng)
    if value is None or value == constant.value:
        return None
    text = workspace.read(constant.file)
    workspace.write(constant.file, rewrite(text, {constant.name: value}, constant.file))
    return f"{constant.name} {write(constant.value)} → {write(value)}"


def _drawn(constant: Constant, rng: random.Random) -> Scalar | None:
    dim = dimension(constant)
    if dim is None:
        return None
    if dim.categorical:
        return rng.choice(dim.choices)
    return value_at(dim, coordinate(dim, constant.value) + rng.gauss(0.0, 0.25))


def _vary_file(workspace: Workspace, path: str, rng: random.Random) -> str | None:
    text = read(workspace, path)
    if text is None or len(text) > LARGEST:
        return None
    return _vary_python(workspace, path, text, rng) if path.endswith(".py") else _vary_text(workspace, path, text, rng)


def _vary_python(workspace: Workspace, path: str, text: str, rng: random.Random) -> str | None:
    try:
        places = edits(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    if not places:
        return None
    kind = rng.choice(sorted({place.kind for place in places}))
    place = rng.choice([each for each in places if each.kind == kind])
    changed = apply(text, place, rng)
    if changed == text or not _parses(changed):
        return None
    workspace.write(path, changed)
    return f"{place.kind} ({path}:{place.line})"


def _vary_text(workspace: Workspace, path: str, text: str, rng: random.Random) -> str | None:
    places = list(NUMERAL.finditer(text))
    if not places:
        return None
    place = rng.choice(places)
    new = jitter(rng, place[0])
    if new == place[0]:
        return None
    workspace.write(path, text[: place.start()] + new + text[place.end() :])
    return f"{place[0]} → {new} ({path}:{text.count(chr(10), 0, place.start()) + 1})"


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True
