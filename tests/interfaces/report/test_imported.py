"""A real log of 126 lines, imported and reported: its crash is never best, its lucky keeps are named."""

from pathlib import Path

from autoresearch.adapters.exporters.lineage import events_of, study_of
from autoresearch.adapters.exporters.noise import within_noise
from autoresearch.adapters.exporters.tsv import read_tsv
from autoresearch.domain.events import RunEnded, RunMeasured, RunsRequested
from autoresearch.domain.model import TrialState
from autoresearch.domain.records import RunRow, TrialRow, run_row, trial_row
from autoresearch.interfaces.report import Facts, ReportData, gather, markdown
from autoresearch.interfaces.report.page import page
from autoresearch.interfaces.report.picture import steps_of
from autoresearch.interfaces.report.ranges import robust_range

LOG = Path(__file__).parents[2] / "data" / "karpathy-mar8-results.tsv"


def imported() -> ReportData:
    log = read_tsv(LOG.read_text(encoding="utf-8"))
    trials: dict[int, TrialRow] = {}
    runs: dict[str, RunRow] = {}
    for event in events_of(log, name="mar8"):
        if event.chain is not None and not isinstance(event, RunsRequested):
            trials[event.chain] = trial_row(trials.get(event.chain), event, 0.0)
        match event:
            case RunsRequested():
                for key in event.runs:
                    runs[key.id] = RunRow(key=key, purpose=event.purpose, trial=event.trial, round=event.round)
            case RunEnded() | RunMeasured():
                runs[event.run.id] = run_row(runs[event.run.id], event, 0.0)
    facts = Facts(
        written_at=1_772_960_400.0,
        version="0.1.0",
        branch="autoresearch/mar8",
        sigma=within_noise(log).sigma,
        dof=1,
        incumbents=tuple(number for number, row in trials.items() if row.state is TrialState.KEPT),
    )
    return gather(study_of(log, name="mar8"), trials.values(), runs.values(), (), facts)


def test_what_the_log_says() -> None:
    data = imported()
    assert data.base is not None
    assert data.base.value == 0.9979
    assert (data.counts.trials, data.counts.kept, data.counts.confirmed) == (125, 22, 0)
    assert data.counts.states[TrialState.CRASHED] == 1
    assert sum(keep.within for keep in data.noisy) == 14
    assert data.imported
    assert data.self_reported


def test_its_crash_is_never_best() -> None:
    data = imported()
    assert min(value for _, value in steps_of(data)) == 0.969686
    assert robust_range(data)[0] > 0.96


def test_the_page_says_so() -> None:
    text = markdown.render(page(imported()), "progress.svg")
    assert "14 of 22 keeps lie within the noise" in text
    assert "22 changes were kept and none is confirmed: 14 of them lie within the noise." in text
    assert "self-reported" in text
    assert "nothing was run here, so nothing is confirmed" in text
