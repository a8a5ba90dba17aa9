"""A study on code that was not written for it: a module of the standard library, copied into a repository, tuned."""

import os
from pathlib import Path

import pytest

from tests.toys import Toy, repository, toy

pytestmark = pytest.mark.sandbox

SPEC = """\
[study]
name = "heaps"
goal = "fewer comparisons in heapq.merge and heapq.nsmallest"

[workspace]
editable = ["heapq.py"]
hidden = ["score.py"]

[run]
command = ["python", "measure.py"]
budget = "20s"

[metric]
name = "comparisons"
direction = "minimize"
min_effect = "1%"

[score]
command = ["python", "score.py"]

[researcher]
kind = "mutate"

[stop]
trials = 6
"""
MEASURE = """\
import json, os, random
from pathlib import Path

import heapq  # the copy beside us: the C version replaces none of the functions that take a key

assert Path(heapq.__file__).parent == Path.cwd()
seen = 0


class Counted:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        global seen
        seen += 1
        return self.value < other.value


rng = random.Random(int(os.environ["AUTORESEARCH_SEED"]))
values = [rng.random() for _ in range(2000)]
found = heapq.nsmallest(50, map(Counted, values), key=lambda each: each)
document = {"values": values, "found": [each.value for each in found], "comparisons": seen}
Path(os.environ["AUTORESEARCH_OUT"], "found.json").write_text(json.dumps(document))
"""
SCORE = """\
import json, os, sys

document = json.load(sys.stdin)
found = json.load(open(os.path.join(document["artifacts"], "found.json")))
if found["found"] != sorted(found["values"])[:50]:
    sys.exit("these are not the smallest values")
with os.fdopen(int(os.environ["AUTORESEARCH_RESULT_FD"]), "w") as result:
    json.dump({"metrics": {"comparisons": found["comparisons"]}}, result)
"""


def study_of(path: Path, module: str) -> Toy:
    source = (Path(os.__file__).parent / module).read_text()
    files = {module: source, "measure.py": MEASURE, "score.py": SCORE, "autoresearch.toml": SPEC}
    return repository(path, files)


def test_random_edits_of_a_library_end_in_an_honest_account(tmp_path: Path) -> None:
    """What breaks the module crashes or is refused; what is claimed at the end was measured again, or nothing is."""
    study = study_of(tmp_path / "study", "heapq.py")
    before = study.git("status", "--porcelain", "--ignored")
    done = study.program("run", "--seed", "5", timeout=300)
    assert done.returncode == 0, done.stderr
    rows = study.json("log", "--all")["trials"]
    assert sum(row["researcher"] == "mutate" for row in rows) == 6
    assert {row["state"] for row in rows} <= {"kept", "discarded", "crashed", "vetoed", "abandoned"}
    confirmed = [row for row in rows if row["standing"] == "confirmed"]
    assert "no improvement is claimed" in done.stdout or confirmed
    assert study.git("status", "--porcelain", "--ignored") == before
    assert study.program("doctor").returncode == 0


def test_two_places_of_an_edit_that_need_each_other_are_confirmed_as_one(tmp_path: Path) -> None:
    """A definition and its use lie apart in the file; neither is an improvement without the other."""
    changes = [
        {"file": "train.py", "find": "random\n\n", "replace": "random\n\nBEST = 6\n\n"},
        {"file": "train.py", "find": "DEPTH = 3", "replace": "DEPTH = BEST"},
    ]
    edits = [{"hypothesis": "deeper, by name", "changes": changes}]
    study = toy(tmp_path / "study", noise=0.05, stop="trials = 1", edits=edits)
    done = study.program("run", "--seed", "5")
    assert done.returncode == 0, done.stderr
    (row,) = study.json("log", "--all")["trials"]
    assert (row["state"], row["standing"]) == ("kept", "confirmed"), row["reason"]
    assert study.program("apply").returncode == 0
    text = study.git("show", "autoresearch/toy:train.py")
    assert "BEST = 6" in text
    assert "DEPTH = BEST" in text
