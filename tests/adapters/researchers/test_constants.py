"""Constants: which are found, and that rewriting one touches no byte beside its value."""

import ast
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tests.adapters.researchers.conftest import PROGRAM, Folder

from autoresearch.adapters.researchers import constants as module
from autoresearch.adapters.researchers.constants import Kind, find, rewrite
from autoresearch.adapters.researchers.constants import settings as settings_of
from autoresearch.adapters.researchers.numerals import evaluate, write

SOURCES = Path(__file__).parents[3] / "src" / "autoresearch"


def values(text: str) -> dict[str, object]:
    return {each.name: each.value for each in find(text, "a.py")}


def test_numbers_booleans_and_known_choices_are_found() -> None:
    found = {each.name: each for each in find(PROGRAM, "train.py")}
    assert {name: each.kind for name, each in found.items()} == {
        "LR": Kind.FLOAT, "WIDTH": Kind.INT, "DEPTH": Kind.INT, "DROPOUT": Kind.FLOAT, "BETA2": Kind.FLOAT,
        "DECAY": Kind.FLOAT, "ACT": Kind.CHOICE, "BIAS": Kind.BOOL,
    }  # fmt: skip
    assert found["ACT"].choices == ("relu", "gelu", "tanh")
    assert found["DROPOUT"].comment == "0..0.5"
    assert found["LR"].id == "train.py:LR"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X = 64 * 1024", 65536),
        ("X = 2**16", 65536),
        ("X: float = -3e-4", -3e-4),
        ("X = 1_000", 1000),
        ("X = (5)", 5),
        ("X: Literal['a', 'b'] = 'a'", "a"),
        ("X = 'a'\nassert X in ('a', 'b')", "a"),
        ('X = \'tanh\'  # "tanh" | "relu"', "tanh"),
        ("X = 16  # one of: 16, 32, 64", 16),
        ("X = 1; Y = Z()", 1),
    ],
)
def test_how_a_constant_may_be_written(line: str, value: object) -> None:
    assert values(line) == {"X": value}


@pytest.mark.parametrize(
    "line",
    [
        "X = 'free text'", "X = Y = 3", "X, Y = 1, 2", "X = f(3)", "__all__ = 3", "SEED = 3", "VERSION = 3",
        "DATA_DIR = 3",
        "RANDOM_STATE = 1", "TIME_BUDGET = 300", "VOCAB_SIZE = 256", "EVAL_INTERVAL = 10", "X = 10**99", "X = 1e999",
        "X = 3  # do not tune", "X = 3  # fixed by the data", "X = 1\nX = 2", "X = 0\nfor i in y:\n    X += i",
        "X = 0\ndef f():\n    global X\n    X = 3", "def f():\n    X = 3", "X = 3 if y else 4", "X = (", "X = 1 / 0",
        "X = (-2) ** 0.5",
    ],
)  # fmt: skip
def test_what_is_left_alone(line: str) -> None:
    assert find(line, "a.py") == ()


def test_only_what_is_inside_evolve_blocks() -> None:
    text = "A = 1\n# EVOLVE-BLOCK-START\nB = 2\n# EVOLVE-BLOCK-END\nC = 3\n# EVOLVE-BLOCK-START\nD = 4\n"
    assert values(text) == {"B": 2, "D": 4}


def test_values_are_written_as_people_write_them() -> None:
    cases = [
        (0.0003, "3e-4"),
        (0.05, "0.05"),
        (128, "128"),
        (2.0, "2.0"),
        (1e9, "1e9"),
        (1.5e-8, "1.5e-8"),
        (True, "True"),
    ]
    assert [write(value) for value, _ in cases] == [text for _, text in cases]
    assert write(2048, "1_024") == "2_048"
    assert write(131072, "2**16") == "2**17"
    assert write(96 * 1024, "64 * 1024") == "96 * 1024"
    assert write(1000, "64 * 1024") == "1000"
    assert write("b", '"a"') == '"b"'
    assert write("b", "'a'") == "'b'"


