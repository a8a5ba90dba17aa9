"""Bad input, one row each: a clear message and exit status 2, or a recorded state and 1; never a traceback."""

import atexit
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from tests.toys import Toy, toy

Change = Callable[[Toy], object]


def spec(*changes: tuple[str, str], commit: bool = True) -> Change:
    """Change the spec's text."""

    def change(study: Toy) -> None:
        path = study.path / "autoresearch.toml"
        text = path.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        if commit:
            study.git("commit", "-qam", "spec", "--allow-empty")

    return change


def program(text: str) -> Change:
    """Make this the program of a run."""

    def change(study: Toy) -> None:
        (study.path / "train.py").write_text(text)
        study.git("commit", "-qam", "program")

    return change


def stdout(study: Toy) -> None:
    """Read the metric from what the run prints."""
    spec(('source = "score"', 'source = "stdout"'), ('[score]\ncommand = ["python", "score.py"]\n', ""))(study)


def both(*changes: Change) -> Change:
    return lambda study: [change(study) for change in changes]


def no_git(study: Toy) -> None:
    shutil.rmtree(study.path / ".git")


def without(name: str) -> Change:
    return lambda study: study.git("rm", "-q", name) and study.git("commit", "-qm", f"no {name}")


def written(name: str, text: str) -> Change:
    return lambda study: (study.path / name).write_text(text)


def committed(study: Toy) -> None:
    study.git("commit", "-qam", "a change")


def begun(study: Toy) -> None:
    """A study with a record, without any run."""
    shutil.copytree(recorded_once() / ".git/autoresearch", study.path / ".git/autoresearch")


@cache
def recorded_once() -> Path:
    """A study of the same spec with a record, and nothing proposed."""
    place = tempfile.mkdtemp(prefix="begun-")
    atexit.register(shutil.rmtree, place)
    study = toy(Path(place) / "study")
    assert study.cli("run", "--seed", "1", "--hours", "1e-9") == 0
    return study.path


def second_study(study: Toy) -> None:
    """Two studies with records, and no spec that says which is meant."""
    begun(study)
    shutil.copytree(study.path / ".git/autoresearch/toy", study.path / ".git/autoresearch/other")
    (study.path / "autoresearch.toml").unlink()


def newer(study: Toy) -> None:
    """A ledger of a version to come."""
    begun(study)
    with sqlite3.connect(study.path / ".git/autoresearch/toy/ledger.db") as database:
        database.execute("UPDATE schema_version SET version = 999")
    database.close()


def corrupt(study: Toy) -> None:
    begun(study)
    path = study.path / ".git/autoresearch/toy/ledger.db"
    path.write_bytes(b"SQLite format 3\0" + b"garbage " * 512)


@dataclass(frozen=True)
class Case:
    """A change to a sound study, a command, its exit status, and what it must say."""

    change: Change
    words: str
    status: int
    says: Sequence[str]
    sandboxed: bool = field(default=False)


