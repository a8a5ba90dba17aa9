"""From an imported log to the events of a record, and from a record's rows to a log.

An imported record claims nothing: each keep rests on one run, and those within the log's own noise stand as undecided.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autoresearch.adapters.exporters.log import ImportedLog, ImportedTrial
from autoresearch.adapters.exporters.noise import NoiseReading, within_noise
from autoresearch.domain.events import (
    EpochOpened,
    Event,
    Purpose,
    RunEnded,
    RunMeasured,
    RunsRequested,
    StandingChanged,
    StudyCreated,
    StudyFinished,
    TrialAbandoned,
    TrialCrashed,
    TrialDiscarded,
    TrialKept,
    TrialOpened,
    TrialProposed,
)
from autoresearch.domain.model import (
    BASE,
    Budget,
    Cost,
    Metric,
    Move,
    Rung,
    RunKey,
    RunResult,
    RunStatus,
    Scores,
    Source,
    Standing,
    Stop,
    Study,
    TrialState,
)
from autoresearch.domain.records import RunRow, TrialRow

RUNG = "imported"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SHORT = 16
"""Characters of a tree's name that `RunKey.id` shows: they must differ."""
_CONFIDENCE = 1.96
"""Standard errors to either side of an effect: a 95 % interval under normal noise."""


def study_of(log: ImportedLog, *, name: str, seed: int = 0) -> Study:
    """A study that stands for an imported log; its trees are the log's commits."""
    base = _base(log)
    return Study(
        name=name,
        goal=log.name or f"{log.direction} {log.metric}",
        base_commit=base.commit if base is not None and base.commit else "baseline",
        base_tree=_trees(log)[BASE],
        seed=seed,
        metric=Metric(name=log.metric, direction=log.direction, source=Source.STDOUT),
        rungs=(Rung(name=RUNG, budget=Budget(seconds=1.0)),),
        acceptance="greedy",
        researcher=RUNG,
        stop=Stop(trials=len(log.rows)),
    )


def events_of(
    log: ImportedLog, *, name: str, spec: str = "", program: str = "", seed: int = 0, sigma: float | None = None
) -> tuple[Event, ...]:
    """The record of an imported log, in order, ready to be appended to an empty ledger.

    The first row is the base if it was kept. `sigma`, the s.d. of one run, replaces the log's own estimate.
    """
    study = study_of(log, name=name, seed=seed)
    told = within_noise(log, sigma)
    writer = _Writer(log=log, study=study, trees=_trees(log), noise=told)
    reason = f"imported: {told.sentence()}"
    return (
        StudyCreated(study=study, spec=spec, program=program),
        EpochOpened(epoch=0, fingerprint=RUNG, reason="numbers as the imported log gives them"),
        *writer.events(),
        StudyFinished(reason=reason),
    )


def _base(log: ImportedLog) -> ImportedTrial | None:
    """The row of the base commit: the first, if it was kept and has a value."""
    first = log.rows[0] if log.rows else None
    return first if first is not None and first.kept and first.value is not None else None


def _trials(log: ImportedLog) -> tuple[tuple[int, ImportedTrial], ...]:
    """Place in the log and row of each trial; trial n is the n-th of them, from 1."""
    start = 0 if _base(log) is None else 1
    return tuple(enumerate(log.rows))[start:]


