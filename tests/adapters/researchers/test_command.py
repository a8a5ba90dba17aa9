"""`command`: any program as a researcher."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adapters.researchers.conftest import Bare, Folder, brief

from autoresearch.adapters.researchers.command import Command
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import Budget, Proposal

Make = Callable[..., Folder]
EDIT = "import pathlib; p = pathlib.Path('train.py'); p.write_text(p.read_text().replace('1e-3', '2e-3'));"


def ask(code: str, workspace: Folder, scratch: Path, seconds: float = 20) -> Proposal:
    command = Command(
        command=(sys.executable, "-c", code), executor=Bare(), budget=Budget(seconds=seconds), scratch=scratch
    )
    return command.propose(brief(4), workspace)


def test_its_edits_are_the_proposal(folder: Make, tmp_path: Path) -> None:
    workspace = folder()
    proposal = ask(
        EDIT + "print('hypothesis: no'); print('Hypothesis:  twice the rate '); print('bye')", workspace, tmp_path
    )
    assert (proposal.hypothesis, proposal.empty) == ("twice the rate", "")
    assert "LR = 2e-3" in workspace.read("train.py")
    assert {each.name: each.value for each in proposal.settings}["train.py:LR"] == 2e-3
    assert proposal.cost.seconds > 0


def test_it_is_told_the_brief(folder: Make, tmp_path: Path) -> None:
    code = (
        "import json, os, pathlib; told = pathlib.Path(os.environ['AUTORESEARCH_BRIEF']);"
        "data = json.loads(told.with_suffix('.json').read_text());"
        "out = pathlib.Path(os.environ['AUTORESEARCH_OUT']) / 'hypothesis.txt';"
        "out.write_text(' '.join([os.environ['AUTORESEARCH_TRIAL'], data['study'], data['metric']['direction'],"
        "told.read_text().splitlines()[0]]))"
    )
    assert ask(code, folder(), tmp_path).hypothesis == "4 toy minimize # Toy"


def test_a_failure_proposes_nothing_and_says_why(folder: Make, tmp_path: Path) -> None:
    proposal = ask("import sys; print('out of ideas'); sys.exit(3)", folder(), tmp_path)
    assert "failed (exit 3): out of ideas" in proposal.empty
    assert "timeout" in ask("import time; time.sleep(30)", folder(), tmp_path, 0.5).empty


def test_a_link_instead_of_a_hypothesis_is_not_followed(folder: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    code = f"import os; os.symlink({str(tmp_path / 'secret')!r}, os.environ['AUTORESEARCH_OUT'] + '/hypothesis.txt')"
    assert "secret" not in ask(code, folder(), tmp_path).hypothesis


def test_nothing_is_left_behind(folder: Make, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ask(EDIT, folder(), scratch)
    assert list(scratch.iterdir()) == []


def test_a_missing_scratch_directory_is_the_machines_fault(folder: Make, tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="cannot write below"):
        ask(EDIT, folder(), tmp_path / "missing")


def test_the_brief_is_plain_json(folder: Make, tmp_path: Path) -> None:
    code = "import os, sys; sys.stdout.write(open(os.environ['AUTORESEARCH_BRIEF'][:-2] + 'json').read()); sys.exit(1)"
    assert json.dumps("toy") in ask(code, folder(), tmp_path).empty
