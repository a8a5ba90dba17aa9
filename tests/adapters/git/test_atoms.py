"""Atoms: what is one, whose it is, and that any of them can be left out."""

import itertools
import random
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoresearch.adapters.git.constants import constant, parsed
from autoresearch.adapters.git.hunks import apply, hunks, lines, matches, merge
from autoresearch.adapters.git.objects import EXECUTABLE, PLAIN, Entry
from autoresearch.adapters.git.store import GitStore
from autoresearch.adapters.git.trees import edited

BASE = textwrap.dedent(
    """\
    import os

    LR = 0.001
    WD: float = 0.1  # decay
    NAME = "a"
    DEPTH = 2 ** 3


    def one(x):
        y = x + 1
        return y


    def two(x):
        if x:
            return 2
        return 3
    """
)

Content = Mapping[str, bytes | str]


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    return GitStore(tmp_path / "state")


def make(store: GitStore, content: Content) -> str:
    edits: dict[str, Entry | None] = {}
    for path, data in content.items():
        raw = data if isinstance(data, bytes) else data.encode()
        edits[path] = Entry(PLAIN, store.objects.write("blob", raw))
    return edited(store.objects, None, edits)


def text(store: GitStore, tree: str | None, path: str = "t.py") -> str:
    assert tree
    return store.read(tree, path).decode()


def changed(**replacements: str) -> str:
    """The base text with some of its lines replaced; names stand for the lines that start so."""
    out = []
    for line in BASE.splitlines(keepends=True):
        name = next((name for name in replacements if line.strip().startswith(name)), None)
        out.append(replacements[name] if name else line)
    return "".join(out)


def summaries(store: GitStore, old: Content, new: Content) -> list[str]:
    return [atom.summary for atom in store.split(make(store, old), make(store, new), [])]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("LR = 1e-3\n", ("LR", "1e-3")),
        ("LR: float = -1e-3  # note\n", ("LR", "-1e-3")),
        ("SHAPE = (1, [2, 3], {'a': None})", ("SHAPE", "(1, [2, 3], {'a': None})")),
        ("BATCH = 2**19 // 8\n", ("BATCH", "2**19 // 8")),
        ("X = y\n", None),
        ("X = f(1)\n", None),
        ("X == 1\n", None),
        ("X = Y = 1\n", None),
        ("  X = 1\n", None),
        ("X = (\n", None),
        ("X += 1\n", None),
        ("X: int\n", None),
        ("X = 1; Y = 2\n", None),
        ('X = "\\d"\n', ("X", '"\\d"')),
    ],
)
def test_what_is_a_constant(line: str, found: tuple[str, str] | None) -> None:
    seen = constant(line.encode())
    assert (seen and (seen.name, seen.source)) == found


def test_adjacent_constants_are_atoms_of_their_own(store: GitStore) -> None:
    new = changed(LR="LR = 3e-3\n", WD="WD: float = 0.2  # more\n", NAME='NAME = "b"\n', DEPTH="DEPTH = 9\n")
    assert summaries(store, {"t.py": BASE}, {"t.py": new}) == [
        "t.py: LR 0.001 → 3e-3",
        "t.py: WD 0.1 → 0.2",
        't.py: NAME "a" → "b"',
        "t.py: DEPTH 2 ** 3 → 9",
    ]
    base, full = make(store, {"t.py": BASE}), make(store, {"t.py": new})
    assert text(store, store.compose(base, full, [1, 3])) == changed(
        WD="WD: float = 0.2  # more\n", DEPTH="DEPTH = 9\n"
    )


def test_a_constant_beside_new_lines_stands_alone(store: GitStore) -> None:
    new = changed(LR="LR = 3e-3\nNEW = 5\n", NAME="")
    assert summaries(store, {"t.py": BASE}, {"t.py": new}) == [
        "t.py: LR 0.001 → 3e-3",
        "t.py:4 (+1 −0)",
        "t.py:5 (+0 −1)",
    ]


def test_a_changed_comment_is_no_changed_value(store: GitStore) -> None:
    assert summaries(store, {"t.py": BASE}, {"t.py": changed(LR="LR = 0.001  # same\n")}) == ["t.py:3 (+1 −1)"]


def test_whole_files_are_atoms(store: GitStore) -> None:
    old: Content = {"gone.py": "x\n", "bin": b"\0a", "kind": "dir first\n", "same": "s"}
    new: Content = {"new.py": "y\n", "bin": b"\0b", "kind/of": "file\n", "same": "s"}
    assert summaries(store, old, new) == [
        "bin: replaced",
        "gone.py: deleted",
        "kind: deleted; kind/of: added",
        "new.py: added",
    ]
    base, full = make(store, old), make(store, new)
    assert store.compose(base, full, [3]) == make(
        store, {**{k: v for k, v in new.items() if k != "kind/of"}, "kind": old["kind"]}
    )
    assert store.compose(base, full, [1, 2, 3, 4]) == base


