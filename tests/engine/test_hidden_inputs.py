"""A hidden file stays hidden when it lies inside an input."""

from pathlib import Path

import pytest
from tests.toys import SPEC, repository

TRAIN = """\
import os, pathlib

seen = [path for path in pathlib.Path("data").rglob("*") if path.is_file() and "secret" in path.read_text()]
print("loss:", len(seen))
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("linked", [False, True])
def test_hidden_files_of_an_input_are_not_shown(tmp_path: Path, linked: bool) -> None:
    spec = SPEC.format(researcher="tune", researcher_more="", stop="trials = 1")
    spec = spec.replace('["score.py"]', '["data/answers.txt", "data/later/**", "data/*/key"]', 1)
    spec = spec.replace('budget = "20s"', 'budget = "20s"\ninputs = ["data/**"]')
    spec = spec.replace('source = "score"', 'source = "stdout"').replace(
        '[score]\ncommand = ["python", "score.py"]\n', ""
    )
    toy = repository(tmp_path / "s", {"train.py": TRAIN, ".gitignore": "data\n", "autoresearch.toml": spec})
    data = toy.path / "data"
    if linked:
        (tmp_path / "elsewhere").mkdir()
        data.symlink_to(tmp_path / "elsewhere")
    for name in ("answers.txt", "later/x", "later/deep/y", "part/key"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("secret")
    (data / "train.txt").write_text("free")
    found = toy.json("check")
    assert found["ok"], found
    assert found["value"] == 0
