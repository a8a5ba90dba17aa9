"""What Ctrl-C and the hours do to a study with several workers, and to programs that take their time."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.toys import PROGRAM, SCORER, SPEC, Toy, repository

pytestmark = pytest.mark.sandbox


def study(path: Path, *, pause: float = 0.0, more: str = "", researcher: str = "tune", scorer: str = SCORER) -> Toy:
    spec = SPEC.format(researcher=researcher, researcher_more=more, stop="trials = 400")
    program = f"import time\ntime.sleep({pause})\n" + PROGRAM.replace("NOISE", "0.1")
    return repository(path, {"train.py": program, "score.py": scorer, "autoresearch.toml": spec})


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def running_workers(toy: Toy) -> int:
    """How many workers `status` names; 0 before the study is begun."""
    done = toy.program("status", "--json")
    return len(json.loads(done.stdout)["workers"]) if done.returncode == 0 else 0


def logs(toy: Toy, name: str) -> list[Path]:
    return list((toy.path / ".git/autoresearch/toy").rglob(name))


def test_twice_ctrl_c_ends_a_researcher_that_takes_its_time(tmp_path: Path) -> None:
    toy = study(tmp_path / "s", researcher="command", more='command = ["sleep", "300"]')
    running = toy.start("run")
    until(lambda: (tmp_path / "s/.git/autoresearch/toy/researcher").is_dir() and logs(toy, "brief.json"))
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert running.returncode == 1
    assert toy.json("show", "1")["trial"]["state"] == "open"


def test_twice_ctrl_c_ends_a_scorer_that_hangs(tmp_path: Path) -> None:
    toy = study(tmp_path / "s", scorer="import time\ntime.sleep(300)\n")
    running = toy.start("run")
    until(lambda: logs(toy, "score.txt"))
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=15)
    assert running.returncode == 1


def test_one_ctrl_c_at_a_terminal_lets_every_worker_end_its_step(tmp_path: Path) -> None:
    toy = study(tmp_path / "s", pause=1.5)
    running = toy.start("run", "--workers", "2", start_new_session=True)
    until(lambda: running_workers(toy) == 2)
    time.sleep(1.0)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1, out + err
    assert not toy.json("status")["workers"]
    assert err.count("finishing the present step") == 2


def test_the_hours_bind_every_worker(tmp_path: Path) -> None:
    toy = study(tmp_path / "s", pause=0.1)
    done = toy.program("run", "--workers", "2", "--hours", "0.002", timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hours are over" in done.stdout or "time is over" in done.stdout
