"""openevolve on trivial work: instant answers of a scripted model server on loopback, an evaluator that does nothing.

It is installed from PyPI into a virtual environment of its own. With `--inside` this file is the program that runs
there; it uses openevolve's public API alone.
"""

import itertools
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
import venv
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

VERSION = "openevolve 0.4.0"
PACKAGE = "openevolve==0.4.0"
PROGRAM_BYTES = 4096
EVALUATOR = """\
import os, time
def evaluate(program_path):
    with open(os.environ["PEER_TIMES"], "a") as file:
        file.write(f"{time.time()!r}\\n")
    return {"combined_score": 0.5}
"""


def program(counter: int) -> str:
    """A program of 4 KB with one number in it."""
    head = f"# EVOLVE-BLOCK-START\nCOUNTER = {counter}\n"
    tail = "# EVOLVE-BLOCK-END\n"
    filler = "# a line of a program that nobody runs, there to give it its size\n"
    room = PROGRAM_BYTES - len(head) - len(tail)
    return head + (filler * (room // len(filler) + 1))[: room - 1] + "\n" + tail


# ---------------------------------------------------------------- the model server


class Model(BaseHTTPRequestHandler):
    """Answers every chat completion at once with the whole program, the counter one higher each time."""

    protocol_version = "HTTP/1.1"
    counter = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        Model.counter += 1
        text = f"```python\n{program(Model.counter)}```\n"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        message = {"role": "assistant", "content": text}
        body = json.dumps(
            {
                "id": f"answer-{Model.counter}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": "scripted",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: it would be a line per request."""


# ---------------------------------------------------------------- outside


def measure_peer(place: Path, sizes: list[int], *, longest: float) -> dict[str, Any]:
    """One row per size; ``{"skipped": why}`` when it cannot be installed."""
    place.mkdir(parents=True, exist_ok=True)
    python = os.environ.get("PEER_PYTHON") or installed(place / "venv")
    if not Path(python).exists():
        return {"skipped": python}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = []
    try:
        for size in sizes:
            row = study(python, place / str(size), size, server.server_address[1], longest)
            print(f"{VERSION}, {size}: {json.dumps(row)}", file=sys.stderr, flush=True)
            rows.append(row)
    except subprocess.TimeoutExpired:
        print(f"{VERSION}: {size} iterations took more than {longest:g} s and were given up", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        return {"skipped": f"it failed: {(error.stderr or '')[-400:]}"}
    finally:
        server.shutdown()
    return {"rows": rows} if rows else {"skipped": "no study ended in time"}


def installed(place: Path) -> str:
    """The interpreter of a fresh environment with the peer in it; or, instead of a path, why there is none."""
    try:
        venv.create(place, with_pip=True)
        python = place / "bin" / "python"
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"no environment for it: {error}"
    return str(python) if done.returncode == 0 else f"pip cannot install {PACKAGE}: {done.stderr.strip()[-300:]}"


def study(python: str, place: Path, size: int, port: int, longest: float) -> dict[str, Any]:
    """One study of `size` iterations in a fresh process, then one more iteration from its last checkpoint."""
    place.mkdir(parents=True)
    (place / "program.py").write_text(program(0))
    (place / "evaluator.py").write_text(EVALUATOR)
    done = inside(python, place, size, port, longest)
    times = [float(line) for line in (place / "times").read_text().split()][1:]
    steps = [after - before for before, after in itertools.pairwise(times)]
    tenth = max(1, len(steps) // 10)
    disk = sum(path.lstat().st_blocks * 512 for path in (place / "out").rglob("*"))
    (place / "times").unlink()
    began = time.time()
    checkpoint = max((place / "out" / "checkpoints").iterdir(), key=lambda each: int(each.name.rpartition("_")[2]))
    inside(python, place, 1, port, longest, checkpoint)
    first = float((place / "times").read_text().split()[0])
    return {
        "trials": size,
        "seconds": done["wall"],
        "evaluated": len(times),
        "wall_ms": 1e3 * statistics.fmean(steps),
        "cpu_ms": 1e3 * (done["cpu"] + done["children_cpu"] - done["start_cpu"]) / size,
        "controller_cpu_ms": 1e3 * (done["cpu"] - done["start_cpu"]) / size,
        "tenths_wall": sum(steps[-tenth:]) / sum(steps[:tenth]),
        "controller_cpu_last_tenth_ms": 1e3 * done["cpu_last_tenth"] / (size / 10),
        "resume_seconds": first - began,
        "disk_kb_per_trial": disk / size / 1024,
        "peak_rss_mb": done["rss_mb"],
    }


def inside(python: str, place: Path, size: int, port: int, longest: float, checkpoint: Path | None = None) -> Any:
    """Run this file in the peer's environment."""
    command = [python, __file__, "--inside", str(place), str(size), str(port), str(checkpoint or "")]
    env = {**os.environ, "PEER_TIMES": str(place / "times"), "OPENAI_API_KEY": "none", "PYTHONPATH": ""}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=longest, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---------------------------------------------------------------- inside


def perform(place: Path, size: int, port: int, checkpoint: str) -> None:
    """Run openevolve as its README says and print what this process used."""
    from openevolve import run_evolution
    from openevolve.config import Config, LLMModelConfig

    config = Config(max_iterations=size, checkpoint_interval=100, log_level="WARNING", diff_based_evolution=False)
    url = f"http://127.0.0.1:{port}/v1"
    config.llm.api_base, config.llm.api_key = url, "none"
    config.llm.models = [LLMModelConfig(name="scripted", api_base=url, api_key="none", weight=1.0)]
    config.llm.evaluator_models = list(config.llm.models)
    shared = {"temperature": 0.7, "max_tokens": 4096, "timeout": 60, "retries": 3, "retry_delay": 5}
    config.llm.update_model_params(shared)
    config.evaluator.cascade_evaluation = False
    config.evaluator.parallel_evaluations = 1
    samples: list[tuple[float, float]] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.05):
            samples.append((time.time(), time.process_time()))

    threading.Thread(target=sample, daemon=True).start()
    began, start_cpu = time.time(), time.process_time()
    run_evolution(
        initial_program=place / "program.py",
        evaluator=place / "evaluator.py",
        config=config,
        iterations=size,
        output_dir=str(place / "out"),
        cleanup=False,
        checkpoint_path=checkpoint or None,
    )
    over.set()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = [float(line) for line in (place / "times").read_text().split()]
    late = times[-max(2, len(times) // 10) :]
    tail = [cpu for at, cpu in samples if late[0] <= at <= late[-1]]
    print(
        json.dumps(
            {
                "wall": time.time() - began,
                "start_cpu": start_cpu,
                "cpu": time.process_time(),
                "children_cpu": children.ru_utime + children.ru_stime,
                "cpu_last_tenth": tail[-1] - tail[0] if tail else 0.0,
                "rss_mb": int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024,
            }
        )
    )


if __name__ == "__main__" and sys.argv[1:2] == ["--inside"]:
    perform(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
