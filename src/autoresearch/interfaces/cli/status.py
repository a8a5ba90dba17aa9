"""The command `status`: where a study stands, instantly.

It imports and reads no more than it shows: a person asks often, and a script in a loop.
"""

from typing import Any

from autoresearch.domain.model import BASE, TrialState
from autoresearch.interfaces.cli.context import Json, StudyName, reading
from autoresearch.interfaces.cli.glance import Glance, glance, next_stop, people
from autoresearch.interfaces.cli.output import duration, emit, number, safe, say, signed
from autoresearch.interfaces.cli.shown import columns, document

ORDER = tuple(TrialState)


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
        ["sandbox", view.sandbox or "nothing was run here"],
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