ENDLESS = "while True: pass\n"
CASES = {
    # the spec
    "no spec": Case(without("autoresearch.toml"), "run", 2, ["autoresearch.toml is not there", "autoresearch init"]),
    "unknown key": Case(spec(("[stop]", "[stop]\ntrails = 3")), "run", 2, ["autoresearch.toml:", "trails", "trials"]),
    "unknown table": Case(spec(("[stop]", "[stops]")), "run", 2, ["stops", "stop"]),
    "not TOML": Case(written("autoresearch.toml", "[study\n"), "run", 2, ["autoresearch.toml:1"]),
    "not UTF-8": Case(
        lambda s: (s.path / "autoresearch.toml").write_bytes(b"\xff\xfe"), "run", 2, ["autoresearch.toml", "UTF-8"]
    ),
    "a key is missing": Case(spec(('command = ["python", "train.py"]\n', "")), "run", 2, ["run.command"]),
    "negative trials": Case(spec(("trials = 6", "trials = -6")), "run", 2, ["stop.trials", "-6"]),
    "absurd trials": Case(spec(("trials = 6", "trials = 99999999999999")), "run", 2, ["stop.trials"]),
    "no trials": Case(spec(("trials = 6", "trials = 0")), "run", 2, ["stop.trials"]),
    "trials as text": Case(spec(("trials = 6", 'trials = "six"')), "run", 2, ["stop.trials"]),
    "negative budget": Case(spec(('"20s"', '"-20s"')), "run", 2, ["run.budget", "-20s"]),
    "no budget": Case(spec(('"20s"', '"0s"')), "run", 2, ["run.budget"]),
    "budget without end": Case(spec(('"20s"', '"inf s"')), "run", 2, ["run.budget"]),
    "NaN as target": Case(spec(("trials = 6", "target = nan")), "run", 2, ["stop.target"]),
    "no workers": Case(spec(("workers = 1", "workers = 0")), "run", 2, ["search.workers"]),
    "unknown researcher": Case(spec(('"scripted"', '"scriptd"')), "run", 2, ["researcher.kind", "scripted"]),
    "name leads out": Case(spec(('name = "toy"', 'name = "../toy"')), "run", 2, ["study.name"]),
    "editable leads out": Case(spec(('["train.py"]', '["../train.py"]')), "run", 2, ["workspace.editable"]),
    "editable matches nothing": Case(
        spec(('editable = ["train.py"]', 'editable = ["trian.py"]')), "run", 2, ["trian.py", "matches no file"]
    ),
    "editable is hidden": Case(
        spec(('hidden = ["score.py"]', 'hidden = ["train.py"]')), "run", 2, ["workspace.hidden", "train.py"]
    ),
    # files
    "script is missing": Case(without("edits.json"), "run", 2, ["edits.json", "autoresearch.toml:"]),
    "script is garbage": Case(both(written("edits.json", "{"), committed), "run", 2, ["edits.json", "TOML or JSON"]),
    "program file is missing": Case(
        spec(('name = "toy"', 'name = "toy"\nprogram = "ideas.md"')), "run", 2, ["ideas.md", "autoresearch.toml:"]
    ),
    "input is missing": Case(
        spec(('budget = "20s"', 'budget = "20s"\ninputs = ["data/**"]')), "run", 2, ["data", "is not there"]
    ),
    "program of a run is missing": Case(
        spec(('"train.py"]\nbudget', '"tarin.py"]\nbudget')), "run", 1, ["tarin.py", "paused"], sandboxed=True
    ),
    "scorer is missing": Case(
        spec(('["python", "score.py"]', '["python", "scroe.py"]')), "run", 1, ["scroe.py", "paused"], sandboxed=True
    ),
    "command not found": Case(
        spec(('["python", "train.py"]', '["pyhton", "train.py"]')), "run", 1, ["pyhton", "paused"], sandboxed=True
    ),
    "command not found, looked at": Case(
        spec(('["python", "train.py"]', '["pyhton", "train.py"]')), "check", 1, ["pyhton"], sandboxed=True
    ),
    "a module is missing": Case(program("import no_such_module\n"), "check", 1, ["no_such_module"], sandboxed=True),
    # runs and metrics
    "metric never printed": Case(
        both(stdout, program("print('hello')\n")), "run", 1, ["never printed `loss", "paused"], sandboxed=True
    ),
    "metric never scored": Case(spec(('name = "loss"', 'name = "los"')), "run", 1, ["'los'", "loss"], sandboxed=True),
    "metric is no number": Case(
        both(stdout, program("print('loss: nan')\n")), "run", 1, ["loss", "paused"], sandboxed=True
    ),
    "command that never ends": Case(
        both(spec(('"20s"', '"0.5s"')), program(ENDLESS)), "run", 1, ["0.5", "paused"], sandboxed=True
    ),
    "command that never ends, looked at": Case(
        both(spec(('"20s"', '"0.5s"')), program(ENDLESS)), "check", 1, ["0.5"], sandboxed=True
    ),
    # the repository
    "not a repository": Case(no_git, "run", 2, ["git repository", "git init"]),
    "no commit": Case(both(no_git, lambda s: s.git("init", "-q")), "run", 2, ["commit"]),
    "dirty tracked file": Case(
        written("train.py", "RATE = 3\n"), "run", 2, ["train.py", "uncommitted", "Commit or stash"]
    ),
    "branch in the way": Case(lambda s: s.git("branch", "autoresearch"), "run", 2, ["branch", "autoresearch"]),
    # the command line
    "unknown command": Case(lambda s: None, "rnu", 2, ["rnu", "run"]),
    "unknown flag": Case(lambda s: None, "run --sed 3", 2, ["--sed", "--seed"]),
    "seed is no number": Case(lambda s: None, "run --seed soon", 2, ["--seed", "soon"]),
    "seed is too large": Case(lambda s: None, "run --seed 99999999999999999999999", 2, ["--seed"]),
    "seed is negative": Case(lambda s: None, "run --seed -1", 2, ["--seed"]),
    # outside of any repository, so that a slip here starts nothing
    "no worker": Case(no_git, "run --workers 0", 2, ["--workers"]),
    "fewer than no workers": Case(no_git, "run --workers -2", 2, ["--workers"]),
    "absurd workers": Case(no_git, "run --workers 100000", 2, ["--workers"]),
    "negative hours": Case(lambda s: None, "run --hours -1", 2, ["--hours"]),
    "hours are no number": Case(lambda s: None, "run --hours nan", 2, ["--hours"]),
    "nobody to join": Case(lambda s: None, "run --join", 2, ["to join"]),
    "no hypothesis": Case(lambda s: None, "try", 2, ["--hypothesis"]),
    "a word too many": Case(lambda s: None, "status now", 2, ["now"]),
    "unknown template": Case(lambda s: None, "init tinyml", 2, ["tinyml", "tinylm"]),
    "spec is there already": Case(lambda s: None, "init -y", 2, ["autoresearch.toml", "--force"]),
    # studies and their records
    "unknown study": Case(begun, "status --study tyo", 2, ["tyo", "toy"]),
    "no study yet": Case(lambda s: None, "status", 2, ["no record", "autoresearch run"]),
    "study name leads out": Case(begun, "status --study ../../..", 2, ["../../.."]),
    "two studies": Case(second_study, "status", 2, ["other", "toy", "--study"]),
    "unknown trial": Case(begun, "show 99", 2, ["99"]),
    "trial is no number": Case(begun, "show best", 2, ["best"]),
    "newer record, to read": Case(newer, "status", 1, ["ledger.db", "newer"]),
    "newer record, to write": Case(newer, "run", 1, ["ledger.db", "newer"]),
    "damaged record, to read": Case(corrupt, "status", 1, ["ledger.db"]),
    "damaged record, to write": Case(corrupt, "run", 1, ["ledger.db"]),
    "damaged record, examined": Case(corrupt, "doctor", 1, ["ledger.db"]),
    "import of garbage": Case(written("notes.bin", "\0\1\2"), "import notes.bin", 2, ["notes.bin"]),
    "import of nothing": Case(lambda s: None, "import nothing.tsv", 2, ["nothing.tsv"]),
    "import of an empty file": Case(written("empty.tsv", ""), "import empty.tsv", 2, ["empty.tsv"]),
    "import of a directory": Case(lambda s: (s.path / "folder").mkdir(), "import folder", 2, ["folder"]),
    "nothing to confirm": Case(begun, "confirm", 2, ["nothing waits"], sandboxed=True),
    "log of less than nothing": Case(begun, "log --limit -3", 2, ["--limit"]),
    "empty hint": Case(begun, "steer ''", 2, ["hint"]),
}


