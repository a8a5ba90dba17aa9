"""The numbers of the report are those of the rows."""

from dataclasses import replace

import pytest

from autoresearch.domain.events import HeadlineFailed, Purpose, RoundJudged, RoundOpened
from autoresearch.domain.model import RunStatus, Standing, TrialState
from autoresearch.interfaces.report import epochs_from_events, gather, rounds_from_events
from autoresearch.interfaces.report.tally import RECENT, SHOWN, Failure

from . import studies


def test_counts_agree_with_the_rows() -> None:
    data, rows = studies.synthetic(), list(studies.trials())
    assert data.counts.trials == len(rows)
    assert data.counts.states == {
        state: number for state in TrialState if (number := sum(row.state is state for row in rows))
    }
    assert (data.counts.kept, data.counts.confirmed) == (6, 3)
    assert data.cost.usd == pytest.approx(0.4)
    assert data.cost.tokens_in == 40_000


def test_runs_not_executed_are_not_counted() -> None:
    data = studies.synthetic()
    executed = [run for run in studies.runs() if run.status is not None]
    assert data.runs.count == len(executed)
    assert data.runs.cpu == pytest.approx(sum(run.cpu for run in executed))
    assert data.runs.statuses[RunStatus.REFUSED] == 1


def test_the_base_is_the_mean_of_clean_runs() -> None:
    data = studies.synthetic()
    assert data.base is not None
    assert data.base.value == pytest.approx(2.52)
    assert data.base.runs == 4


def test_inflation_is_reported_minus_remeasured_as_a_gain() -> None:
    found = {entry.trial: entry for entry in studies.synthetic().remeasured}
    assert set(found) == {3, 30}
    assert found[3].fresh.runs == 2
    assert found[3].inflation == pytest.approx(2.465 - 2.452)
    assert found[30].inflation == pytest.approx(2.355 - 2.331), "a screening run of another trial is not a fresh look"


def test_later_rounds_overrule_earlier_ones() -> None:
    first = studies.rounds()[0]
    second = replace(first, number=2, outcomes=(studies.outcome(4, Standing.CONFIRMED, 0.02, 0.001),))
    data = gather(studies.study(), studies.trials(), (), (first, second), studies.facts())
    standings = {claim.trials: claim.standing for claim in data.claims}
    assert standings[25,] is Standing.CONFIRMED
    assert standings[7,] is Standing.REFUTED
    assert len(data.claims) == 5


def test_removals_are_no_ideas() -> None:
    removal = studies.trial(41, TrialState.KEPT, standing=Standing.HELD, effect=0.01, reason="not an idea: a removal")
    data = gather(studies.study(), [*studies.trials(), removal], (), (), studies.facts())
    assert (data.counts.trials, data.counts.kept, data.counts.removals) == (41, 6, 1)
    assert all(41 not in claim.trials for claim in data.claims)


def test_keeps_within_the_noise_of_an_imported_log() -> None:
    rows = [
        studies.kept(1, "clear", 2.0, 0.1, Standing.UNCONFIRMED),
        studies.kept(2, "doubtful", 1.98, 0.02, Standing.UNCONFIRMED),
        studies.kept(3, "luck", 1.97, 0.01, Standing.UNCONFIRMED),
    ]
    single = [replace(row, low=None, high=None) for row in rows]
    wide = [replace(row, low=(row.effect or 0) - 0.034, high=(row.effect or 0) + 0.034) for row in rows]
    for case in (single, wide):
        found = gather(studies.study(), case, (), (), studies.facts()).noisy
        assert [(keep.trial, keep.within) for keep in found] == [(2, False), (3, True)]
    raced = [replace(row, low=0.001, high=(row.effect or 0) * 2) for row in rows]
    assert gather(studies.study(), raced, (), (), studies.facts()).noisy == ()


def test_effects_of_a_log_with_values_alone() -> None:
    base = studies.trial(0, TrialState.KEPT, value=2.5)
    rows = [base, *(replace(row, effect=None) for row in studies.KEPT[:2])]
    data = gather(studies.study(), rows, (), (), studies.facts())
    assert data.counts.trials == 2
    assert data.base is not None
    assert data.base.value == 2.5
    assert [row.effect for row in data.kept] == [pytest.approx(0.048), pytest.approx(0.021)]


def test_failures_join_by_what_they_share() -> None:
    failures = {(failure.kind, failure.reason): failure for failure in studies.synthetic().failures}
    crashed = failures["crashed", "exit status …: loss is nan at step …"]
    assert (crashed.count, crashed.first, crashed.example) == (2, 5, "exit status 1: loss is nan at step 5")
    assert failures["vetoed", "editable"].hypothesis == "dropout 0.9"
    assert {kind for kind, _ in failures} == {"crashed", "vetoed", "abandoned", "refused"}


def test_near_misses_are_the_best_of_the_discarded() -> None:
    data = studies.synthetic()
    discarded = [row.effect for row in studies.trials() if row.state is TrialState.DISCARDED and row.effect]
    best = sorted((effect for effect in discarded if effect > 0), reverse=True)[:SHOWN]
    assert [row.effect for row in data.near] == best


def test_memory_is_bounded_but_for_the_dots() -> None:
    data = studies.large(5_000)
    assert len(data.points) == 5_000
    assert len(data.recent) == RECENT
    assert len(data.failures) <= 201
    assert all(isinstance(failure, Failure) and len(failure.example) <= 300 for failure in data.failures)


def test_views_from_events() -> None:
    (entry,) = studies.rounds()
    assert (entry.number, entry.at_trial, entry.cells, len(entry.atoms)) == (1, 26, 24, 5)
    assert entry.headline == studies.HEADLINE
    assert entry.level == 0.008
    failed = rounds_from_events(
        studies.recorded(
            RoundOpened(round=3, reference="a", full="b", incumbent=1, reason="end"),
            RoundJudged(round=3, outcomes=()),
            HeadlineFailed(round=3, reason="exit status 1"),
        )
    )
    assert failed[0].failed == "exit status 1"
    assert failed[0].headline is None
    assert epochs_from_events(studies.recorded(studies.opened(1))) == ()


def test_runs_of_another_epoch_are_left_out() -> None:
    old = list(studies.runs())
    new = [replace(run, key=replace(run.key, epoch=1), metrics={"val_bpb": 5.0}) for run in old[:4]]
    first = gather(studies.study(), studies.trials(), [*old, *new], (), studies.facts())
    second = gather(studies.study(), studies.trials(), [*old, *new], (), replace(studies.facts(), epoch=1))
    assert first.base is not None
    assert second.base is not None
    assert first.base.value == pytest.approx(2.52)
    assert second.base.value == 5.0
    assert old[0].purpose is Purpose.CALIBRATE