def _trees(log: ImportedLog) -> tuple[str, ...]:
    """A name of the tree of the base and of each trial, no two alike: the commit's text where that is possible."""
    base = _base(log)
    texts = ["baseline" if base is None else base.commit, *(row.commit for _, row in _trials(log))]
    seen: set[str] = set()
    trees: list[str] = []
    for number, text in enumerate(texts):
        tree, suffix = _UNSAFE.sub("-", text)[:40].strip(".-"), f"-{number}"
        if not tree or tree[:_SHORT] in seen:
            tree = (tree or "row")[: _SHORT - len(suffix)] + suffix
        while tree[:_SHORT] in seen:
            tree = f"{len(seen)}-{tree}"[:_SHORT]
        seen.add(tree[:_SHORT])
        trees.append(tree)
    return tuple(trees)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """What the events of all rows need to know of the log."""

    log: ImportedLog
    study: Study
    trees: tuple[str, ...]
    noise: NoiseReading

    def events(self) -> Iterator[Event]:
        """The base's run, then every trial in the order of the log."""
        base = _base(self.log)
        incumbent, value = BASE, None if base is None else base.value
        if base is not None:
            yield from self._run(base, BASE, None)
        within = {keep.row for keep in self.noise.within}
        for number, (place, row) in enumerate(_trials(self.log), start=1):
            yield TrialOpened(trial=number, parent=incumbent, move=Move.EXPLOIT, researcher=RUNG)
            if row.value is None and not row.crashed:
                yield TrialAbandoned(trial=number, reason=f"{row.status}: {row.description}".strip(": "))
                continue
            yield TrialProposed(trial=number, tree=self.trees[number], hypothesis=row.description, cost=Cost())
            yield from self._run(row, number, number)
            yield self._verdict(row, number, incumbent, value)
            if row.kept and row.value is not None:
                incumbent, value = number, row.value
                if place in within:
                    yield StandingChanged(trial=number, standing=Standing.UNDECIDED, reason=self._within())

    def _run(self, row: ImportedTrial, number: int, trial: int | None) -> Iterator[Event]:
        """The one run that a row tells of."""
        purpose = Purpose.CALIBRATE if trial is None else Purpose.SCREEN
        key = RunKey(tree=self.trees[number], rung=RUNG, seed=0)
        yield RunsRequested(purpose=purpose, runs=(key,), trial=trial)
        if row.value is None:
            yield RunEnded(run=key, result=RunResult(status=RunStatus.FAILED, reason=row.status, sandbox=RUNG))
            return
        yield RunEnded(run=key, result=RunResult(status=RunStatus.OK, memory=_memory(row), sandbox=RUNG))
        metrics = dict(row.metrics) | {self.study.metric.name: row.value}
        yield RunMeasured(run=key, scores=Scores(metrics=metrics, notes=_notes(row)))

    def _verdict(self, row: ImportedTrial, number: int, incumbent: int, value: float | None) -> Event:
        """What the log decided on a row, with the effect over the incumbent at that time."""
        if row.value is None:
            return TrialCrashed(trial=number, reason=row.description or row.status)
        metric = self.study.metric
        effect = 0.0 if value is None else metric.gain(row.value) - metric.gain(value)
        half = _CONFIDENCE * (self.noise.threshold or 0.0)
        low, high = effect - half, effect + half
        if row.kept:
            reason = "kept in the imported log, on one run"
            return TrialKept(
                trial=number, over=incumbent, effect=effect, low=low, high=high, reason=reason, value=row.value
            )
        rule = "acceptance" if row.status == "discard" else row.status
        reason = f"{row.status} in the imported log"
        return TrialDiscarded(
            trial=number, effect=effect, low=low, high=high, reason=reason, rule=rule, value=row.value
        )

    def _within(self) -> str:
        return f"its gain is smaller than what two runs of the same code differ by ({self.noise.threshold or 0.0:.2g})"


def _memory(row: ImportedTrial) -> int:
    """Bytes, where the row gives GiB."""
    return max(0, round(dict(row.metrics).get("memory_gb", 0.0) * 2**30))


def _notes(row: ImportedTrial) -> str:
    return "; ".join(f"{name}: {text}" for name, text in row.extra)[:4000]


# ---------------------------------------------------------------- from a record to a log


def log_of(study: Study, trials: Sequence[TrialRow], runs: Sequence[RunRow]) -> ImportedLog:
    """The record's rows as a log: the base first, then every trial that ended with a verdict or a crash.

    A tree's value is the one its verdict saw, else the mean over its runs of the metric.
    """
    by_tree: dict[str, list[RunRow]] = {}
    for run in runs:
        by_tree.setdefault(run.key.tree, []).append(run)
    base = ImportedTrial(
        label="0",
        commit=study.base_commit,
        value=_mean(by_tree.get(study.base_tree, []), study.metric.name),
        status="keep",
        description="baseline",
    )
    rows = [replace(base, metrics=_means(by_tree.get(study.base_tree, []), study.metric.name))]
    for trial in trials:
        status = _STATUS.get(trial.state)
        if trial.number != BASE and status is not None:
            rows.append(_logged(trial, status, by_tree.get(trial.tree, []), study.metric.name))
    return ImportedLog(rows=tuple(rows), metric=study.metric.name, direction=study.metric.direction, name=study.goal)


_STATUS = {TrialState.KEPT: "keep", TrialState.DISCARDED: "discard", TrialState.CRASHED: "crash"}


def _logged(trial: TrialRow, status: str, runs: Sequence[RunRow], metric: str) -> ImportedTrial:
    crashed = status == "crash"
    value = None if crashed else trial.value if trial.value is not None else _mean(runs, metric)
    standing = (("standing", str(trial.standing)),) if trial.standing else ()
    return ImportedTrial(
        label=str(trial.number),
        commit=trial.tree,
        value=value,
        status=status,
        description=trial.hypothesis,
        metrics=() if crashed else _means(runs, metric),
        extra=(("timestamp", str(round((trial.ended_at or trial.opened_at) * 1000))), *standing),
    )


def _mean(runs: Sequence[RunRow], name: str) -> float | None:
    values = [run.metrics[name] for run in runs if name in run.metrics]
    return sum(values) / len(values) if values else None


def _means(runs: Sequence[RunRow], metric: str) -> tuple[tuple[str, float], ...]:
    """Means of the other metrics, and the peak memory of the runs in GiB."""
    names = sorted({name for run in runs for name in run.metrics} - {metric})
    found = {name: mean for name in names if (mean := _mean(runs, name)) is not None}
    peak = max((run.memory for run in runs), default=0)
    told = "peak_vram_mb" in found or "peak_memory_mb" in found
    return tuple((({} if told else {"memory_gb": peak / 2**30}) | found).items())