def rows() -> list[object]:
    """The table as parameters, those that need a sandbox marked."""
    marks = {True: [pytest.mark.sandbox], False: []}
    return [pytest.param(name, marks=marks[case.sandboxed], id=name) for name, case in CASES.items()]


@pytest.mark.parametrize("name", rows())
def test_bad_input_is_told_clearly(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    study = toy(tmp_path / "study")
    case.change(study)
    capfd.readouterr()
    status = study.cli(*[word.strip("'") for word in case.words.split(" ")])
    out, err = capfd.readouterr()
    told = "\n".join(line for line in (out + err).splitlines() if not line.startswith("  | "))  # less a program's log
    assert (status, "Traceback" in told) == (case.status, False), out + err
    shown = " ".join((out + err).split())
    missing = [words for words in case.says if words not in shown]
    assert not missing, f"{missing} not in: {out + err}"


# ---------------------------------------------------------------- what only a process of its own can show


def limited(study: Toy, *before: str, words: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run shell lines and a command after them: in a mount namespace of its own where that is needed."""
    script = "\n".join(["set -e", *before, f"{sys.executable} -m autoresearch {words}"])
    tool = ["unshare", "--mount"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*tool, "sh", "-c", script], cwd=study.path, capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_told_and_the_study_goes_on_with_space(tmp_path: Path) -> None:
    study = toy(tmp_path / "study", noise=0.1, researcher="mutate", stop="trials = 2")
    state, kept = study.path / ".git/autoresearch", tmp_path / "kept"
    state.mkdir()
    full = f"dd if=/dev/zero of={state}/filler bs=1k 2> /dev/null || true"
    done = limited(
        study,
        f"mount -t tmpfs -o size=4m tmpfs {state}",
        f"{sys.executable} -m autoresearch run --seed 3 --hours 1e-9 > /dev/null",
        full,
        f"{sys.executable} -m autoresearch run > {tmp_path}/out 2> {tmp_path}/err && exit 9 || test $? = 1",
        f"rm {state}/filler",
        f"cp -a {state} {kept}",
        words="doctor --repair || true",
    )
    told = (tmp_path / "out").read_text() + (tmp_path / "err").read_text()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in told
    assert "full" in told or "No space left" in told
    shutil.rmtree(state)
    shutil.copytree(kept, state)
    again = study.program("run")
    assert again.returncode == 0, again.stderr
    assert study.json("status")["trials"] == 2


@pytest.mark.sandbox
def test_a_file_system_that_is_read_only_is_told(tmp_path: Path) -> None:
    study = toy(tmp_path / "study")
    begun(study)
    state = study.path / ".git/autoresearch"
    before = [f"mount --bind {state} {state}", f"mount -o remount,ro,bind {state}"]
    if os.geteuid() != 0:
        before = [f"find {state} -exec chmod a-w {{}} +"]
    for words in ("run", "steer harder", "report"):
        done = limited(study, *before, words=words)
        assert done.returncode in (1, 2), (words, done.stdout + done.stderr)
        assert "Traceback" not in done.stderr
        assert str(state) in done.stderr
    assert limited(study, *before, words="status").returncode == 0


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 1.0])
def test_an_interrupt_at_any_instant_shows_no_traceback(seconds: float, tmp_path: Path) -> None:
    study = toy(tmp_path / "study", noise=0.1, researcher="mutate", stop="trials = 40")
    worker = study.start("run", "--seed", "3")
    while not (study.path / ".git/autoresearch").exists():
        time.sleep(0.01)
    time.sleep(seconds)
    worker.send_signal(signal.SIGINT)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 1, err
    assert "Traceback" not in err


def test_an_interrupt_while_it_is_loaded_shows_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "autoresearch", "status"]
    loading = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert loading.stderr is not None
    while "cyclopts" not in (line := loading.stderr.readline()):
        assert line, "it ended before it was loaded"
    loading.send_signal(signal.SIGINT)
    err = loading.stderr.read()
    assert loading.wait(timeout=60) in (1, -signal.SIGINT)
    loading.stderr.close()
    assert "Traceback" not in err


def test_a_closed_pipe_shows_no_traceback(tmp_path: Path) -> None:
    study = toy(tmp_path / "study")
    begun(study)
    for words in ("status", "log --all", "doctor", "--help"):
        line = f"{sys.executable} -m autoresearch {words} | true"
        done = subprocess.run(line, shell=True, cwd=study.path, capture_output=True, text=True, check=False)
        assert done.stderr == "", words
