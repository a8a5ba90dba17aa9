"""Toy studies: real repositories, real runs, real scorers, each run a few milliseconds."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoresearch.interfaces.cli.app import run as cli

PROGRAM = """\
import json, os, random

RATE = 1.0  # 0.01..100
DEPTH = 3
WARM = 0.5  # 0..1
SMOOTH = False

noise = random.Random(int(os.environ.get("AUTORESEARCH_SEED", "0"))).gauss(0.0, NOISE)
with open(os.path.join(os.environ.get("AUTORESEARCH_OUT", "."), "result.json"), "w") as file:
    json.dump({"rate": RATE, "depth": DEPTH, "warm": WARM, "smooth": SMOOTH, "noise": noise}, file)
"""
SCORER = """\
import json, math, os, sys

document = json.load(sys.stdin)
found = json.load(open(os.path.join(document["artifacts"], "result.json")))
loss = math.log(found["rate"] / 8.0) ** 2 + 0.25 * (found["depth"] - 6) ** 2
loss += 4 * (found["warm"] - 0.2) ** 2 + (0.0 if found["smooth"] else 0.5) + found["noise"]
with os.fdopen(int(os.environ["AUTORESEARCH_RESULT_FD"]), "w") as result:
    json.dump({"metrics": {"loss": 10.0 + loss}, "notes": "toy"}, result)
"""
SPEC = """\
[study]
name = "toy"

[workspace]
editable = ["train.py"]
hidden = ["score.py"]

[run]
command = ["python", "train.py"]
budget = "20s"

[metric]
name = "loss"
direction = "minimize"
source = "score"

[score]
command = ["python", "score.py"]

[researcher]
kind = "{researcher}"
{researcher_more}

[search]
workers = 1

[stop]
{stop}
"""
EDITS: list[dict[str, Any]] = [
    {"hypothesis": "a higher rate", "file": "train.py", "set": {"RATE": 4.0}},
    {"hypothesis": "a worse depth", "file": "train.py", "set": {"DEPTH": 1}},
    {"hypothesis": "a better depth", "file": "train.py", "set": {"DEPTH": 6}},
    {"hypothesis": "does not run", "file": "train.py", "find": "import json", "replace": "import jsno"},
    {"hypothesis": "smoother", "file": "train.py", "set": {"SMOOTH": True}},
    {"hypothesis": "touches the scorer", "file": "score.py", "content": "print('ha')"},
]


@dataclass(frozen=True)
class Toy:
    """A toy study's repository."""

    path: Path

    def cli(self, *arguments: str) -> int:
        """Run a command in this process, from the study's directory."""
        before = Path.cwd()
        os.chdir(self.path)
        try:
            return cli(list(arguments))
        finally:
            os.chdir(before)

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        """Start a command in a process of its own."""
        command = [sys.executable, "-m", "autoresearch", *arguments]
        return subprocess.Popen(
            command, cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
        )

    def program(self, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a command in a process of its own to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def git(self, *arguments: str) -> str:
        """Run git here."""
        return subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True).stdout

    def json(self, *arguments: str) -> Any:
        """A command's JSON document."""
        done = self.program(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


def repository(path: Path, files: dict[str, str]) -> Toy:
    """A git repository with these files committed."""
    path.mkdir(parents=True, exist_ok=True)
    toy = Toy(path)
    toy.git("init", "-q", "-b", "main")
    toy.git("config", "user.name", "tester")
    toy.git("config", "user.email", "tester@localhost")
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    toy.git("add", "-A")
    toy.git("commit", "-q", "-m", "base")
    return toy


def toy(
    path: Path,
    *,
    noise: float = 0.0,
    researcher: str = "scripted",
    stop: str = "trials = 6",
    edits: list[dict[str, Any]] | None = None,
) -> Toy:
    """The toy study: four constants with a known best, Gaussian noise by seed."""
    more = 'script = "edits.json"' if researcher == "scripted" else ""
    files = {
        "train.py": PROGRAM.replace("NOISE", repr(noise)),
        "score.py": SCORER,
        "autoresearch.toml": SPEC.format(researcher=researcher, researcher_more=more, stop=stop),
        "README": "a toy\n",
    }
    if researcher == "scripted":
        files["edits.json"] = json.dumps(EDITS if edits is None else edits)
    return repository(path, files)
