"""`mutate`: what it writes parses, differs, stays within the editable files, and follows from the seed."""

import ast
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adapters.researchers.conftest import PROGRAM, Folder, brief

from autoresearch.adapters.researchers.edits import apply, edits, jitter
from autoresearch.adapters.researchers.mutate import Mutate

Make = Callable[..., Folder]


def test_every_proposal_parses_and_differs(folder: Make) -> None:
    said = set()
    for seed in range(150):
        workspace = folder()
        proposal = Mutate().propose(brief(seed=seed), workspace)
        said.add(proposal.hypothesis.split(" (")[0])
        assert not proposal.empty
        assert workspace.read("train.py") != PROGRAM
        ast.parse(workspace.read("train.py"))
    assert {"delete statement", "repeat statement", "max → min", "Mult → Div", "negate condition", "Sub → Add"} <= said
    assert len(said) > 30


def test_the_same_seed_gives_the_same_edit(folder: Make) -> None:
    for seed in range(10):
        one, other = folder(), folder()
        assert Mutate().propose(brief(seed=seed), one) == Mutate().propose(brief(seed=seed), other)
        assert one.read("train.py") == other.read("train.py")


def test_only_editable_files_change(folder: Make) -> None:
    for seed in range(30):
        workspace = folder(other_dot_py="A = 3\n", notes_dot_txt="lr 0.1, steps 300\n")
        Mutate().propose(brief(seed=seed, editable=("notes.txt",)), workspace)
        assert (workspace.read("train.py"), workspace.read("other.py")) == (PROGRAM, "A = 3\n")
        assert workspace.read("notes.txt") != "lr 0.1, steps 300\n"


def test_nothing_to_vary_is_said(folder: Make) -> None:
    assert "nothing in the editable files" in Mutate().propose(brief(), folder("import os\n")).empty
    assert "nothing in the editable files" in Mutate().propose(brief(), folder("def f(:\n")).empty


@pytest.mark.parametrize("path", sorted(Path(ast.__file__).parent.glob("*.py"))[:40:4], ids=lambda path: path.name)
def test_edits_of_real_files_replace_whole_nodes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    places = edits(text)
    rng = random.Random(1)
    for place in rng.sample(places, min(6, len(places))):
        changed = apply(text, place, rng)
        ast.parse(changed)
        assert changed.encode()[: place.start] == text.encode()[: place.start]


def test_f_strings_stay_whole() -> None:
    text = 'def f(x):\n    return f"{x + 1:.3f} {max(x, 2)}"\n'
    if sys.version_info < (3, 12):
        assert edits(text) == ()
    for place in edits(text):
        ast.parse(apply(text, place, random.Random(0)))


def test_jitter_keeps_the_sort_of_a_number() -> None:
    rng = random.Random(3)
    for number in ("3", "0", "-4", "0.5", "1e-3", "0.0"):
        drawn = [jitter(rng, number) for _ in range(20)]
        assert {type(ast.literal_eval(each)) for each in drawn} == {type(ast.literal_eval(number))}
        assert set(drawn) != {number}
