"""Real repositories in odd places, and the trusted store beside them."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoresearch.adapters.git.repository import Repository, base, find, import_base
from autoresearch.adapters.git.store import GitStore

NEWLINE = "new\nline.txt"
FILES = {
    "train.py": "LR = 0.001\nDEPTH = 4\n\n\ndef main():\n    return LR\n",
    "score.py": "SECRET = 42\n",
    "holdout/a.txt": "label a\n",
    "holdout/deep/b.txt": "label b\n",
    "src/lib/util.py": "def one():\n    return 1\n",
    "src/données.txt": "é\n",
    NEWLINE: "n\n",
    "a b'; echo foo": "odd\n",
}


@dataclass(frozen=True, slots=True)
class Git:
    """The user's git in one work tree."""

    top: Path

    def __call__(self, *arguments: str, data: bytes = b"") -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment |= {"GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.top.parent)}
        who = ["-c", "user.name=User", "-c", "user.email=user@example.org", "-c", "protocol.file.allow=always"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.top, env=environment, input=data, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return os.fsdecode(done.stdout)


def write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        place = top / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


@pytest.fixture(params=["plain", "a'; echo foo", "ü  0"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory whose name is trouble."""
    place = tmp_path / str(request.param)
    place.mkdir()
    return place


@pytest.fixture
def user(tmp_path: Path) -> Git:
    """A repository of the user with one commit: odd names, a link to the outside, an executable file."""
    return begin(tmp_path / "repo")


def begin(top: Path, files: Mapping[str, str] = FILES, *options: str) -> Git:
    top.mkdir(parents=True)
    git = Git(top)
    git("init", "-q", "-b", "main", *options)
    write(top, files)
    (top / "outside").symlink_to("/etc/passwd")
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    return git


@pytest.fixture
def repository(user: Git) -> Repository:
    return find(user.top)


@pytest.fixture
def store(repository: Repository) -> Iterator[GitStore]:
    with GitStore(repository.state, object_format=repository.object_format) as opened:
        yield opened


@pytest.fixture
def tree(repository: Repository, store: GitStore) -> str:
    """The base tree, imported."""
    return import_base(repository, store, base(repository).commit)


def fsck(store: GitStore) -> None:
    done = subprocess.run(["git", "fsck", "--strict", "--full"], cwd=store.path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def write_tree(directory: Path, object_format: str = "sha1") -> str:
    """What git itself says is the tree of a directory."""
    git_dir = directory.parent / f".{directory.name}-git"
    git = ["git", f"--git-dir={git_dir}", f"--work-tree={directory}"]
    for call in (["init", "-q", f"--object-format={object_format}"], ["-c", "core.bare=false", "add", "-A", "-f"]):
        subprocess.run([*git, *call], cwd=directory, check=True, capture_output=True)
    return subprocess.run([*git, "write-tree"], cwd=directory, check=True, capture_output=True).stdout.decode().strip()