def test_a_changed_mode_is_an_atom(store: GitStore) -> None:
    base = make(store, {"run.sh": "x\n"})
    entry = Entry(EXECUTABLE, store.objects.write("blob", b"x\n"))
    full = edited(store.objects, base, {"run.sh": entry})
    assert [atom.summary for atom in store.split(base, full, [])] == ["run.sh: mode changed"]
    assert store.compose(base, full, [1]) == base


def test_hunks_that_break_the_file_alone_are_one_atom(store: GitStore) -> None:
    new = BASE.replace(
        "    if x:\n        return 2\n    return 3\n",
        "    try:\n        return 2\n    except ValueError:\n        return 3\n",
    )
    new = new.replace("    y = x + 1\n    return y\n", "    with open(x):\n      y = x + 1\n      return y\n")
    new = new.replace("import os\n", "import os  # kept\n")
    found = summaries(store, {"t.py": BASE}, {"t.py": new})
    assert len(found) == 3
    base, full = make(store, {"t.py": BASE}), make(store, {"t.py": new})
    for size in range(4):
        for off in itertools.combinations((1, 2, 3), size):
            assert parsed(text(store, store.compose(base, full, off))), off


def test_a_bracket_opened_far_from_its_end_is_one_atom(store: GitStore) -> None:
    old = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n"
    new = "a = 1\nx = '''\nb = 2\nc = 30\nd = 4\n'''\ne = 5\n"
    found = summaries(store, {"t.py": old}, {"t.py": new})
    assert found == ["t.py:2 (+1 −0); t.py:6 (+1 −0)", "t.py: c 3 → 30"]


def test_text_that_never_parsed_is_split_all_the_same(store: GitStore) -> None:
    old, new = "def (\nA = 1\n", "def (((\nA = 2\n"
    assert summaries(store, {"t.py": old}, {"t.py": new}) == ["t.py:1 (+1 −1)", "t.py: A 1 → 2"]
    assert len(summaries(store, {"t.txt": "A = 1\nB = 1\n"}, {"t.txt": "A = 2\nB = 2\n"})) == 1


def test_the_last_line_without_its_end(store: GitStore) -> None:
    base, full = make(store, {"t.py": "A = 1"}), make(store, {"t.py": "A = 2\nB = 3"})
    atoms = store.split(base, full, [])
    assert store.compose(base, full, [atom.id for atom in atoms]) == base
    assert len(atoms) == 1


def test_an_unknown_atom_is_refused(store: GitStore) -> None:
    base, full = make(store, {"t.py": "A = 1\n"}), make(store, {"t.py": "A = 2\n"})
    with pytest.raises(ValueError, match="no atom 2: the change has 1"):
        store.compose(base, full, [2])
    assert store.split(base, base, []) == ()
    assert store.compose(base, base, []) == base


def test_atoms_know_their_trials(store: GitStore) -> None:
    first = make(store, {"t.py": BASE})
    steps, now = [], first
    for number, content in enumerate(
        [
            changed(LR="LR = 0.002\n"),
            changed(LR="LR = 0.002\n", y="    y = x + 2\n"),
            changed(LR="LR = 0.003\n", y="    y = x + 2\n", DEPTH="DEPTH = 9\n"),
            changed(LR="LR = 0.003\n", y="    y = x + 2\n", DEPTH="DEPTH = 9\n", NAME=""),
        ],
        start=11,
    ):
        then = make(store, {"t.py": content, "new.txt": f"{number}\n"} if number >= 14 else {"t.py": content})
        steps.append((number, now, then))
        now = then
    found = {atom.summary: atom.trials for atom in store.split(first, now, steps)}
    assert found == {
        "new.txt: added": (14,),
        "t.py: LR 0.001 → 0.003": (11, 13),
        "t.py:5 (+0 −1)": (14,),
        "t.py: DEPTH 2 ** 3 → 9": (13,),
        "t.py:9 (+1 −1)": (12,),
    }


# ---------------------------------------------------------------- onto another tree


def test_a_removal_is_carried_onto_a_later_tree(store: GitStore) -> None:
    base = make(store, {"t.py": BASE})
    full = make(store, {"t.py": changed(LR="LR = 3\n", y="    y = x + 2\n")})
    later = make(store, {"t.py": changed(LR="LR = 3\n", WD="WD: float = 0.5\n", y="    y = x + 2\n"), "n": "n\n"})
    without = store.compose(base, full, [1], later)
    assert text(store, without) == changed(WD="WD: float = 0.5\n", y="    y = x + 2\n")
    assert text(store, without, "n") == "n\n"
    assert store.compose(base, full, [1], full) == store.compose(base, full, [1])


