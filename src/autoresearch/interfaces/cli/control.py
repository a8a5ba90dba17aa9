"""Commands that steer a study: `pause`, `resume`, `stop`, `steer`, `discard`, `apply`.

Each records events and returns; workers heed them at their next look at the record. `apply` alone touches the user's
repository, and only by adding a branch.
"""

import shlex
from collections.abc import Callable, Sequence
from typing import Annotated

from cyclopts import Parameter

from autoresearch.adapters.git.apply import apply_branch
from autoresearch.adapters.ledger import SqlLedger
from autoresearch.bootstrap.study import folded
from autoresearch.bootstrap.workers import present
from autoresearch.domain import events as e
from autoresearch.domain.errors import LedgerError, UsageError
from autoresearch.domain.state import Control, StudyState
from autoresearch.interfaces.cli.applying import Commit, commits, undone
from autoresearch.interfaces.cli.context import Json, StudyName, reading, writing
from autoresearch.interfaces.cli.output import emit, safe, say
from autoresearch.interfaces.cli.reporting import folded_from
from autoresearch.interfaces.cli.shown import columns, document, interval
from autoresearch.interfaces.cli.trial import Trial, opened_store, row_of

TRIES = 5
"""Attempts to record while workers record too."""
LONGEST_HINT = 2000
"""Characters of a hint: it stands in every brief to come."""

Reason = Annotated[str, Parameter(help="Why, for the record.")]


def pause(*, reason: Reason = "", study: StudyName = None, json: Json = False) -> int:
    """Let the present steps end and begin no other until `resume`."""

    def decide(state: StudyState) -> tuple[list[e.Event], str]:
        if state.control is Control.FINISHED:
            raise UsageError(f"the study is finished ({safe(state.reason)}): there is nothing to pause")
        if state.control is Control.PAUSED:
            return [], f"it is paused already: {safe(state.reason)}"
        return [e.Paused(reason=reason or "asked for by hand")], "paused; `autoresearch resume` takes it back"

    return _change(study, decide, json=json)


def resume(*, study: StudyName = None, json: Json = False) -> int:
    """Take back a pause or a stop, so that the study goes on."""

    def decide(state: StudyState) -> tuple[list[e.Event], str]:
        if state.control is Control.RUNNING:
            return [], "it was neither paused nor stopped"
        return [e.Resumed()], f"resumed; it was {state.control}: {safe(state.reason)}"

    return _change(study, decide, json=json)


def stop(
    *,
    now: Annotated[bool, Parameter(negative="", help="At once: drop what is under way, do not confirm.")] = False,
    reason: Reason = "",
    study: StudyName = None,
    json: Json = False,
) -> int:
    """End the study: no new trials, open ones end, confirmation follows."""

    def decide(state: StudyState) -> tuple[list[e.Event], str]:
        if state.control is Control.FINISHED:
            return [], f"it is finished already: {safe(state.reason)}"
        if state.control is Control.STOPPING and (state.stop_now or not now):
            return [], f"it is stopping already: {safe(state.reason)}"
        told = "stopping at once" if now else "stopping; what is kept will be confirmed first"
        return [e.StopRequested(reason=reason or "asked for by hand", now=now)], told

    return _change(study, decide, json=json)


