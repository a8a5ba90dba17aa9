"""Commands that look: `status`, `log`, `show`, `diff`, `report`, `doctor`.

None of them changes a study (`doctor --repair` mends what surrounds it), and none waits for anybody.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import BASE, TrialState
from autoresearch.domain.records import TrialRow
from autoresearch.interfaces.cli import trial
from autoresearch.interfaces.cli.context import Json, StudyName, chosen, here, reading
from autoresearch.interfaces.cli.doctor import doctor
from autoresearch.interfaces.cli.glance import Glance, glance, next_stop, people
from autoresearch.interfaces.cli.output import duration, emit, number, safe, say, signed
from autoresearch.interfaces.cli.reporting import EVERYTHING, write_report_of
from autoresearch.interfaces.cli.shown import columns, document, effect_of, outcome_of

ORDER = tuple(TrialState)


# ---------------------------------------------------------------- status


def status(*, study: StudyName = None, json: Json = False) -> int:
    """Where the study stands: who is at work, what was kept and confirmed, what it cost, when it ends."""
    with reading(study) as (_, _, record):
        view = glance(record)
    if json:
        emit(document(_status_data(view)))
    else:
        for line in _status_lines(view):
            say(line)
    return 0


def _status_data(view: Glance) -> dict[str, Any]:
    totals, study = view.totals, view.study
    return {
        "study": study.name,
        "state": view.state,
        "reason": view.reason,
        "workers": list(view.workers),
        "metric": {"name": study.metric.name, "direction": study.metric.direction},
        "trials": view.trials,
        "states": {state.value: totals.states.get(state, 0) for state in ORDER},
        "kept": view.kept,
        "confirmed": view.confirmed,
        "standings": totals.standings,
        "incumbent": {"trial": totals.incumbent, "value": view.value, "base": view.base, "effect": view.effect},
        "runs": {"requested": totals.runs, "ended": totals.runs_ended, "measured": totals.runs_measured},
        "seconds": {"cpu": totals.run_cpu, "wall": totals.run_wall, "workers": totals.worker_seconds},
        "cost": totals.cost,
        "trials_per_hour": view.rate,
        "sandbox": view.sandbox,
        "safe": view.safe,
        "self_reported": view.self_reported,
        "next_stop": next_stop(view),
    }


def _status_lines(view: Glance) -> list[str]:
    totals, metric = view.totals, view.study.metric
    counted = [f"{count} {state}" for state in ORDER if (count := totals.states.get(state, 0)) and state != "kept"]
    incumbent = f"trial {totals.incumbent}" if totals.incumbent != BASE else "the base"
    gain = f", gain {signed(view.effect)} over the base ({number(view.base)})" if totals.incumbent != BASE else ""
    spent = [f"{totals.runs_ended} runs", f"{duration(totals.run_cpu)} of CPU time"]
    if totals.cost.usd:
        spent.append(f"${totals.cost.usd:.2f}")
    if view.rate is not None:
        spent.append(f"{view.rate:,.0f} trials per hour" if view.rate >= 100 else f"{view.rate:.1f} trials per hour")
    rows = [
        ["trials", ", ".join([str(view.trials), f"{view.kept} kept", *counted])],
        ["incumbent", f"{incumbent}: {metric.name} {number(view.value)}{gain}"],
        ["confirmed", f"{view.confirmed} of the kept trials so far"],
        ["spent", ", ".join(spent)],
        ["sandbox", (view.sandbox or "nothing was run here") + ("" if view.safe else "  (unsafe)")],
    ]
    if view.state != "finished":
        rows.append(["next stop", next_stop(view)])
    head = f"{view.study.name}: {_state_words(view)}"
    labels = [f"  label      {', '.join(view.labels)}"] if view.labels else []
    return [head, *(f"  {line}" for line in columns(rows)), *labels]


def _state_words(view: Glance) -> str:
    reason = safe(view.reason, 1000)
    words = {
        "running": f"running ({people(view.workers)})",
        "idle": "nobody is at work; `autoresearch run` goes on",
        "stopping": f"stopping ({reason})",
        "paused": f"paused: {reason}; `autoresearch resume` takes the pause back",
        "finished": f"finished: {reason}",
    }
    return words[view.state]


# ---------------------------------------------------------------- log


def log(
    *,
    limit: Annotated[int, Parameter(help="How many of the newest trials.")] = 20,
    state: Annotated[
        list[TrialState] | None, Parameter(negative="", consume_multiple=True, help="Only trials in these states.")
    ] = None,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Every trial, not only the newest.")] = False,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """What was tried: one line per trial, the newest last. Effects are gains: positive is better."""
    if limit < 1:
        raise UsageError(f"--limit {limit}: give the number of trials to show, at least 1, or --all")
    with reading(study) as (_, name, record):
        rows = record.trials(limit=EVERYTHING if all_ else limit, newest=not all_, states=tuple(state or ()))
        total = record.totals().trials
    rows = sorted(rows, key=lambda row: row.number)
    if json:
        emit(document({"study": name, "total": total, "trials": rows}))
        return 0
    for line in _log_lines(rows):
        say(line)
    if not rows:
        say("no such trial yet" if state else "no trial yet")
    elif len(rows) < total and not (all_ or state):
        say(f"({len(rows)} of {total} trials; --all shows every one)")
    return 0


def _log_lines(rows: list[TrialRow]) -> list[str]:
    head = ["trial", "state", "effect", "hypothesis"]
    cells = ([str(row.number), outcome_of(row), effect_of(row), _told(row)] for row in rows)
    return columns([head, *cells], right=(0,))


def _told(row: TrialRow) -> str:
    reason = safe(row.reason, 160)
    return f"{safe(row.hypothesis)}  ({reason})" if row.hypothesis and reason else safe(row.hypothesis) or reason


# ---------------------------------------------------------------- report


def report(
    *,
    output: Annotated[Path | None, Parameter(help="Directory; default: `report` in the study's state.")] = None,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Write the report: a page for the browser, one in Markdown, and the picture of progress (SVG and PNG)."""
    place = here()
    name = chosen(place, study)
    try:
        paths = write_report_of(place, name, output)
    except OSError as error:
        raise UsageError(f"the report cannot be written: {error}; choose another directory with --output") from error
    if json:
        emit({"study": name, **{kind: str(path) for kind, path in paths.items()}})
        return 0
    for line in columns([[kind, str(path)] for kind, path in paths.items()]):
        say(line)
    return 0


COMMANDS: dict[str, Callable[..., int | None]] = {
    "status": status,
    "log": log,
    "show": trial.show,
    "diff": trial.diff,
    "report": report,
    "doctor": doctor,
}
