"""An imported log as a record: what stands in it, that it claims nothing, and that it comes out as it went in."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.adapters.exporters.jsonl import read_pi
from autoresearch.adapters.exporters.lineage import events_of, log_of, study_of
from autoresearch.adapters.exporters.log import ImportedLog, ImportedTrial
from autoresearch.adapters.exporters.noise import repeats, seed_shifts, within_noise
from autoresearch.adapters.exporters.tsv import read_tsv, write_tsv
from autoresearch.adapters.ledger import open_ledger
from autoresearch.domain.codec import dump, load_event
from autoresearch.domain.events import Event, Recorded, StudyCreated
from autoresearch.domain.lineage import fold
from autoresearch.domain.model import Direction, RunStatus, Standing, TrialState
from autoresearch.domain.state import Control, StudyState

REAL = Path(__file__).parents[2] / "data" / "karpathy-mar8-results.tsv"


def folded(events: tuple[Event, ...]) -> StudyState:
    state = StudyState()
    for seq, event in enumerate(events, start=1):
        fold(state, Recorded(seq=seq, at=0.0, event=event))
    return state


def test_the_real_log_tells_its_own_noise() -> None:
    log = read_tsv(REAL.read_text())
    (shift,) = seed_shifts(log)
    assert log.rows[shift.row].description == "random seed 42 to 137"
    assert shift.difference == pytest.approx(0.000695)
    reading = within_noise(log)
    assert reading.threshold == pytest.approx(0.000695)
    assert reading.sigma == pytest.approx(0.000695 / 2**0.5)
    assert (len(reading.within), len(reading.keeps)) == (14, 22)
    assert reading.sentence() == (
        "Changing nothing but the seed (once here) moves the metric by 0.0007; 14 of 22 keeps gained less than that."
    )
    assert len(within_noise(log, sigma=1.0).within) == 22
    assert within_noise(log, sigma=1e-9).within == ()


def test_a_log_that_says_nothing_of_its_noise_is_not_judged() -> None:
    reading = within_noise(read_tsv("commit\tm\tstatus\tdescription\na\t2\tkeep\tb\nb\t1\tkeep\tc\n"))
    assert (reading.sigma, reading.threshold, reading.within) == (None, None, ())
    assert "nothing in this log tells its noise" in reading.sentence()


@pytest.mark.parametrize(
    ("description", "repeated"),
    [("random seed 42 to 137", True), ("seed 42→43", True), ("rerun baseline", True),
     ("change only the random seed", True),
     ("seeded init from a checkpoint", False), ("seed 7 and lr 0.1", False), ("repeat layer 3", False), ("", False)],
)  # fmt: skip
def test_rows_that_change_nothing_but_the_seed(description: str, repeated: bool) -> None:
    row = ImportedTrial(label="1", commit="a", value=1.0, status="discard", description=description)
    assert repeats(row) is repeated


def test_the_real_log_becomes_a_lineage() -> None:
    log = read_tsv(REAL.read_text())
    state = folded(events_of(log, name="mar8"))
    assert state.control is Control.FINISHED
    assert state.pending == {}
    assert state.open == {}
    assert state.counts == {TrialState.KEPT: 22, TrialState.DISCARDED: 102, TrialState.CRASHED: 1}
    assert state.incumbent_trial.tree == "438a26e"
    assert state.study.base_tree == "baseline"
    assert len(state.lineage()) == 23
    standings = [kept.standing for kept in state.kept.values() if kept.number]
    assert standings.count(Standing.UNDECIDED) == 14
    assert standings.count(Standing.UNCONFIRMED) == 8, "one run confirms nothing"


def test_the_real_log_through_a_ledger_comes_out_byte_for_byte(tmp_path: Path) -> None:
    raw = REAL.read_text()
    log = read_tsv(raw)
    ledger = open_ledger(tmp_path / "ledger.db", b"k" * 32, create=True)
    assert ledger.record(events_of(log, name="mar8", spec="# imported", program="p")) is not None
    trials, runs = ledger.trials(limit=1000), ledger.runs(limit=1000)
    assert (len(trials), len(runs)) == (125, 126)
    (crashed,) = (row for row in trials if row.state is TrialState.CRASHED)
    assert crashed.value is None
    (failed,) = (row for row in runs if row.status is not RunStatus.OK)
    assert failed.metrics == {}
    first = ledger.events()[0].event
    assert isinstance(first, StudyCreated)
    out = log_of(first.study, trials, runs)
    assert write_tsv(out) == raw
    assert within_noise(out).keeps == within_noise(log).keeps
    assert ledger.verify() == []


PI = [
    {"type": "config", "metricName": "ms", "bestDirection": "lower", "name": "faster"},
    {"run": 1, "commit": "-", "metric": 10, "status": "keep", "description": "base", "asi": {"hypothesis": "h"}},
    {"run": 2, "commit": "-", "metric": 5, "status": "checks_failed", "description": "wrong"},
    {"run": 3, "commit": "-", "metric": 0, "status": "crash", "description": "broke"},
    {"run": 4, "commit": "-", "metric": 8, "status": "keep", "description": "right"},
]


def test_checks_that_failed_are_never_kept_and_equal_commits_stay_apart() -> None:
    (log,) = read_pi(map(json.dumps, PI))
    state = folded(events_of(log, name="faster"))
    assert state.study.goal == "faster"
    assert state.counts == {TrialState.DISCARDED: 1, TrialState.CRASHED: 1, TrialState.KEPT: 1}
    assert state.kept[state.incumbent].effect == 2.0


def test_a_log_without_a_baseline_and_rows_without_numbers() -> None:
    text = "commit\tm\tstatus\tdescription\na\t-\tno-op\tnothing\nb\t3\tdiscard\tx\nc\t2\tkeep\ty\nd\t1\tkeep\tz\n"
    log = read_tsv(text)
    state = folded(events_of(log, name="x"))
    assert state.counts == {TrialState.ABANDONED: 1, TrialState.DISCARDED: 1, TrialState.KEPT: 2}
    assert [kept.effect for kept in state.kept.values()] == [0.0, 0.0, 1.0]
    assert study_of(log, name="x").base_commit == "baseline"


ROW = st.builds(
    ImportedTrial,
    label=st.text(max_size=3),
    commit=st.text(max_size=20),
    value=st.one_of(st.none(), st.floats(-1e300, 1e300)),
    status=st.sampled_from(["keep", "discard", "crash", "no-op", "baseline", "checks_failed", "?"]),
    description=st.sampled_from(["seed 3", "rerun", "lr", ""]),
    metrics=st.dictionaries(st.sampled_from(["memory_gb", "x"]), st.floats(-1e9, 1e9)).map(
        lambda found: (*found.items(),)
    ),
    extra=st.just((("guard", "pass"),)),
)


@settings(max_examples=60)
@given(st.lists(ROW, max_size=12), st.sampled_from(Direction))
def test_any_log_becomes_a_record_that_holds_together(rows: list[ImportedTrial], direction: Direction) -> None:
    rows = [replace(row, value=None) if row.crashed else row for row in rows]
    log = ImportedLog(rows=tuple(rows), metric="m", direction=direction)
    events = events_of(log, name="x")
    state = folded(events)
    assert state.pending == {}
    assert state.open == {}
    assert [load_event(type(event).__name__, dump(event)) for event in events] == list(events)
    trees = [getattr(event, "tree", None) for event in events]
    shown = [tree[:16] for tree in trees if tree is not None]
    assert len(set(shown)) == len(shown)
