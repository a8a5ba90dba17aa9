"""The README's commands: what they say is what is run here and by `.ci/run`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.interfaces.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    return re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_the_readme_opens_with_the_two_commands_and_they_name_what_exists() -> None:
    main, tests = commands()[:2]
    assert main == "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/autoresearch demo"
    assert tests == "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    script = (ROOT / ".ci/run").read_text()
    assert "install -q -c constraints.txt -e '.[test]'" in script
    assert re.search(r"^no_skips \.ci-venv/bin/pytest$", script, flags=re.MULTILINE)


def test_every_command_of_the_readme_is_one() -> None:
    named = re.findall(r"autoresearch (\w+)", "\n".join(commands()))
    assert set(named) <= set(COMMANDS)


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_demo_improves_a_real_model_within_its_runs(tmp_path: Path) -> None:
    """The main job, whole: improvements are kept and confirmed, and the numbers shown are the record's."""
    demo = [sys.executable, "-m", "autoresearch", "demo", str(tmp_path / "demo"), "--seed", "1", "--json"]
    done = subprocess.run(demo, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["state"] == "finished"
    assert found["runs"] <= 100
    assert found["confirmed"] >= 1
    assert found["headline"]["confirmed"] < found["headline"]["base"]
    assert all(Path(path).stat().st_size > 1000 for path in found["report"].values())
    log = [sys.executable, "-m", "autoresearch", "log", "--all", "--json"]
    listed = json.loads(subprocess.run(log, cwd=tmp_path / "demo", capture_output=True, text=True, check=True).stdout)
    kept = [row for row in listed["trials"] if row["state"] == "kept" and row["standing"] != "held"]
    assert len(kept) == found["kept"]
    assert sum(row["standing"] == "confirmed" for row in kept) == found["confirmed"]
    report = Path(found["report"]["markdown"]).read_text()
    assert f"{found['headline']['confirmed']:.4g}"[:5] in report
