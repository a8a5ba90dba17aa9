"""The history that briefs tell is the record's, whatever happened since it was read, and bounded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoresearch.adapters.ledger import SqlLedger, open_ledger
from autoresearch.domain.brief import FITTED
from autoresearch.domain.events import Event
from autoresearch.engine.history import TOLD, History
from autoresearch.testing.ledger_cases import KEY, discarded, kept, opened, proposed, ready, study_created


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    with open_ledger(tmp_path / "ledger.db", KEY, create=True) as ledger:
        ledger.record([study_created()], lasting=False)
        yield ledger


def record(ledger: SqlLedger, history: History, *events: Event) -> None:
    assert ledger.record(events, lasting=False) is not None
    for event in events:
        history.heed(event)


def told(ledger: SqlLedger) -> list[int]:
    """The numbers that a fresh look at the record gives."""
    return sorted(row.number for row in ledger.trials(limit=FITTED, newest=True, states=TOLD))


def test_a_trial_is_told_once_it_was_proposed(ledger: SqlLedger) -> None:
    history = History(ledger)
    assert history.latest() == ()
    record(ledger, history, opened(1))
    assert history.latest() == ()
    record(ledger, history, proposed(1))
    assert [(past.number, past.state) for past in history.latest()] == [(1, "ready")]
    record(ledger, history, discarded(1))
    assert [(past.number, past.state) for past in history.latest()] == [(1, "discarded")]


def test_it_stays_in_step_with_the_record_and_is_bounded(ledger: SqlLedger) -> None:
    history = History(ledger)
    for number in range(1, FITTED + 30):
        record(ledger, history, *ready(number), discarded(number))
        if number % 41 == 0:
            assert [past.number for past in history.latest()] == told(ledger)
    assert [past.number for past in history.latest()] == told(ledger)
    assert [past.number for past in history.latest()] == [past.number for past in History(ledger).latest()]
    assert len(history.latest()) == FITTED


def test_kept_trials_are_found_however_old_they_are(ledger: SqlLedger) -> None:
    history = History(ledger)
    record(ledger, history, *ready(1), kept(1, 0))
    for number in range(2, FITTED + 5):
        record(ledger, history, *ready(number), discarded(number))
    assert 1 not in [past.number for past in history.latest()]
    assert [past.state for past in history.of([1, FITTED])] == ["kept", "discarded"]
    assert history.of([10**6]) == ()
