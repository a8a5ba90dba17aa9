"""The command `log`: what was tried, one line per trial.

Rows are read by an index, so that the newest of many thousands cost no more than the newest of ten.
"""

from typing import Annotated

from cyclopts import Parameter

from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import TrialState
from autoresearch.domain.records import TrialRow
from autoresearch.interfaces.cli.context import Json, StudyName, reading
from autoresearch.interfaces.cli.output import emit, safe, say
from autoresearch.interfaces.cli.shown import EVERYTHING, columns, document, effect_of, outcome_of


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
