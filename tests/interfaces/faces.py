"""One finished toy study for all tests of the commands that look, steer and exchange; each test gets its own copy.

Made once per process: seven scripted edits with a little noise, among them one that crashes and one that is refused,
with texts that try to get at the terminal.
"""

import atexit
import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.toys import Toy, toy

from autoresearch.bootstrap.place import Place, locate

EVIL = "\x1b[31mred\x1b]0;title\x07 \u202eback"
EDITS: list[dict[str, Any]] = [
    {"hypothesis": f"a higher rate {EVIL}", "file": "train.py", "set": {"RATE": 4.0}},
    {"hypothesis": "a worse depth", "file": "train.py", "set": {"DEPTH": 1}},
    {"hypothesis": "a better depth", "file": "train.py", "set": {"DEPTH": 5}},
    {
        "hypothesis": "does not run",
        "file": "train.py",
        "find": "import json",
        "replace": "raise SystemExit('\\x1b[2Jboom \\x9b31m')\nimport json",
    },
    {"hypothesis": "smoother", "file": "train.py", "set": {"SMOOTH": True}},
    {"hypothesis": "touches the scorer", "file": "score.py", "content": "print('ha')"},
    {"hypothesis": "deeper still", "file": "train.py", "set": {"DEPTH": 6}},
]
KEPT = (1, 3, 5, 7)
CRASHED, REFUSED = 4, 6


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its JSON document."""
        return json.loads(self.out)


def say(study: Toy, *arguments: str) -> Said:
    """Run a command in this process, through the entry that users have."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = study.cli(*arguments)
    said = Said(status, out.getvalue(), err.getvalue())
    assert "Traceback" not in said.err
    return said


def place_of(study: Toy) -> Place:
    """Where its state lies."""
    return locate(study.path)


def harmless(text: str) -> bool:
    """Whether a terminal would show `text` as it is: no control, bidirectional or invisible characters."""
    return all(char == "\n" or (char.isprintable() and char not in "\u202e\u202d\u2066\u200b") for char in text)


@cache
def _finished() -> Path:
    home = Path(tempfile.mkdtemp(prefix="autoresearch-test-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    study = toy(home / "study", noise=0.02, edits=EDITS, stop="trials = 7")
    done = study.program("run", "--seed", "3", timeout=300)
    assert done.returncode == 0, done.stderr
    return study.path


def finished(path: Path) -> Toy:
    """A copy of the finished study at `path`."""
    shutil.copytree(_finished(), path, symlinks=True)
    return Toy(path)


def commands(*lines: str) -> Sequence[tuple[str, ...]]:
    """Command lines as words."""
    return [tuple(line.split()) for line in lines]
