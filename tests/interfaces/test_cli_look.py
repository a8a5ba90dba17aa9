"""What `status`, `log`, `show`, `diff` and `report` say of a finished study, in text and in JSON."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.interfaces.faces import CRASHED, KEPT, REFUSED, commands, finished, harmless, place_of, say
from tests.toys import Toy, repository

from autoresearch.adapters.ledger import open_record
from autoresearch.domain.model import TrialState

LOOKS = commands("status", "log", "log --all", "show 0", "show 1", "show 4", "show 6", "diff 1", "diff 0 7", "doctor")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return finished(tmp_path_factory.mktemp("look") / "study")


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_nothing_shown_can_get_at_a_terminal(study: Toy, words: tuple[str, ...]) -> None:
    text = say(study, *words)
    data = say(study, *words, "--json")
    assert text.status == data.status == 0, text.err
    assert harmless(text.out)
    assert harmless(data.out)
    assert isinstance(data.json, dict)


def test_status_says_where_it_stands(study: Toy) -> None:
    text = say(study, "status").out
    assert text.startswith("toy: finished: 7 trials done\n")
    assert "incumbent  trial 7: loss" in text
    assert "next stop" not in text


def test_status_agrees_with_the_record(study: Toy) -> None:
    data = say(study, "status", "--json").json
    with open_record(place_of(study).ledger("toy")) as record:
        totals = record.totals()
    assert data["state"] == "finished"
    assert data["trials"] == totals.trials == 7
    assert data["kept"] == len(KEPT)
    assert data["states"] == {state.value: totals.states.get(state, 0) for state in TrialState}
    assert data["runs"]["ended"] == totals.runs_ended
    assert data["incumbent"]["effect"] == pytest.approx(data["incumbent"]["base"] - data["incumbent"]["value"])
    assert data["workers"] == []


def test_status_loads_nothing_heavy(study: Toy) -> None:
    heavy = ("scipy", "optuna", "matplotlib", "libcst", "numpy", "pandas")
    program = (
        "import sys; from autoresearch.interfaces.cli.app import run; run(['status']);"
        f"sys.exit(' '.join(name for name in {heavy} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=study.path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_log_lists_every_trial_in_order(study: Toy) -> None:
    rows = say(study, "log", "--all", "--json").json["trials"]
    assert [row["number"] for row in rows] == list(range(1, 8))
    assert [row["number"] for row in rows if row["state"] == "kept"] == list(KEPT)
    assert all(row["low"] <= row["effect"] <= row["high"] for row in rows if row["state"] == "kept")
    text = say(study, "log", "--all").out
    assert [line.split()[0] for line in text.splitlines()[1:]] == list("1234567")
    assert "⟨U+202E⟩back" in text


def test_the_log_can_be_cut_and_filtered(study: Toy) -> None:
    newest = say(study, "log", "--limit", "2")
    assert [line.split()[0] for line in newest.out.splitlines()[1:3]] == ["6", "7"]
    assert "(2 of 7 trials" in newest.out
    chosen = say(study, "log", "--state", "kept", "crashed", "--json").json["trials"]
    assert [row["number"] for row in chosen] == sorted([*KEPT, CRASHED])
    assert "no such trial" in say(study, "log", "--state", "vetoed").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("log", "--limit", "0"), "--limit 0"),
        (("log", "--state", "lost"), "lost"),
        (("show", "99"), "its trials are 1 to 7"),
        (("show",), "TRIAL"),
        (("diff", "99"), "no trial 99"),
        (("diff", "0"), "the base has no parent"),
        (("diff", str(REFUSED)), "has no tree"),
        (("status", "--study", "other"), "known: toy"),
        (("report", "--output", "train.py/x"), "--output"),
        (("doctor", "--study", "other"), "known: toy"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_and_exits_2(study: Toy, words: tuple[str, ...], told: str) -> None:
    said = say(study, *words)
    assert said.status == 2
    assert told in said.err + said.out


def test_show_tells_a_kept_trial_whole(study: Toy) -> None:
    data = say(study, "show", "3", "--json").json
    assert data["trial"]["hypothesis"] == "a better depth"
    assert data["trial"]["paths"] == ["train.py"]
    assert {"name": "train.py:DEPTH", "value": 5} in data["trial"]["settings"]
    assert [event["kind"] for event in data["events"]][:2] == ["TrialOpened", "TrialProposed"]
    assert all("loss" in run["metrics"] for run in data["runs"])
    text = say(study, "show", "3").out
    assert text.startswith("trial 3 of toy: kept (")
    assert "train.py:DEPTH=5" in text


def test_show_gives_the_end_of_a_crash_and_its_log(study: Toy) -> None:
    text = say(study, "show", str(CRASHED)).out
    assert "boom" in text
    logs = [run["log"] for run in say(study, "show", str(CRASHED), "--json").json["runs"]]
    assert all(Path(log).is_file() for log in logs)


def test_show_0_is_the_base(study: Toy) -> None:
    data = say(study, "show", "0", "--json").json
    assert data["base"]["commit"] == study.git("rev-parse", "HEAD").strip()
    assert {run["purpose"] for run in data["runs"]} >= {"calibrate"}


def test_diff_shows_the_change_against_the_parent(study: Toy) -> None:
    text = say(study, "diff", "3").out
    assert "-DEPTH = 3" in text
    assert "+DEPTH = 5" in text
    assert "RATE" not in "".join(line for line in text.splitlines() if line.startswith(("+", "-")))
    assert "+RATE = 4.0" in say(study, "diff", "0", "7").out
    assert "no difference" in say(study, "diff", "3", "3").out


def test_only_raw_lets_bytes_through(study: Toy) -> None:
    raw = say(study, "diff", "4", "--raw")
    assert raw.status == 0
    assert raw.out.startswith("diff --git")
    assert say(study, "diff", "4", "--raw", "--json").status == 2


def test_the_report_is_written_where_it_is_wanted(study: Toy, tmp_path: Path) -> None:
    paths = say(study, "report", "--output", str(tmp_path / "out"), "--json").json
    assert {Path(paths[kind]).name for kind in ("html", "markdown", "svg", "png")} == {
        "report.html",
        "report.md",
        "progress.svg",
        "progress.png",
    }
    text = Path(paths["markdown"]).read_text()
    assert "toy" in text
    usual = say(study, "report").out
    assert str(place_of(study).of("toy") / "report" / "report.html") in usual


def test_without_a_study_one_is_told_how_to_begin(tmp_path: Path) -> None:
    bare = repository(tmp_path / "r", {"a": "b\n"})
    for words in commands("status", "log", "show 1", "report", "pause", "apply", "export"):
        said = say(bare, *words)
        assert said.status == 2
        assert "autoresearch init" in said.err


def test_outside_a_repository_the_doctor_still_looks_at_the_machine(tmp_path: Path) -> None:
    outside = Toy(tmp_path)
    said = say(outside, "doctor")
    assert "git" in said.out
    assert "no studies looked at" in said.out
    assert say(outside, "status").status == 2
