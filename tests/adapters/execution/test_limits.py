"""Limits held from outside, in both sandboxes: status, reason, and nobody left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import Budget, Clock, RunStatus
from autoresearch.ports import Mount

from .conftest import Bench


def alive(marker: str) -> list[int]:
    """Processes whose command line holds `marker`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` came true within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def marker(tmp_path: Path) -> str:
    return f"marker-{tmp_path.name}-{os.getpid()}"


def test_a_run_that_ends_well(bench: Bench) -> None:
    result = bench.python("import os; print('hello'); open(os.environ['AUTORESEARCH_OUT'] + '/x', 'w').write('y')")
    assert (result.status, result.exit_code, result.reason, result.tail) == (RunStatus.OK, 0, "", "hello")
    assert (bench.out / "x").read_text() == "y"
    assert result.sandbox == bench.sandbox.name
    assert result.log_bytes == 6
    assert not result.log_truncated
    assert 0 < result.cpu < 5
    assert 0 < result.wall < 10


def test_exit_status_and_signals_are_told(bench: Bench) -> None:
    failed = bench.run("sh", "-c", "exit 3")
    assert (failed.status, failed.exit_code, failed.reason) == (RunStatus.FAILED, 3, "exit status 3")
    killed = bench.run("sh", "-c", "kill -SEGV $$")
    assert (killed.status, killed.exit_code) == (RunStatus.FAILED, 139)
    assert "SIGSEGV" in killed.reason


def test_a_command_that_is_not_there(bench: Bench) -> None:
    result = bench.run("no-such-command-at-all")
    assert (result.status, result.exit_code) == (RunStatus.FAILED, 127)
    assert "command not found" in result.reason


def test_the_contract_of_a_run(bench: Bench) -> None:
    names = ("AUTORESEARCH_SEED", "AUTORESEARCH_BUDGET", "OMP_NUM_THREADS")
    text = f"import os; print(*(os.environ[x] for x in {names}))"
    text += "; open(os.environ['AUTORESEARCH_METRICS'], 'a').write('{}\\n')"
    budget = Budget(seconds=20, clock=Clock.CPU)
    result = bench.python(text, env={"AUTORESEARCH_SEED": "7"}, budget=budget, threads=1)
    assert result.tail == "7 20 cpu 1"
    assert (bench.place / "metrics.jsonl").read_text() == "{}\n"


def test_wall_clock_ends_an_endless_run(bench: Bench) -> None:
    result = bench.run("sleep", "60", budget=Budget(seconds=0.4, grace=1))
    assert result.status is RunStatus.TIMEOUT
    assert "0.4 s" in result.reason
    assert 0.4 <= result.wall < 1.4


def test_a_program_that_ends_well_after_term_is_well(bench: Bench) -> None:
    text = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('up', flush=True); time.sleep(60)"
    )
    result = bench.python(text, budget=Budget(seconds=0.6, grace=5))
    assert (result.status, result.exit_code, result.tail) == (RunStatus.OK, 0, "up")


def test_ignored_term_is_followed_by_kill(bench: Bench, tmp_path: Path) -> None:
    mark = marker(tmp_path)
    text = f"import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)  # {mark}"
    result = bench.python(text, budget=Budget(seconds=0.4, grace=0.4))
    assert result.status is RunStatus.TIMEOUT
    assert 0.7 < result.wall < 2.5
    assert until(lambda: not alive(mark), 1.0)


def test_cpu_time_of_one_process_is_measured(bench: Bench) -> None:
    text = "import time\nwhile time.process_time() < 1.0: pass\nprint(time.process_time())"
    result = bench.python(text)
    assert result.cpu == pytest.approx(float(result.tail), abs=0.15)


def test_cpu_time_of_children_is_measured(bench: Bench) -> None:
    child = "import time\nwhile time.process_time() < 0.4: pass"
    text = f"import subprocess, sys\nfor _ in range(2): subprocess.run([sys.executable, '-c', {child!r}])"
    assert 0.8 <= bench.python(text).cpu < 1.4


def test_cpu_budget_ends_a_run_whose_children_burn_it(bench: Bench) -> None:
    child = "while True: pass"
    text = f"import subprocess, sys\n[subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(2)][0].wait()"
    result = bench.python(text, budget=Budget(seconds=0.3, clock=Clock.CPU, grace=0.3))
    assert result.status is RunStatus.TIMEOUT
    assert "CPU" in result.reason
    assert 0.8 <= result.cpu < 2.5


def test_cpu_budget_holds_for_children_nobody_waits_for(bench: Bench) -> None:
    text = "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    text += "while True:\n if os.fork() == 0:\n  end = time.process_time() + 0.2\n"
    text += "  while time.process_time() < end: pass\n  os._exit(0)\n time.sleep(0.2)"
    result = bench.python(text, budget=Budget(seconds=0.5, clock=Clock.CPU, wall_guard=6, grace=0.2))
    assert result.status is RunStatus.TIMEOUT
    assert "CPU" in result.reason


def test_wall_clock_guards_a_cpu_budget(bench: Bench) -> None:
    result = bench.run("sleep", "60", budget=Budget(seconds=5, clock=Clock.CPU, wall_guard=0.4, grace=0.2))
    assert result.status is RunStatus.TIMEOUT
    assert "guard" in result.reason


def test_memory_hog(bench: Bench) -> None:
    text = "x = []\nwhile True: x.append(bytearray(8 << 20))"
    result = bench.python(text, budget=Budget(seconds=20, memory=200 << 20))
    assert result.status is RunStatus.MEMORY
    assert "200 MiB" in result.reason
    assert result.memory > 200 << 20
    assert result.wall < 5


def test_shared_memory_counts(bench: Bench) -> None:
    text = (
        "import mmap, time\nx = mmap.mmap(-1, 300 << 20)\nfor i in range(0, 300 << 20, 4096): x[i] = 1\ntime.sleep(9)"
    )
    assert bench.python(text, budget=Budget(seconds=20, memory=200 << 20)).status is RunStatus.MEMORY


def test_memory_shared_by_forks_counts_once(bench: Bench) -> None:
    text = "import os, time\nx = bytearray(90 << 20)\nfor _ in range(4):\n"
    text += " if os.fork() == 0: time.sleep(0.4); os._exit(0)\nfor _ in range(4): os.wait()"
    result = bench.python(text, budget=Budget(seconds=20, memory=250 << 20))
    assert result.status is RunStatus.OK
    assert 90 << 20 < result.memory < 200 << 20


def test_fork_bomb(bench: Bench, tmp_path: Path) -> None:
    mark = marker(tmp_path)
    text = f"import os, time\nfor _ in range(500):\n if os.fork() == 0: time.sleep(60)  # {mark}\ntime.sleep(60)"
    result = bench.python(text, budget=Budget(seconds=20, processes=64))
    assert result.status is RunStatus.PROCESSES
    assert "64" in result.reason
    assert until(lambda: not alive(mark), 1.0)


def test_disk_flood(bench: Bench) -> None:
    text = "import os\nn = 0\nwhile True:\n n += 1\n"
    text += " with open(os.environ['AUTORESEARCH_OUT'] + f'/{n}', 'wb') as f: f.write(b'x' * (4 << 20))"
    result = bench.python(text, budget=Budget(seconds=20, disk=64 << 20))
    assert result.status is RunStatus.DISK
    assert "64 MiB" in result.reason
    assert sum(each.stat().st_size for each in bench.out.iterdir()) < 1 << 30


def test_one_large_file(bench: Bench) -> None:
    result = bench.shell(
        "head -c 300M /dev/zero > $AUTORESEARCH_OUT/x; echo over", budget=Budget(seconds=20, disk=32 << 20)
    )
    assert (bench.out / "x").stat().st_size <= 32 << 20
    assert "over" not in result or bench.run("true").status is RunStatus.OK


def test_disk_is_counted_in_the_workspace_and_when_all_is_over(bench: Bench) -> None:
    result = bench.run("sh", "-c", "head -c 8M /dev/zero > here", budget=Budget(seconds=20, disk=4 << 20))
    assert result.status is RunStatus.DISK


def test_log_flood_is_capped_and_marked(bench: Bench) -> None:
    result = bench.python(
        "import sys\nfor i in range(400000): print('line', i)", budget=Budget(seconds=20, log=200_000)
    )
    assert result.status is RunStatus.OK
    assert result.log_truncated
    assert result.log_bytes > 4_000_000
    text = bench.log.read_text()
    assert bench.log.stat().st_size <= 200_000
    assert text.startswith("line 0\n")
    assert "bytes of log left out here" in text
    assert text.endswith("line 399999\n")
    assert result.tail.endswith("line 399999")


def test_the_tail_is_plain_text(bench: Bench) -> None:
    hostile = b"\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07\\xff\\xfe\\x00 \\xe2\\x80\\xae ok"
    result = bench.run("python", "-c", f"import sys; sys.stdout.buffer.write(b'{hostile.decode()}')")
    assert result.status is RunStatus.OK
    assert result.tail.startswith("red ")
    assert result.tail.endswith(" ok")
    assert all(each.isprintable() for each in result.tail)
    assert b"\xff\xfe" in bench.log.read_bytes()


def test_a_daemon_does_not_outlive_the_run(bench: Bench, tmp_path: Path) -> None:
    mark = marker(tmp_path)
    text = "import os, time\nif os.fork() == 0:\n os.setsid()\n"
    text += " if os.fork() == 0:\n  os.closerange(0, 3); time.sleep(60)\n"
    result = bench.python(text + f" os._exit(0)\nos.wait(); time.sleep(0.2)  # {mark}")
    assert result.status is RunStatus.OK
    assert until(lambda: not alive(mark), 1.0)


def test_a_run_can_be_stopped(bench: Bench, tmp_path: Path) -> None:
    mark = marker(tmp_path)
    run = bench.start("sh", "-c", f"sleep 60; : {mark}")
    threading.Timer(0.3, run.stop).start()
    result = run.wait()
    assert result.status is RunStatus.FAILED
    assert "stopped" in result.reason
    assert result.wall < 3
    assert until(lambda: not alive(mark), 1.0)
    run.stop()


def test_a_run_started_by_a_thread_that_ends_goes_on(bench: Bench) -> None:
    runs = []
    thread = threading.Thread(target=lambda: runs.append(bench.start("sh", "-c", "sleep 0.5; echo done")))
    thread.start()
    thread.join()
    assert runs[0].wait().tail == "done"


CONTROLLER = """
import sys, time
from pathlib import Path
from autoresearch.adapters.execution.{module} import {name}
from autoresearch.adapters.execution.local import LocalExecutor
from autoresearch.domain.model import Budget
from autoresearch.ports import Task
script = "import os, time; os.fork(); os.setsid(); time.sleep(60)  # {mark}"
task = Task(command=("python3", "-c", script), workspace=None, budget=Budget(seconds=60), log=Path(sys.argv[1]))
run = LocalExecutor({name}()).start(task)
print("started", flush=True)
run.wait()
"""


def test_killing_the_controller_kills_everything(bench: Bench, tmp_path: Path) -> None:
    mark = marker(tmp_path)
    kind = type(bench.sandbox)
    text = CONTROLLER.format(module=kind.__module__.rsplit(".", 1)[1], name=kind.__name__, mark=mark)
    # Killed once the program runs, and at moments while the sandbox is being set up.
    for delay in (None, 0.002, 0.004, 0.008):
        with subprocess.Popen([sys.executable, "-c", text, str(bench.log)], stdout=subprocess.PIPE) as controller:
            assert controller.stdout is not None
            if delay is None:
                assert controller.stdout.readline() == b"started\n"
                assert until(lambda: len(alive(mark)) >= 3, 5)
            else:
                assert until(lambda: len(alive(mark)) >= 2, 5)
                time.sleep(delay)
            controller.send_signal(signal.SIGKILL)
        assert until(lambda: not alive(mark), 1.0), delay


def test_large_artifacts_are_fine(bench: Bench) -> None:
    result = bench.python("import os; open(os.environ['AUTORESEARCH_OUT'] + '/big', 'wb').write(bytes(50 << 20))")
    assert result.status is RunStatus.OK
    assert (bench.out / "big").stat().st_size == 50 << 20


def test_standard_input_and_output_can_be_pipes(bench: Bench) -> None:
    ask_read, ask_write = os.pipe()
    answer_read, answer_write = os.pipe()
    text = "import sys\nprint('for the log', file=sys.stderr)\n"
    text += "for line in sys.stdin: print(line.upper(), end='', flush=True)"
    run = bench.start("python", "-c", text, stdin=ask_read, stdout=answer_write)
    os.close(ask_read)
    os.close(answer_write)
    with os.fdopen(ask_write, "w") as ask, os.fdopen(answer_read) as answer:
        for word in ("one", "two"):
            ask.write(f"{word}\n")
            ask.flush()
            assert answer.readline() == f"{word.upper()}\n"
        ask.close()
        assert answer.read() == ""
    result = run.wait()
    assert (result.status, result.tail) == (RunStatus.OK, "for the log")


def test_further_descriptors_are_passed(bench: Bench) -> None:
    read, write = os.pipe()
    result = bench.python(f"import os; os.write({write}, b'through')", pass_fds=(write,))
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "through"
    assert result.status is RunStatus.OK


def test_a_missing_input_is_not_the_programs_fault(bench: Bench) -> None:
    with pytest.raises(InfraError, match="not there"):
        bench.start("true", mounts=(Mount(source=Path("/no/such/input")),))
