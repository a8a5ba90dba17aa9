"""The installed package, wherever it was installed from: what it ships and that it starts."""

import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.resources import files
from pathlib import Path

import autoresearch


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autoresearch", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_it_says_its_version(tmp_path: Path) -> None:
    assert program("--version", cwd=tmp_path).stdout.strip() == autoresearch.__version__ == version("autoresearch")
    assert any(entry.name == "autoresearch" for entry in entry_points(group="console_scripts"))


def test_the_template_and_the_type_marker_are_in_it() -> None:
    shipped = {path.name for path in (files("autoresearch.templates") / "tinylm").iterdir()}
    assert {"autoresearch.toml", "program.md", "prepare.py", "train.py", "predict.py", "score.py"} <= shipped
    assert (files("autoresearch") / "py.typed").is_file()


def test_init_makes_a_study_that_parses(tmp_path: Path) -> None:
    done = program("init", "tinylm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tinylm" / ".git").is_dir()
    status = program("status", "--json", cwd=tmp_path / "tinylm")
    assert status.returncode == 2
    assert "autoresearch run" in status.stderr
