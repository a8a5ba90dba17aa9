"""Many workers on one study: they meet in the record alone, and no step is performed twice."""

import json
import time
from pathlib import Path

import pytest

from autoresearch.domain import events as e
from tests.faults.invariants import assert_whole, recorded
from tests.toys import SPEC, Toy, repository

pytestmark = pytest.mark.sandbox

COUNTER = (
    "import os, pathlib\nCOUNT = 0\npathlib.Path(os.environ['AUTORESEARCH_OUT'], 'count').write_text(str(COUNT))\n"
)
SCORER = """\
import json, os, pathlib, sys

count = int(pathlib.Path(json.load(sys.stdin)["artifacts"], "count").read_text())
with os.fdopen(int(os.environ["AUTORESEARCH_RESULT_FD"]), "w") as result:
    json.dump({"metrics": {"loss": 100.0 + count % 7}}, result)
"""


def trivial(path: Path, trials: int) -> Toy:
    """A study whose n-th proposal writes n into a file, none of them an improvement."""
    edits = [{"hypothesis": f"count {n}", "file": "train.py", "set": {"COUNT": n}} for n in range(1, trials + 1)]
    spec = SPEC.format(researcher="scripted", researcher_more='script = "edits.json"', stop=f"trials = {trials}")
    files = {"train.py": COUNTER, "score.py": SCORER, "autoresearch.toml": spec, "edits.json": json.dumps(edits)}
    return repository(path, files)


def worked(study: Toy, *, trials: int, workers: int) -> float:
    """Run the study with so many workers and check it; returns trials per second, from the first opened to the last."""
    done = study.program("run", "--workers", str(workers), "--seed", "7", timeout=900)
    assert done.returncode == 0, done.stderr
    assert_whole(study, trials=trials)
    found = recorded(study)
    joined = {each.event.worker for each in found if isinstance(each.event, e.WorkerJoined)}
    left = {each.event.worker for each in found if isinstance(each.event, e.WorkerLeft)}
    assert len(joined) == workers
    assert left == joined
    opened = [each.at for each in found if isinstance(each.event, e.TrialOpened)]
    return (len(opened) - 1) / (opened[-1] - opened[0])


def performed(study: Toy) -> None:
    """Each hypothesis was proposed once and by its own trial, and screened by one run."""
    proposed = [each.event for each in recorded(study) if isinstance(each.event, e.TrialProposed)]
    assert sorted(each.hypothesis for each in proposed) == sorted(f"count {each.trial}" for each in proposed)


def test_three_workers_perform_each_step_once(tmp_path: Path) -> None:
    study = trivial(tmp_path / "study", 60)
    worked(study, trials=60, workers=3)
    performed(study)


@pytest.mark.slow
def test_four_workers_perform_the_steps_of_500_trials_once(tmp_path: Path) -> None:
    study = trivial(tmp_path / "study", 500)
    began = time.monotonic()
    rate = worked(study, trials=500, workers=4)
    performed(study)
    print(f"500 trials by 4 workers: {time.monotonic() - began:.0f} s, {rate:.1f} trials a second")


@pytest.mark.slow
def test_more_workers_do_more_in_the_same_time(tmp_path: Path) -> None:
    """Where there are cores for them; the floor is low because others may use the machine, too."""
    rates = {count: worked(trivial(tmp_path / f"{count}", 100), trials=100, workers=count) for count in (1, 2, 4)}
    print("trials a second by workers:", {count: round(rate, 1) for count, rate in rates.items()})
    assert rates[2] > 0.8 * rates[1]
