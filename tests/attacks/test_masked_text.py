"""Held-out text of `tinylm`: no researcher, run or predict sandbox shows it, whatever the code there tries."""

import gzip
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autoresearch.adapters.execution.choose import best_sandbox
from autoresearch.adapters.execution.local import LocalExecutor
from autoresearch.bootstrap.place import locate, spec_of
from autoresearch.bootstrap.study import conditions_of
from autoresearch.domain import events as e
from autoresearch.domain.model import Budget
from autoresearch.engine.desk import Conditions
from autoresearch.ports import Task
from tests.attacks.text_thief import hash_of
from tests.faults.invariants import recorded
from tests.toys import Toy

pytestmark = pytest.mark.sandbox

THIEF = Path(__file__).with_name("text_thief.py")
RESEARCHER = """\
import os, pathlib, text_thief

said = text_thief.main("hashes")
train = pathlib.Path("train.py")
attack = "\\n\\nimport text_thief\\n\\ntext_thief.main('hashes')\\n"
train.write_text(train.read_text().replace("\\nimport numpy", attack + "import numpy", 1))
print("hypothesis: " + said)
"""
HASTE = 'os.environ["AUTORESEARCH_BUDGET"] = "0.3 cpu"\n'
"""Trains briefly, so that the budget is left for the search."""


def lines_of(prepare: dict[str, Any]) -> set[str]:
    """Lines that stand in held-out modules and in no module that is trained on."""
    others = [path.read_text(errors="replace") for path in prepare["_training_files"]()]
    training = {line.strip() for text in others for line in text.splitlines()}
    texts = [(prepare["LIBRARY"] / name).read_text() for name in prepare["HELD_OUT"]]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    return {line for line in lines - training if len(line) >= 30 and not line.startswith(("#", "def "))}


@pytest.fixture
def study(tmp_path: Path) -> Toy:
    """The packaged study, its researcher and its program thieves."""
    done = subprocess.run(
        [sys.executable, "-m", "autoresearch", "init", "tinylm", str(tmp_path / "lm")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    study = Toy(tmp_path / "lm")
    prepare = runpy.run_path(str(study.path / "prepare.py"), run_name="prepare")
    shutil.copy(THIEF, study.path)
    (study.path / "hashes").write_text("\n".join(sorted(map(hash_of, lines_of(prepare)))))
    (study.path / "researcher.py").write_text(RESEARCHER)
    train = (study.path / "train.py").read_text()
    (study.path / "train.py").write_text(train.replace("\nimport os\n", f"\nimport os\n\n{HASTE}\n", 1))
    spec = (study.path / "autoresearch.toml").read_text()
    for old, new in (
        ('kind = "tune" ', 'command = ["python", "researcher.py"]\nkind = "command" '),
        ('budget = "20s cpu"', 'budget = "60s cpu"'),
        ('predict_budget = "10s cpu"', 'predict_budget = "60s cpu"'),
        ("trials = 100 ", "trials = 1 "),
    ):
        assert old in spec
        spec = spec.replace(old, new)
    (study.path / "autoresearch.toml").write_text(spec)
    study.git("add", "-A")
    study.git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "thieves")
    return study


def stolen(text: str) -> dict[str, list[str]]:
    """What the thief says it found."""
    said = [line for line in text.splitlines() if "STOLEN {" in line]
    assert said, f"the thief did not run to its end: {text[-2000:]}"
    found: dict[str, list[str]] = json.loads(said[-1].partition("STOLEN ")[2])
    return found


def conditions(study: Toy) -> Conditions:
    place = locate(study.path)
    return conditions_of(place, spec_of(place))


def in_sandbox(study: Toy, *command: str, seconds: float = 60, hide: bool = True) -> str:
    """Run a program in a sandbox with the study's masks; its output."""
    given, out, log = conditions(study), study.path.parent / "out", study.path.parent / "log"
    out.mkdir(exist_ok=True)
    task = Task(
        command=command,
        workspace=None,
        budget=Budget(seconds=seconds, memory=2 << 30, log=32 << 20),
        log=log,
        out=out,
        masked=given.masked if hide else (),
        mounts=given.mounts,
    )
    result = LocalExecutor(best_sandbox()).start(task).wait()
    assert result.status.ok, f"{result.reason}: {result.tail}"
    return log.read_text(errors="replace")


def test_no_sandbox_of_a_study_shows_held_out_text(study: Toy) -> None:
    done = study.program("run", "--seed", "2", timeout=300)
    assert done.returncode == 0, done.stderr
    found = [each.event for each in recorded(study, "tinylm")]
    proposed = [each for each in found if isinstance(each, e.TrialProposed)]
    assert [stolen(each.hypothesis) for each in proposed] == [{}], "in the researcher's sandbox"
    runs = study.path / ".git/autoresearch/tinylm/runs"
    for name in ("log.txt", "predict-validation.txt"):
        plain = [path.read_text(errors="replace") for path in runs.glob(f"*/{name}")]
        packed = [gzip.decompress(path.read_bytes()).decode("utf-8", "replace") for path in runs.glob(f"*/{name}.gz")]
        thefts = [stolen(text) for text in plain + packed if "STOLEN" in text]
        assert thefts, f"no thief left anything in {name}"
        assert not any(thefts), name
    measured = [each for each in found if isinstance(each, e.RunMeasured | e.RunRefused)]
    assert all(isinstance(each, e.RunMeasured) for each in measured)


def test_the_thief_finds_the_text_where_nothing_is_hidden(study: Toy) -> None:
    """So that its silence means something."""
    out = study.path.parent / "out"
    out.mkdir()
    for name in ("text_thief.py", "hashes"):
        shutil.copy(study.path / name, out)
    code = "import sys; sys.path.insert(0, '/autoresearch/out'); import text_thief; text_thief.main(sys.argv[1])"
    words = ("python", "-c", code, "/autoresearch/out/hashes")
    assert set(stolen(in_sandbox(study, *words, hide=False))) >= {"by_path", "by_import", "by_name", "by_link"}
    assert stolen(in_sandbox(study, *words)) == {}


SEARCH = """\
cd /
for place in *; do
    case $place in proc | sys | dev) continue ;; esac
    grep -raoFf /autoresearch/out/lines --devices=skip "/$place" 2> /dev/null
done
exit 0
"""
ALLOWED = 8
"""Held-out lines that any one other file may share: idioms of the network modules, a licence, declarations."""


@pytest.mark.slow
def test_no_file_in_sight_holds_held_out_text(study: Toy) -> None:
    """Every byte of every file that a sandbox shows is searched for lines of the held-out modules."""
    out = study.path.parent / "out"
    out.mkdir()
    prepare = runpy.run_path(str(study.path / "prepare.py"), run_name="prepare")
    lines = {line for line in lines_of(prepare) if len(line) >= 44}
    (out / "lines").write_text("\n".join(sorted(lines)) + "\n")
    shared: dict[str, set[str]] = {}
    for row in in_sandbox(study, "sh", "-c", SEARCH, seconds=900).splitlines():
        path, _, line = row.partition(":")
        shared.setdefault(path, set()).add(line)
    shared.pop("/autoresearch/out/lines", None)
    assert {path: len(found) for path, found in shared.items() if len(found) > ALLOWED} == {}
