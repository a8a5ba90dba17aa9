"""Commands that work: `run`, `try`, `confirm`.

Each opens a session, lets workers perform what is due, and says what came of it.
"""

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from autoresearch.adapters.git.workspace import Checkout
from autoresearch.adapters.ledger import open_record
from autoresearch.bootstrap.beginning import begun, create
from autoresearch.bootstrap.place import Place
from autoresearch.bootstrap.study import Session, open_session
from autoresearch.bootstrap.workers import own_name
from autoresearch.domain import events as e
from autoresearch.domain.confirmation import unsettled
from autoresearch.domain.errors import UsageError
from autoresearch.domain.globs import matches
from autoresearch.domain.model import BASE, Move, Proposal, Source
from autoresearch.domain.plan import Limits, stop_reason
from autoresearch.domain.state import PERSON, Control, StudyState
from autoresearch.engine.proposing import admitted
from autoresearch.engine.worker import Worker
from autoresearch.interfaces.cli.context import Json, here
from autoresearch.interfaces.cli.glance import glance
from autoresearch.interfaces.cli.live import Follower, View
from autoresearch.interfaces.cli.output import emit, number, safe, say, signed, warn
from autoresearch.interfaces.cli.reporting import write_report_of
from autoresearch.interfaces.cli.specs import spec_here
from autoresearch.spec import MOST_WORKERS, Spec

Workers = Annotated[
    int | None,
    Parameter(
        name="--workers", validator=Number(gte=1, lte=MOST_WORKERS), help="Worker processes; default: the spec's."
    ),
]
Seed = Annotated[
    int | None,
    Parameter(
        name="--seed", validator=Number(gte=0, lt=2**63), help="Seed of a study that begins now; default: random."
    ),
]