def test_conflicts_are_told(store: GitStore) -> None:
    base = make(store, {"t.py": BASE, "f": "f\n"})
    full = make(store, {"t.py": changed(LR="LR = 3\n", y="    y = x + 2\n"), "g": "g\n"})
    again = make(store, {"t.py": changed(LR="LR = 4\n", y="    y = x + 2\n"), "g": "g\n"})
    names = [atom.summary for atom in store.split(base, full, [])]
    assert names == ["f: deleted", "g: added", "t.py: LR 0.001 → 3", "t.py:10 (+1 −1)"]
    assert store.compose(base, full, [3], again) is None
    assert store.compose(base, full, [4], again) is not None
    edited_g = make(store, {"t.py": BASE, "g": "other\n"})
    assert store.compose(base, full, [2], edited_g) is None
    in_the_way = make(store, {"t.py": BASE, "f/x": "x\n"})
    assert store.compose(base, full, [1], in_the_way) is None
    without_file = make(store, {"h": "h\n"})
    assert store.compose(base, full, [2], without_file) == without_file
    assert store.compose(base, full, [3], without_file) is None


def test_touching_lines_conflict_unless_they_are_constants(store: GitStore) -> None:
    base = make(store, {"t.py": "x = f(\n    1,\n    2,\n)\ny = 1\nz = 2\n"})
    full = make(store, {"t.py": "x = 1\ny = 1\nz = 2\n"})
    onto = make(store, {"t.py": "x = 1\ny = 1\nz = 3\n"})
    assert store.compose(base, full, [1], onto) is not None
    assert merge(lines(b"a\nb\n"), lines(b"a2\nb\n"), lines(b"a\nb2\n")) is None
    assert (
        merge(lines(b"A = 1\nB = 1\n"), lines(b"A = 2\nB = 1\n"), lines(b"A = 1\nB = 2\n"), python=True)
        == b"A = 2\nB = 2\n"
    )


# ---------------------------------------------------------------- properties

LINES = st.lists(
    st.sampled_from(
        ["A = 1\n", "A = 2\n", "B = 1\n", "B = 3\n", "\n", "def f():\n", "    return 1\n", "x\n", "(\n", ")\n"]
    ),
    max_size=12,
)
TEXTS = st.tuples(LINES, st.booleans()).map(lambda it: "".join(it[0]).removesuffix("\n" if it[1] else "#"))
FILES = st.dictionaries(st.sampled_from(["t.py", "u.py", "d/v.txt", "d", "e/f/g.py"]), TEXTS, max_size=4).filter(
    lambda files: not ({"d", "d/v.txt"} <= set(files))
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=FILES, new=FILES, seed=st.integers(0, 99))
def test_atoms_make_up_the_change(store: GitStore, old: Content, new: Content, seed: int) -> None:
    base, full = make(store, old), make(store, new)
    atoms = [atom.id for atom in store.split(base, full, [(1, base, full)])]
    assert atoms == list(range(1, len(atoms) + 1))
    assert store.compose(base, full, []) == full
    assert store.compose(base, full, atoms) == base
    off = random.Random(seed).sample(atoms, len(atoms) // 2)
    some = store.compose(base, full, off)
    assert some is not None
    rest = store.split(base, some, [])
    assert store.compose(base, some, [atom.id for atom in rest]) == base
    assert store.compose(base, full, sorted(off, reverse=True)) == some


@settings(max_examples=150, deadline=None)
@given(old=TEXTS, new=TEXTS, python=st.booleans())
def test_hunks_make_up_the_difference(old: str, new: str, python: bool) -> None:
    a, b = lines(old.encode()), lines(new.encode())
    found = hunks(a, b, python=python)
    assert apply(a, b, found) == new.encode()
    assert apply(a, b, []) == old.encode()
    pairs = matches(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(x < y for x, y in itertools.pairwise(pairs))
    assert (
        merge(a, b, a, python=python) == merge(a, a, b, python=python) == merge(a, b, b, python=python) == new.encode()
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6), data=st.data())
def test_constants_are_independent(store: GitStore, values: list[tuple[int, int]], data: st.DataObject) -> None:
    def body(chosen: list[int]) -> str:
        return "".join(f"C{index} = {value}\n" for index, value in enumerate(chosen))

    base, full = (make(store, {"t.py": body([pair[side] for pair in values])}) for side in (0, 1))
    differing = [index for index, (old, new) in enumerate(values) if old != new]
    atoms = store.split(base, full, [])
    assert len(atoms) == len(differing)
    off = data.draw(st.sets(st.sampled_from(range(len(atoms))))) if atoms else set()
    gone = {differing[index] for index in off}
    expected = [old if index in gone else new for index, (old, new) in enumerate(values)]
    assert text(store, store.compose(base, full, [index + 1 for index in off])) == body(expected)


def test_a_long_file_is_compared_quickly() -> None:
    rng = random.Random(3)
    old = tuple(rng.choice([b"\n", b"}\n", b"x = %d\n" % rng.randrange(10**6)]) for _ in range(20_000))
    new = list(old)
    for _ in range(50):
        new[rng.randrange(len(new))] = b"changed %d\n" % rng.randrange(10**6)
    assert apply(old, tuple(new), hunks(old, tuple(new))) == b"".join(new)
    same = hunks((b"\n",) * 9_000, (b"x\n",) + (b"\n",) * 9_000 + (b"y\n",))
    assert len(same) <= 2
