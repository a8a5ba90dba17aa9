"""`scripted` and `fixed`: edits written beforehand."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adapters.researchers.conftest import PROGRAM, Folder, brief

from autoresearch.adapters.researchers.fixed import Fixed
from autoresearch.adapters.researchers.scripted import scripted
from autoresearch.domain.errors import UsageError

Make = Callable[..., Folder]
SCRIPT = """
[[edit]]
hypothesis = "faster"
changes = [{file = "train.py", set = {LR = 3e-3, ACT = "gelu"}}, {file = "train.py", find = "y - x", replace = "y"}]

[[edit]]
hypothesis = "new"
file = "notes.md"
content = "hello"

[[edit]]
hypothesis = "does not fit"
file = "train.py"
find = "nowhere"
replace = "x"
"""


def test_trial_n_gets_edit_n(folder: Make, tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_text(SCRIPT)
    script = scripted(tmp_path / "script.toml")
    one, two = folder(), folder()
    assert script.propose(brief(2, editable=("*.md",)), two).hypothesis == "new"
    assert two.read("notes.md") == "hello"
    assert script.propose(brief(1), one).hypothesis == "faster"
    expected = PROGRAM.replace("LR = 1e-3", "LR = 0.003").replace('"relu" ', '"gelu" ').replace("y - x", "y")
    assert one.read("train.py") == expected


def test_what_does_not_fit_proposes_nothing(folder: Make, tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_text(SCRIPT)
    script = scripted(tmp_path / "script.toml")
    workspace = folder()
    assert "does not fit train.py" in script.propose(brief(3), workspace).empty
    assert "not editable" in script.propose(brief(2), workspace).empty
    assert script.propose(brief(4), workspace).empty == "the script has no further edit"
    assert workspace.files() == ["train.py"]
    assert workspace.read("train.py") == PROGRAM


def test_json_scripts(folder: Make, tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text(json.dumps([{"hypothesis": "h", "file": "train.py", "set": {"NOPE": 1}}]))
    assert "does not fit" in scripted(tmp_path / "script.json").propose(brief(1), folder()).empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("edit = 3", "holds no edits"),
        ("edit = [", "not a readable script"),
        ("[[edit]]\nhypothesis = 'x'", "has no changes"),
        ("[[edit]]\nfile = 'a'", "a change is"),
        ("[[edit]]\nfile = 'a'\nfind = 'x'", "a change is"),
        ("[[edit]]\nfile = 'a'\nset = 3", "wrong type"),
        ("[[edit]]\nhypothesis = 3\nfile = 'a'\ncontent = 'x'", "must be a table"),
        ("[[edit]]\nchanges = [{content = 'x'}]", "must name its file"),
    ],
)
def test_a_bad_script_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "script.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        scripted(tmp_path / "script.toml")


def test_fixed_texts(folder: Make) -> None:
    workspace = folder()
    assert "not editable" in Fixed(hypothesis="h", files={"a.py": "A = 1\n"}).propose(brief(), workspace).empty
    assert Fixed(hypothesis="h", files={"train.py": "A = 1\n"}).propose(brief(), workspace).settings[0].value == 1
    assert (
        "equal the parent's" in Fixed(hypothesis="h", files={"train.py": "A = 1\n"}).propose(brief(), workspace).empty
    )