def _hours(kind: Any, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ValueError(f"must be a number of hours above 0, not {value}")


Hours = Annotated[
    float | None, Parameter(validator=_hours, help="Open no trial after so many hours; default: the spec's.")
]


def run(
    *,
    workers: Workers = None,
    join: Annotated[bool, Parameter(negative="", help="Add a worker to the study that is already at work.")] = False,
    seed: Seed = None,
    hours: Hours = None,
    json: Json = False,
) -> int:
    """Search: propose, measure, keep what is better, confirm; goes on where it left off.

    Ctrl-C once finishes the present step and leaves; twice stops at once. Nothing is lost either way.
    """
    if join:
        die_with_controller()
    place = here()
    spec = spec_here(place)
    with begin(place, spec, seed=seed, join=join) as session:
        reopen(session)
        slots = max(workers or spec.search.workers, len(session.others) + 1)
        ended = perform(
            session, slots=slots, spawn=0 if join else slots - 1, hours=hours, quiet=json or join, join=join
        )
    if not join:
        conclude(place, spec.study.name, json=json)
    return ended


@contextlib.contextmanager
def begin(
    place: Place, spec: Spec, *, seed: int | None = None, join: bool = False, edited: bool = False
) -> Iterator[Session]:
    """A session on the study, created when it has no record; `edited`: uncommitted edits are what it is about.

    Raises `UsageError` when others are at work and `join` is not set, or when there is nobody to join.
    """
    if not begun(place, spec.study.name):
        if join:
            raise UsageError(f"there is no study {spec.study.name!r} at work to join: run without --join")
        create(place, spec, seed=seed)
    with open_session(place, spec, join=join, edited=edited) as session:
        yield session


def reopen(session: Session, *, anyway: bool = False) -> None:
    """Take back a pause, or the end of a study whose reason to end no longer holds (or `anyway`)."""
    state = session.state()
    paused = state.control is Control.PAUSED
    if paused:
        warn(f"resuming; it was paused: {safe(state.reason, 400)}")
    finished = state.control is Control.FINISHED
    if finished:
        state.control = Control.RUNNING
        finished = anyway or not stop_reason(state, Limits())
    if paused or finished:
        session.ledger.record([e.Resumed()])


def perform(
    session: Session,
    *,
    slots: int,
    spawn: int = 0,
    hours: float | None = None,
    quiet: bool = False,
    join: bool = False,
) -> int:
    """Work on the study in this process and in `spawn` further ones until nothing is due. Returns the exit status.

    When the hours are over, whoever joined opens no further trial; whoever began ends the study.
    """
    hours = hours if hours is not None else session.study.stop.hours
    deadline = time.monotonic() + hours * 3600 if hours else None

    def limits(state: StudyState) -> Limits:
        late = deadline is not None and time.monotonic() > deadline
        return Limits(slots=slots, new_trials=not (late and join), out_of_time=late and not join)

    worker = Worker(session.desk, own_name(), limits=limits)
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(_view(session))
        helpers = stack.enter_context(_helpers(spawn, session.place, worker, hours))
        stack.enter_context(heeding_signals(worker, helpers))
        worker.work()
    return 0 if worker.done and worker.state.control is not Control.PAUSED else 1


def _view(session: Session) -> View:
    path = session.place.ledger(session.study.name)
    return View(
        lambda: open_record(path), title=session.study.name, labels=labels(session), console=Console(highlight=False)
    )


def labels(session: Session) -> str:
    """What must be said of a study wherever it is shown."""
    words = []
    if session.study.metric.source is Source.STDOUT:
        words.append("self-reported metric")
    if not session.sandbox.safe:
        words.append("unsafe: no sandbox")
    return ", ".join(words)


CONTROLLER = "AUTORESEARCH_CONTROLLER"
"""Process number of the `run` that started a worker, in that worker's environment."""
PR_SET_PDEATHSIG = 1


def die_with_controller() -> None:
    """A worker that `run --workers` started ends with that `run`, however it ended (Linux)."""
    controller = os.environ.get(CONTROLLER)
    if controller is None or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if str(os.getppid()) != controller:
        raise UsageError("the `run` that started this worker is gone")


@contextlib.contextmanager
def _helpers(
    count: int, place: Place, worker: Worker, hours: float | None
) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Further worker processes, which join; they end with the study as `worker` does, or when it leaves.

    In sessions of their own: a Ctrl-C at the terminal reaches them through us alone, so once.
    """
    command = [sys.executable, "-m", "autoresearch", "run", "--join", "--json"]
    command += [f"--hours={hours!r}"] if hours else []
    env = {**os.environ, CONTROLLER: str(os.getpid())}
    quiet = subprocess.DEVNULL
    helpers = [
        subprocess.Popen(command, cwd=place.top, env=env, stdin=quiet, stdout=quiet, start_new_session=True)
        for _ in range(count)
    ]
    try:
        yield helpers
    finally:
        for helper in helpers:
            if not worker.done and not worker.leaving and helper.poll() is None:
                helper.send_signal(signal.SIGINT)
        for helper in helpers:
            helper.wait()


@contextlib.contextmanager
def heeding_signals(worker: Worker, helpers: Sequence["subprocess.Popen[bytes]"] = ()) -> Iterator[None]:
    """The first interrupt lets the present step end, the second drops it; TERM and HUP drop it at once; helpers too.

    Workers that `run --workers` started heed them to their end: what comes late must not disturb their tidying up.
    """
    count = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        now = count > 1 or number != signal.SIGINT
        worker.leave(now=now)
        for helper in helpers:
            if helper.returncode is None:
                os.kill(helper.pid, number)
        if not now:
            warn("\nfinishing the present step; Ctrl-C again stops at once (nothing is lost)")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    watched = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, interrupted) for number in watched}
    try:
        yield
    finally:
        for number, handler in () if CONTROLLER in os.environ else before.items():
            signal.signal(number, handler)


def conclude(place: Place, name: str, *, json: bool) -> None:
    """What a study came to: in a few lines, with the report's place."""
    paths = write_report_of(place, name)
    with open_record(place.ledger(name)) as record:
        follower, said = Follower(record), glance(record).labels
        follower.catch_up()
    state = follower.state
    found = {**outcome(follower), "labels": said}
    if json:
        emit({**found, "report": {key: str(path) for key, path in paths.items()}})
        return
    say()
    metric = state.study.metric
    say(f"{name}: {found['trials']} trials, {found['kept']} kept, {found['confirmed']} confirmed, {state.runs} runs")
    if said:
        warn(f"  {', '.join(said)}")
    if state.control is Control.PAUSED:
        warn(f"paused: {safe(state.reason, 1000)}")
    elif (headline := found["headline"]) is not None:
        say(
            f"  {metric.name} on fresh seeds: base {number(headline['base'])} → "
            f"confirmed {number(headline['confirmed'])}, gain {signed(headline['effect'])} "
            f"[{signed(headline['low'])}, {signed(headline['high'])}] (95 %)"
        )
        say("  apply it: autoresearch apply")
    elif state.control is Control.FINISHED:
        say(f"  {unclaimed(state)}")
    if state.control is Control.RUNNING:
        say("  go on: autoresearch run      confirm what is kept: autoresearch confirm")
    elif state.reason:
        say(f"  ended: {safe(state.reason, 400)}")
    say(f"  report:  {paths['html']}")
    say(f"  picture: {paths['png']}")


def unclaimed(state: StudyState) -> str:
    """Why a study that has ended claims no improvement."""
    if waiting := unsettled(state):
        changes = "1 kept change is" if len(waiting) == 1 else f"{len(waiting)} kept changes are"
        return f"no improvement is claimed: {changes} not confirmed (`autoresearch confirm` measures on fresh seeds)"
    if any(kept.number != BASE for kept in state.kept.values()):
        return "nothing held up on fresh seeds: no improvement is claimed"
    return "nothing was kept: no improvement is claimed"


def outcome(follower: Follower) -> dict[str, Any]:
    """The end of a study as JSON values."""
    state = follower.state
    stands = state.confirmed_tree != state.study.base_tree
    headlines = [round.headline for round in state.rounds if round.headline and stands]
    kept = [each for each in state.kept.values() if each.number and each.standing != "held"]
    return {
        "study": state.study.name,
        "state": state.control.value,
        "reason": state.reason,
        "trials": state.proposed_trials,
        "runs": state.runs,
        "kept": len(kept),
        "confirmed": sum(each.standing == "confirmed" for each in kept),
        "incumbent": {"trial": state.incumbent, "value": follower.incumbent_value()},
        "headline": None
        if not headlines
        else {
            "base": headlines[-1].base,
            "confirmed": headlines[-1].confirmed,
            "effect": headlines[-1].effect,
            "low": headlines[-1].low,
            "high": headlines[-1].high,
        },
    }


def confirm(*, json: Json = False) -> int:
    """Hold a confirmation round now: which of the kept changes hold up on fresh seeds?"""
    place = here()
    spec = spec_here(place)
    with begin(place, spec) as session:
        state = session.state()
        if state.incumbent_trial.tree == state.confirmed_tree and not state.headline_due:
            raise UsageError("nothing waits for confirmation: every kept change is confirmed or refuted already")
        if state.control is Control.PAUSED:
            session.ledger.record([e.Resumed()])
        session.ledger.record([e.ConfirmRequested()])
        status = _until_done(session, quiet=json)
    conclude(place, spec.study.name, json=json)
    return status


def _until_done(session: Session, *, quiet: bool) -> int:
    """Perform what is there without opening trials."""
    worker = Worker(session.desk, own_name(), limits=lambda state: Limits(slots=0, new_trials=False))
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(_view(session))
        stack.enter_context(heeding_signals(worker))
        worker.work()
    return 0 if worker.done and worker.state.control is not Control.PAUSED else 1


def try_(
    *,
    hypothesis: Annotated[
        str, Parameter(name=("--hypothesis", "-m"), help="What you changed, and why it should help.")
    ],
    json: Json = False,
) -> int:
    """Measure the working tree's version of the editable files as a trial, by the same rules as every other.

    The working tree stays as it is. Exit status 0 when the trial was kept.
    """
    place = here()
    spec = spec_here(place)
    with begin(place, spec, edited=True) as session:
        trial = _propose_by_hand(session, hypothesis)
        _until_done(session, quiet=json)
        row = session.ledger.trial(trial)
    if row is None or not row.state.ended:
        warn(f"trial {trial} is not decided yet; `autoresearch run` goes on with it")
        return 1
    if json:
        emit({"trial": trial, "state": row.state, "effect": row.effect, "low": row.low, "high": row.high,
              "value": row.value, "rule": row.rule, "reason": row.reason, "same_as": row.same_as})  # fmt: skip
    else:
        effect = f" {signed(row.effect)} [{signed(row.low)}, {signed(row.high)}]" if row.effect is not None else ""
        say(f"trial {trial}: {row.state}{effect}  {safe(row.reason, 400)}")
    return 0 if row.state == "kept" else 1


def _propose_by_hand(session: Session, hypothesis: str) -> int:
    """Freeze the working tree's editable files and open a trial of a person with them as its proposal, in one go."""
    reopen(session, anyway=True)
    state, desk = session.state(), session.desk
    number, tree = state.next_trial, state.incumbent_trial.tree
    opened = e.TrialOpened(trial=number, parent=state.incumbent, move=Move.EXPLORE, researcher=PERSON)
    with session.store.workspace(tree, without=desk.conditions.hidden) as workspace:
        copy_editable(session, workspace)
        frozen = session.store.freeze(workspace, editable=desk.conditions.editable, hidden=desk.conditions.hidden)
    if session.ledger.record([opened, *admitted(desk, number, Proposal(hypothesis=hypothesis), frozen)]) is None:
        raise UsageError("somebody else opened a trial at this moment: try again")
    return number


def copy_editable(session: Session, workspace: Checkout) -> None:
    """Make the workspace's editable files those of the user's working tree: changed, new and deleted ones."""
    top, desk = session.place.top, session.desk
    paths = {*session.store.files(session.study.base_tree), *session.place.untracked()}
    for path in sorted(path for path in paths if matches(path, desk.conditions.editable)):
        source = top / path
        if source.is_file() and not source.is_symlink():
            workspace.put(path, source.read_bytes(), executable=os.access(source, os.X_OK))
        else:
            with contextlib.suppress(KeyError):
                workspace.delete(path)
