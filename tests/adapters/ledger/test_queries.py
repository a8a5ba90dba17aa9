"""Every query of `Record` is answered by an index, without sorting, so that its cost does not grow with the study."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.sql import ClauseElement

from autoresearch.adapters.ledger import open_ledger, schema
from autoresearch.adapters.ledger.database import compiled
from autoresearch.testing.ledger_cases import KEY

BY_INDEX = {
    "GET_EVENTS": schema.GET_EVENTS,
    "GET_CHAIN": schema.GET_CHAIN,
    "LAST_OF_TRIAL": schema.LAST_OF_TRIAL,
    "LAST_OF_STUDY": schema.LAST_OF_STUDY,
    "GET_TRIAL": schema.GET_TRIAL,
    "TRIAL_OF_TREE": schema.TRIAL_OF_TREE,
    "TRIALS": schema.TRIALS,
    "TRIALS_NEWEST": schema.TRIALS_NEWEST,
    "TRIALS_IN": schema.TRIALS_IN,
    "TRIALS_IN_NEWEST": schema.TRIALS_IN_NEWEST,
    "SET_TRIAL": schema.SET_TRIAL,
    "GET_RUN": schema.GET_RUN,
    "RUNS_OF_TREE": schema.RUNS_OF_TREE,
    "SET_RUN": schema.SET_RUN,
    "GET_ROUND": schema.GET_ROUND,
    "GET_LEASE": schema.GET_LEASE,
    "DROP_STEP": schema.DROP_STEP,
    "DROP_LEASE": schema.DROP_LEASE,
    "SET_LEASE": schema.SET_LEASE,
}

IN_ORDER = {"RUNS": schema.RUNS, "ALL_CHAINS": schema.ALL_CHAINS, "ALL_HASHES": schema.ALL_HASHES}
"""Read from an end or as a whole: no search, but no sorting either."""


def plan_of(path: Path, statement: ClauseElement) -> str:
    text, constants = compiled(statement)
    file = sqlite3.connect(path)
    params = dict.fromkeys(re.findall(r":(\w+)", text), 1) | dict(constants)
    rows = file.execute(f"EXPLAIN QUERY PLAN {text}", params).fetchall()
    file.close()
    return "; ".join(row[3] for row in rows)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "ledger.db"
    open_ledger(path, KEY, create=True).close()
    return path


@pytest.mark.parametrize("name", BY_INDEX)
def test_searched_by_index(path: Path, name: str) -> None:
    plan = plan_of(path, BY_INDEX[name])
    assert plan.startswith("SEARCH")
    assert "TEMP B-TREE" not in plan
    assert "SCAN" not in plan


@pytest.mark.parametrize("name", IN_ORDER)
def test_read_in_order(path: Path, name: str) -> None:
    assert "TEMP B-TREE" not in plan_of(path, IN_ORDER[name])


def test_naming_the_package_costs_nothing() -> None:
    code = "import sys, autoresearch.adapters.ledger; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
