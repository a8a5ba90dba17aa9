"""What a scorer's document may hold, and what a predict process can do to the time of a scoring."""

import json
import time
from pathlib import Path

import pytest
from tests.toys import PROGRAM, SCORER, SPEC, repository

from autoresearch.adapters.scoring.command import LARGEST, _read
from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.model import RunResult, RunStatus, Scores

FINE = RunResult(status=RunStatus.OK)


def read(text: str) -> Scores:
    return _read(FINE, {}, text.encode(), holdout=False)


def test_numbers_and_notes() -> None:
    found = read('{"metrics": {"loss": 2, "acc": 0.5}, "notes": {"b": 1, "a": "x"}, "holdout": {"loss": 1}}')
    assert found.metrics == {"loss": 2.0, "acc": 0.5}
    assert found.notes == '{"a": "x", "b": 1}'
    assert found.holdout == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"metrics": [1]}',
        '{"metrics": {"loss": true}}',
        '{"metrics": {"loss": "1"}}',
        '{"metrics": {"loss": 1' + "0" * 400 + "}}",
        '{"metrics": {"loss": 1' + "0" * 5000 + "}}",
        "[" * 100_000,
        '{"metrics": {"loss": 1}, "notes": "' + "x" * LARGEST + '"}',
    ],
)
def test_any_other_document_is_refused(text: str) -> None:
    with pytest.raises(ScoreRefused):
        read(text)


def test_halves_of_characters_go_nowhere() -> None:
    found = read('{"metrics": {"lo\\ud800ss": 1}, "notes": "\\udfff"}')
    assert json.dumps([*found.metrics, found.notes], ensure_ascii=False).encode()


@pytest.mark.sandbox
def test_a_predict_process_that_lingers_delays_nobody(tmp_path: Path) -> None:
    spec = SPEC.format(researcher="tune", researcher_more="", stop="trials = 1").replace(
        '[score]\ncommand = ["python", "score.py"]',
        '[score]\ncommand = ["python", "score.py"]\npredict = ["python", "predict.py"]\npredict_budget = "60s"',
    )
    linger = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(50)\n"
    files = {"train.py": PROGRAM.replace("NOISE", "0.0"), "score.py": SCORER, "predict.py": linger}
    toy = repository(tmp_path / "s", {**files, "autoresearch.toml": spec})
    began = time.monotonic()
    assert toy.json("check")["ok"]
    assert time.monotonic() - began < 45
