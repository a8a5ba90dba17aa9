"""Controllers that die, are told to end, or sleep: every study goes on, and nothing is lost, doubled or left over."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from autoresearch.domain import events as e
from autoresearch.domain.errors import LedgerError, UsageError
from tests.faults.invariants import assert_replays, assert_runs, assert_whole, recorded
from tests.toys import PROGRAM, Toy, toy

pytestmark = pytest.mark.sandbox

TIMED = """\
import time

began = time.perf_counter_ns()
sum(range(20_000))
AGAIN = 1.0 + 1e-5 * (time.perf_counter_ns() - began)
"""
"""What makes the toy's noise a matter of time: no seed repeats it."""


def noisy(path: Path, trials: int, *, timed: bool = False, pause: float = 0.0) -> Toy:
    """A noisy study of random variations; `timed`: its noise obeys no seed; `pause`: seconds that a run sleeps."""
    study = toy(path, noise=0.2, researcher="mutate", stop=f"trials = {trials}")
    text = (TIMED if timed else "import time\n") + PROGRAM.replace("NOISE", "0.2")
    text += f"time.sleep({pause})\n"
    if timed:
        text = text.replace('"noise": noise', '"noise": noise * AGAIN')
    (study.path / "train.py").write_text(text)
    study.git("commit", "-qam", "base")
    return study


def killed(study: Toy, seconds: float, *arguments: str) -> bool:
    """Start a controller and kill its whole process group after so many seconds; False when it had ended by then."""
    victim = study.start("run", *arguments, start_new_session=True)
    try:
        victim.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    return victim.returncode == -signal.SIGKILL


def events(study: Toy) -> int:
    """How much is recorded; 0 before the record is there."""
    try:
        return len(recorded(study))
    except (LedgerError, UsageError):
        return 0


def wait_for(study: Toy, more: int, deadline: float = 60) -> None:
    """Wait until so many events are recorded beside those there are."""
    end, wanted = time.monotonic() + deadline, events(study) + more
    while events(study) < wanted:
        assert time.monotonic() < end, "the study does not move on"
        time.sleep(0.05)


def kill_at_random(study: Toy, *, times: int, trials: int, seed: int) -> None:
    """Kill the study's controller so many times, resume it each time, and let it end."""
    rng = random.Random(seed)
    survived = 0
    for _ in range(times):
        survived += not killed(study, rng.uniform(0.2, 3.0), "--seed", str(seed))
    assert survived == 0, "the study ended before the last kill: make it longer"
    done = study.program("run", timeout=600)
    assert done.returncode == 0, done.stderr
    assert_whole(study, trials=trials)


@pytest.mark.slow
def test_twenty_kills_of_a_noisy_study_lose_and_double_nothing(tmp_path: Path) -> None:
    study = noisy(tmp_path / "study", 30, timed=True, pause=0.2)
    kill_at_random(study, times=20, trials=30, seed=11)
    assert assert_replays(study) > 60


def test_a_few_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    study = noisy(tmp_path / "study", 6, timed=True, pause=0.1)
    kill_at_random(study, times=5, trials=6, seed=12)
    assert assert_replays(study) > 12


@pytest.mark.slow
def test_kills_of_workers_and_their_helpers_lose_and_double_nothing(tmp_path: Path) -> None:
    """The helpers of `--workers` have the controller's process group: they die with it, at whatever they are."""
    study = noisy(tmp_path / "study", 30, pause=0.2)
    rng = random.Random(13)
    for _ in range(8):
        assert killed(study, rng.uniform(1.0, 3.5), "--workers", "3", "--seed", "13")
    assert study.program("run", "--workers", "3", timeout=600).returncode == 0
    assert_whole(study, trials=30)


def test_decisions_follow_from_what_is_recorded(tmp_path: Path) -> None:
    """A timed study cannot be run twice with the same numbers; its decisions can be made twice from the same record."""
    study = noisy(tmp_path / "study", 6, timed=True)
    done = study.program("run", "--seed", "3")
    assert done.returncode == 0, done.stderr
    values = [each.event for each in recorded(study) if isinstance(each.event, e.RunMeasured)]
    assert len({each.scores.metrics["loss"] for each in values}) == len(values)
    assert assert_replays(study) > 12


def hear_hangups() -> None:
    """As in a terminal: under nohup, which tests may run under, hangups are ignored from the start."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("ending", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow), signal.SIGINT])
def test_a_signal_ends_a_controller_in_good_order(ending: signal.Signals, tmp_path: Path) -> None:
    """TERM and HUP drop the present step, an interrupt sent twice does, too; the dropped run is done again later."""
    study = noisy(tmp_path / "study", 3, pause=20.0)
    worker = study.start("run", "--seed", "3", preexec_fn=hear_hangups)
    wait_for(study, 4)
    time.sleep(0.5)
    began = time.monotonic()
    worker.send_signal(ending)
    if ending is signal.SIGINT:
        time.sleep(0.3)
        worker.send_signal(ending)
    _, err = worker.communicate(timeout=30)
    assert time.monotonic() - began < 15, "what was under way is not waited for"
    assert worker.returncode == 1, err
    assert "Traceback" not in err
    assert isinstance(recorded(study)[-1].event, e.WorkerLeft)
    assert not [each for each in recorded(study) if isinstance(each.event, e.RunEnded)]
    assert study.json("status")["state"] == "idle"
    assert study.program("doctor").returncode == 0


def test_a_controller_that_shall_not_hear_a_hangup_does_not(tmp_path: Path) -> None:
    """`nohup autoresearch run &`, then the terminal is closed."""
    study = noisy(tmp_path / "study", 2)
    worker = study.start("run", "--seed", "3", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for(study, 4)
    worker.send_signal(signal.SIGHUP)
    _, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    assert_whole(study, trials=2)


@pytest.mark.slow
def test_a_worker_that_sleeps_past_its_lease_records_nothing_late(tmp_path: Path) -> None:
    """A laptop that sleeps: another worker takes the step over, the sleeper's late result is dropped."""
    study = noisy(tmp_path / "study", 4, pause=2.0)
    sleeper = study.start("run", "--seed", "3")
    wait_for(study, 6)
    time.sleep(1.0)
    sleeper.send_signal(signal.SIGSTOP)
    try:
        other = study.start("run", "--join", "--json")
        wait_for(study, 1)  # it has joined
        wait_for(study, 2, deadline=90)  # and goes on with what the sleeper held
    finally:
        sleeper.send_signal(signal.SIGCONT)
    for worker in (sleeper, other):
        _, err = worker.communicate(timeout=300)
        assert worker.returncode == 0, err
    assert_runs(recorded(study))
    crashed = [each.event for each in recorded(study) if isinstance(each.event, e.StepFailed)]
    assert crashed == []
    assert_whole(study, trials=4)
