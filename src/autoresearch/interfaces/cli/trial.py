"""Commands about one trial: `show` and `diff`.

Texts of the trial and of its runs are shown as they were recorded, made harmless for a terminal.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from autoresearch.adapters.git.store import GitStore
from autoresearch.adapters.ledger import SqlRecord
from autoresearch.bootstrap.place import Place
from autoresearch.domain import events as e
from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import BASE, Study
from autoresearch.domain.records import RunRow, TrialRow
from autoresearch.domain.text import plain_lines
from autoresearch.engine.measuring import files_of
from autoresearch.interfaces.cli.context import Json, StudyName, reading
from autoresearch.interfaces.cli.glance import glance, level
from autoresearch.interfaces.cli.output import duration, emit, number, safe, say, signed
from autoresearch.interfaces.cli.shown import columns, document, interval, moment, outcome_of

Trial = Annotated[int, Parameter(help="Number of the trial; 0 is the base.")]


# ---------------------------------------------------------------- show


def show(trial: Trial, /, *, study: StudyName = None, json: Json = False) -> int:
    """Everything about one trial: what it changed, its runs, how it ended, where its logs lie."""
    with reading(study) as (place, name, record):
        about = glance(record).study
        row = None if trial == BASE else row_of(record, name, trial)
        tree = about.base_tree if row is None else row.tree
        runs = record.runs(tree=tree) if tree else ()
        events = record.events_of(trial)
        mean = level(record, about, tree, record.totals().epoch) if tree else None
    logs = {run.id: path for run in runs if (path := log_of(place, name, run))}
    if json:
        emit(document(_show_data(about, row, runs, events, logs, mean)))
        return 0
    for line in [*_head_lines(about, row, mean), *_run_lines(runs, trial, logs), *_event_lines(events)]:
        say(line)
    return 0


def row_of(record: SqlRecord, study: str, trial: int) -> TrialRow:
    """The row of a trial. Raises `UsageError` when there is none."""
    row = record.trial(trial)
    if row is None:
        last = record.totals().trials
        known = f"its trials are 1 to {last}" if last else "it has no trial yet"
        raise UsageError(f"the study {study!r} has no trial {trial}: {known}; 0 is the base")
    return row


def log_of(place: Place, study: str, run: RunRow) -> Path | None:
    """The log of a run, if it is still there."""
    plain = files_of(place.runs(study), run.key).log
    return next((path for path in (plain, plain.with_name(f"{plain.name}.gz")) if path.is_file()), None)


def _show_data(
    study: Study,
    row: TrialRow | None,
    runs: Sequence[RunRow],
    events: Sequence[e.Recorded],
    logs: dict[str, Path],
    mean: float | None,
) -> dict[str, Any]:
    return {
        "study": study.name,
        "trial": row,
        "base": None if row is not None else {"commit": study.base_commit, "tree": study.base_tree},
        "mean": mean,
        "runs": [{**document(run), "id": run.id, "log": str(logs[run.id]) if run.id in logs else None} for run in runs],
        "events": [{"seq": each.seq, "at": each.at, "kind": type(each.event).__name__} for each in events],
    }


def _head_lines(study: Study, row: TrialRow | None, mean: float | None) -> list[str]:
    value = f"{study.metric.name} {number(mean, 6)}"
    if row is None:
        facts = [["commit", study.base_commit], ["tree", study.base_tree], ["value", f"{value} (mean of its runs)"]]
        return [f"base of {study.name}", *(f"  {line}" for line in columns(facts))]
    facts = [
        ["hypothesis", safe(row.hypothesis, 500) or "–"],
        ["parent", f"trial {row.parent}" if row.parent else "the base"],
        ["researcher", f"{safe(row.researcher)} ({row.move})"],
        ["effect", f"{signed(row.effect)} {interval(row.low, row.high)} over {_incumbent(row.over, row.parent)}"],
        ["confirmed", f"{signed(row.confirmed_effect)} {interval(row.confirmed_low, row.confirmed_high)}"],
        ["value", f"{value} (mean of its runs)"],
        ["reason", f"{safe(row.reason, 1000)}{f' [{safe(row.rule)}]' if row.rule else ''}"],
        ["same as", f"trial {row.same_as}"],
        ["settings", ", ".join(f"{safe(each.name)}={safe(str(each.value), 60)}" for each in row.settings)],
        ["changed", ", ".join(safe(path) for path in row.paths)],
        ["left out", ", ".join(safe(path) for path in row.dropped)],
        ["tree", row.tree],
        ["cost", _cost_words(row)],
        ["opened", moment(row.opened_at)],
        ["ended", moment(row.ended_at) if row.ended_at else ""],
    ]
    absent = {
        "effect": row.effect is None,
        "confirmed": row.confirmed_effect is None,
        "value": mean is None,
        "same as": row.same_as is None,
    }
    shown = [fact for fact in facts if fact[1] and not absent.get(fact[0], False)]
    return [f"trial {row.number} of {study.name}: {outcome_of(row)}", *(f"  {line}" for line in columns(shown))]


def _incumbent(over: int | None, parent: int) -> str:
    against = parent if over is None else over
    return f"trial {against}" if against else "the base"


def _cost_words(row: TrialRow) -> str:
    cost = row.cost
    words = [duration(cost.seconds)] if cost.seconds else []
    if cost.tokens_in or cost.tokens_out:
        words.append(f"{cost.tokens_in} tokens in ({cost.tokens_cached} cached), {cost.tokens_out} out")
    if cost.usd:
        words.append(f"${cost.usd:.4f}")
    return ", ".join(words)


def _run_lines(runs: Sequence[RunRow], trial: int, logs: dict[str, Path]) -> list[str]:
    """One line per run of the tree, and what a failed one printed last."""
    if not runs:
        return []
    rows = [["run", "why", "state", "wall", "cpu", "memory", "metrics"]]
    rows += [_run_cells(run) for run in runs]
    lines = ["", *(f"  {line}" for line in columns(rows, right=(3, 4, 5)))]
    for run in runs:
        if run.tail and run.trial in (trial, None):
            lines += ["", f"  the end of {run.id}'s output:", *(f"  | {line}" for line in safe_lines(run.tail))]
    return [*lines, *(["", "  logs", *(f"  {path}" for path in logs.values())] if logs else [])]


def _run_cells(run: RunRow) -> list[str]:
    numbers = ", ".join(f"{safe(name, 60)} {number(value, 6)}" for name, value in run.metrics.items())
    why = run.purpose.value if run.trial is None else f"{run.purpose} of trial {run.trial}"
    state = "due" if run.status is None else run.status.value
    told = numbers or safe(run.reason)
    return [run.id, why, state, duration(run.wall), duration(run.cpu), f"{run.memory / 2**20:.0f} MiB", told]


def _event_lines(events: Sequence[e.Recorded]) -> list[str]:
    if not events:
        return []
    rows = [[str(each.seq), moment(each.at), type(each.event).__name__, _event_words(each.event)] for each in events]
    return ["", "  events", *(f"  {line}" for line in columns(rows, right=(0,)))]


def _event_words(event: e.Event) -> str:
    if isinstance(event, e.RunsRequested):
        return f"{event.purpose}: {', '.join(run.id for run in event.runs)}"
    if isinstance(event, e.StandingChanged):
        return f"{event.standing}: {safe(event.reason)}"
    return safe(str(getattr(event, "reason", "")))


def safe_lines(text: str, most: int = 40) -> list[str]:
    """The last lines of a log, harmless for a terminal."""
    return plain_lines(text, 20_000).split("\n")[-most:]


# ---------------------------------------------------------------- diff


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Two trees to compare, and what they are called."""

    old: str
    new: str
    title: str