@given(
    st.floats(allow_nan=False, allow_infinity=False, max_value=2**60, min_value=-(2**60)) | st.integers(-(2**60), 2**60)
)
def test_reading_a_written_number_gives_it_back(number: float) -> None:
    back = evaluate(write(number))
    assert back == number
    assert type(back) is type(number)


def test_a_number_without_a_literal_is_refused() -> None:
    with pytest.raises(ValueError, match="no literal"):
        write(float("nan"))


NAMES = st.sampled_from(["LR", "WIDTH", "rate", "Größe"])
FILLER = st.sampled_from(
    [
        "",
        "# note – ü",
        "def f(a):\n    return a * 3  # 0.1",
        "x = [1,  2]",
        "s = 'LR = 3'",
        "if x:\n\ty = 2\n",
        "'''LR = 1\n'''",
    ]
)
LITERALS = st.sampled_from(["1", "3e-4", "0.10", "64 * 1024", "(5)", "-2", "1_000", "2 ** 8", "True"])
TAILS = st.sampled_from(["", "  # why ü", " ", ";z = 1"])
NEW = st.integers(0, 10**6) | st.floats(1e-9, 1e9) | st.booleans()


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(NAMES, LITERALS, FILLER, TAILS), unique_by=lambda row: row[0], min_size=1),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.data(),
)  # fmt: skip
def test_rewriting_touches_no_other_byte(
    rows: list[tuple[str, str, str, str]], newline: str, mark: bool, data: st.DataObject
) -> None:
    pieces = [f"{filler}\n{name} =  {literal}{tail}\n" for name, literal, filler, tail in rows]
    text = ("\ufeff" if mark else "") + "".join(pieces).replace("\n", newline)
    found = [each for each in find(text, "a.py") if each.name in {row[0] for row in rows}]
    assert [each.name for each in found] == [row[0] for row in rows]
    chosen = {each.name: data.draw(NEW) for each in found if data.draw(st.booleans())}
    changed = rewrite(text, chosen, "a.py")
    ast.parse(changed.removeprefix("\ufeff"))
    for each in found:
        wanted = chosen.get(each.name, each.value)
        again = next(other for other in find(changed, "a.py") if other.name == each.name)
        assert (again.value, type(again.value)) == (wanted, type(wanted))
    module._cache.clear()
    assert find(changed, "a.py") == find(rewrite(changed, {}, "a.py"), "a.py")
    assert rewrite(changed, {each.name: each.value for each in found}, "a.py").count("#") == text.count("#")
    if not chosen:
        assert changed.encode() == text.encode()


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py"))[::6], ids=lambda path: path.name)
def test_real_files_keep_every_other_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for each in find(text, path.name):
        if each.kind is not Kind.INT:
            continue
        assert isinstance(each.value, int)
        changed = rewrite(text, {each.name: each.value + 1}, path.name)
        pairs = zip(text.splitlines(), changed.splitlines(), strict=True)
        assert [old.startswith(each.name) for old, new in pairs if old != new] == [True]


def test_what_rewriting_remembers_equals_a_fresh_parse() -> None:
    changed = rewrite(PROGRAM, {"LR": 0.5, "ACT": "gelu", "BIAS": False}, "train.py")
    remembered = find(changed, "train.py")
    module._cache.clear()
    assert find(changed, "train.py") == remembered


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"no constant named NOPE in a\.py"):
        rewrite("A = 1\n", {"NOPE": 2}, "a.py")


def test_parses_kept_are_bounded() -> None:
    for number in range(module.CACHED + 20):
        find(f"A = {number}\n", "a.py")
    assert len(module._cache) == module.CACHED


def test_settings_of_a_workspace(folder: Callable[..., Folder]) -> None:
    workspace = folder("A = 1\n", sub__b_dot_py="B = 2.5\n", c_dot_txt="C = 3\n")
    assert [(each.name, each.value) for each in settings_of(workspace, ("**/*.py",))] == [
        ("sub/b.py:B", 2.5),
        ("train.py:A", 1),
    ]
    assert [each.name for each in settings_of(workspace, ("sub", "missing.py"))] == ["sub/b.py:B"]