def steer(
    text: Annotated[str, Parameter(help="What researchers should heed from now on.")] = "",
    /,
    *,
    list_: Annotated[bool, Parameter(name="--list", negative="", help="Show the hints that hold.")] = False,
    drop: Annotated[int | None, Parameter(help="Withdraw the hint of this number.")] = None,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Give a hint to all researchers to come, list the hints, or withdraw one."""
    hint = " ".join(text.split())
    if bool(hint) + list_ + (drop is not None) != 1:
        raise UsageError('give one of: a hint ("try smaller batches"), --list, --drop NUMBER')
    if len(hint) > LONGEST_HINT:
        raise UsageError(
            f"the hint has {len(hint)} characters of at most {LONGEST_HINT}: put longer texts into program.md"
        )
    if list_:
        return _hints(study, json=json)

    def decide(state: StudyState) -> tuple[list[e.Event], str]:
        if drop is None:
            return [e.Steered(hint=state.next_hint, text=hint)], f"hint {state.next_hint} holds for all trials to come"
        if drop not in state.hints:
            known = ", ".join(map(str, state.hints)) or "none"
            raise UsageError(f"there is no hint {drop} (known: {known})")
        return [e.HintDropped(hint=drop)], f"hint {drop} is withdrawn"

    return _change(study, decide, json=json, steers=False)


def _hints(study: str | None, *, json: bool) -> int:
    with reading(study) as (_, name, record):
        hints = folded_from(record.stream()).hints
    if json:
        emit(document({"study": name, "hints": list(hints.values())}))
    elif not hints:
        say("no hint holds")
    else:
        for line in columns([[str(hint.id), safe(hint.text, LONGEST_HINT)] for hint in hints.values()], right=(0,)):
            say(line)
    return 0


def discard(
    trial: Trial,
    /,
    *,
    reason: Reason = "",
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Undo a keep by hand: take a trial's change out of the incumbent, and out of what `apply` gives."""
    with writing(study) as (place, name, ledger), opened_store(place, name) as store:
        row = row_of(ledger, name, trial)
        state = _recorded(ledger, lambda current: undone(current, store, row, " ".join(reason.split())))
    if json:
        emit({"study": name, "discarded": trial, "incumbent": state.incumbent, "confirmed_tree": state.confirmed_tree})
    else:
        say(f"trial {trial} is out; the incumbent is trial {state.incumbent} now")
        if state.headline_due:
            say("what is confirmed is another tree now: `autoresearch run` measures it anew beside the base")
    return 0


def _change(
    study: str | None, decide: Callable[[StudyState], tuple[list[e.Event], str]], *, json: bool, steers: bool = True
) -> int:
    """Record what `decide` wants and say what it says; with `steers`, also that nobody is there to heed it."""
    said = ""

    def wanted(state: StudyState) -> Sequence[e.Event]:
        nonlocal said
        events, said = decide(state)
        return events

    with writing(study) as (_, name, ledger):
        state = _recorded(ledger, wanted)
        workers = present(ledger)
    idle = steers and not workers and state.control in (Control.RUNNING, Control.STOPPING)
    if json:
        emit(document({"study": name, "state": state.control, "said": said, "workers": workers}))
    else:
        say(f"{name}: {said}")
        if idle:
            say("nobody is at work on it: `autoresearch run` goes on")
    return 0


def _recorded(ledger: SqlLedger, decide: Callable[[StudyState], Sequence[e.Event]]) -> StudyState:
    """Record what `decide` makes of the state, again when somebody was faster; returns the state afterwards."""
    for _ in range(TRIES):
        events = decide(folded(ledger))
        if not events or ledger.record(events) is not None:
            return folded(ledger)
    raise LedgerError("the study moves on faster than this can be recorded: `autoresearch pause` it, then try again")


# ---------------------------------------------------------------- apply


def apply(
    *,
    force: Annotated[bool, Parameter(negative="", help="Replace a branch that holds something else.")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Only say what would be committed.")] = False,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Make the branch `autoresearch/STUDY`: one clean commit for each confirmed change, on top of the base.

    The working tree, HEAD and every other branch stay as they are.
    """
    with reading(study) as (place, name, record):
        state = folded_from(record.stream())
    branch, base = f"autoresearch/{name}", state.study.base_commit
    with opened_store(place, name) as store:
        made = commits(state, store)
        head = None
        if not dry_run:
            pairs = [(commit.tree, commit.message) for commit in made]
            head = apply_branch(place.repository, store, branch, base, pairs, force=force)
    if json:
        emit(document({"study": name, "branch": branch, "base": base, "head": head, "commits": made}))
        return 0
    for line in _apply_lines(made, branch, base, head):
        say(line)
    return 0


def _apply_lines(made: Sequence[Commit], branch: str, base: str, head: str | None) -> list[str]:
    verb = "would hold" if head is None else "holds"
    lines = [f"{branch} {verb} {len(made)} commit{'s' if len(made) != 1 else ''} on {base[:10]}:"]
    for commit in made:
        effect = f"{commit.effect:+.3g} {interval(commit.low, commit.high)}" if commit.effect is not None else ""
        lines.append(f"  {safe(commit.subject)}  {effect}".rstrip())
    if head is None:
        return lines
    name, start = shlex.quote(branch), base[:10]
    return [
        *lines,
        "look at it:",
        f"  git log --stat {start}..{name}",
        f"  git diff {start} {name}",
        "take it:",
        f"  git merge {name}        (or git cherry-pick single commits)",
    ]