def diff(
    trial: Trial,
    other: Annotated[int | None, Parameter(help="Compare with this trial instead of the parent.")] = None,
    /,
    *,
    raw: Annotated[bool, Parameter(negative="", help="Byte for byte; not to a terminal.")] = False,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """What a trial changed against its parent, or how two trials differ."""
    if raw and (sys.stdout.isatty() or json):
        raise UsageError("--raw may hold escape sequences: send it to a file, as in `autoresearch diff 3 --raw > x`")
    with reading(study) as (place, name, record):
        about = glance(record).study
        between = _between(record, about, trial, other)
    with opened_store(place, name) as store:
        text = store.diff(between.old, between.new)
    if json:
        emit({"study": name, "between": between.title, "diff": plain_lines(text, None)})
    elif raw:
        sys.stdout.write(text)
    elif text:
        say(plain_lines(text, None))
    else:
        say(f"no difference between {between.title}")
    return 0


def opened_store(place: Place, study: str) -> GitStore:
    """The store of a study. Raises `UsageError` for a study that has none."""
    if not (place.of(study) / "store.git").is_dir():
        raise UsageError(f"the study {study!r} was imported from a log: there is no code of its trials here")
    return GitStore(place.of(study), object_format=place.repository.object_format)


def _between(record: SqlRecord, study: Study, trial: int, other: int | None) -> Between:
    def tree(of: int) -> str:
        if of == BASE:
            return study.base_tree
        found = row_of(record, study.name, of).tree
        if not found:
            raise UsageError(f"trial {of} has no tree: nothing was proposed")
        return found

    if other is not None:
        return Between(old=tree(trial), new=tree(other), title=f"trial {trial} and trial {other}")
    if trial == BASE:
        raise UsageError("the base has no parent: name a trial, or two to compare")
    parent = row_of(record, study.name, trial).parent
    return Between(old=tree(parent), new=tree(trial), title=f"trial {trial} and its parent {parent}")
