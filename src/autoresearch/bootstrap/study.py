"""A study put together: opened for work, or opened for reading only.

`open_session` is the only place that knows which class stands behind each port.
"""

import contextlib
import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from autoresearch.adapters.execution.choose import best_sandbox
from autoresearch.adapters.execution.front import overlay_supported
from autoresearch.adapters.execution.local import LocalExecutor
from autoresearch.adapters.execution.masks import expand_masks
from autoresearch.adapters.git.store import GitStore
from autoresearch.adapters.ledger import SqlLedger, SqlRecord, open_ledger, open_record
from autoresearch.adapters.scoring.command import CommandScorer, Entry, Sealed
from autoresearch.adapters.scoring.printed import PrintedScorer
from autoresearch.bootstrap.beginning import as_recorded, bring_up_to_date, inputs_of, script_of
from autoresearch.bootstrap.place import Place
from autoresearch.bootstrap.workers import attending
from autoresearch.domain.errors import UsageError
from autoresearch.domain.globs import globs
from autoresearch.domain.lineage import fold
from autoresearch.domain.model import Budget, Clock, Source, Study
from autoresearch.domain.state import StudyState
from autoresearch.engine import measuring
from autoresearch.engine.desk import Conditions, Desk
from autoresearch.engine.underway import UnderWay
from autoresearch.ports import Executor, Mount, Researcher, ResearcherContext, Sandbox, Scorer
from autoresearch.registry import BUILT_IN, resolve
from autoresearch.spec import (
    Spec,
    budget,
    rungs,
    threads,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A study opened for work."""

    place: Place
    spec: Spec
    study: Study
    ledger: SqlLedger
    store: GitStore
    sandbox: Sandbox
    desk: Desk
    others: tuple[str, ...] = ()
    """Names of the workers that were there before."""

    def state(self) -> StudyState:
        """The state as of now, for the caller alone."""
        state = copy.deepcopy(self.desk.state)
        _catch_up(state, self.ledger)
        return state


def studies(place: Place) -> list[str]:
    """Names of the studies that have a record here."""
    if not place.state.is_dir():
        return []
    return sorted(path.parent.name for path in place.state.glob("*/ledger.db"))


def folded(ledger: SqlLedger) -> StudyState:
    """The state of a study from its record."""
    state = StudyState()
    _catch_up(state, ledger)
    return state


def _catch_up(state: StudyState, ledger: SqlLedger) -> None:
    for recorded in ledger.stream(state.seq):
        fold(state, recorded)


def open_record_of(place: Place, study: str) -> SqlRecord:
    """A study's record for reading. Raises `UsageError` when there is none."""
    if not place.ledger(study).exists():
        known = ", ".join(studies(place)) or "none yet"
        raise UsageError(f"there is no record of a study {study!r} (known: {known}); `autoresearch run` begins one")
    return open_record(place.ledger(study))


@contextlib.contextmanager
def open_session(place: Place, spec: Spec, *, join: bool = False, edited: bool = False) -> Iterator[Session]:
    """Open a begun study for work: alone, with what changed in spec, inputs and machine on record; or beside others.

    Raises `UsageError` when others are at work and it is not to `join` them; or when it is, and it would work under
    other conditions than they do. Who joins works by the spec on record. `edited`: see `bring_up_to_date`.
    """
    name = spec.study.name
    if spec.researcher.kind not in BUILT_IN["researcher"]:
        resolve("researcher", spec.researcher.kind)  # a wrong path is told now, not when a proposal is due
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(contextlib.closing(open_ledger(place.ledger(name), place.key(name))))
        presence, others = stack.enter_context(attending(ledger, join=join))
        sandbox = best_sandbox()
        store = stack.enter_context(
            GitStore(
                place.of(name), overlay=overlay(sandbox, place.of(name)), object_format=place.repository.object_format
            )
        )
        store.sweep()
        state = folded(ledger)
        if join:
            spec = as_recorded(place, state, sandbox.name)
        else:
            bring_up_to_date(place, spec, state, ledger, store, sandbox.name, edited=edited)
            _catch_up(state, ledger)
        study = state.study
        executor = UnderWay(LocalExecutor(sandbox))
        scorer = stack.enter_context(scorer_of(place, spec, study, store, executor))
        desk = Desk(
            ledger=ledger,
            record=ledger,
            store=store,
            executor=executor,
            scorer=scorer,
            researcher=lambda: researcher_of(place, spec, study, store, executor),
            conditions=conditions_of(place, spec),
            runs=place.runs(name),
            state=state,
            program=state.program,
            sandbox=sandbox.name,
            safe=sandbox.safe,
            presence=presence,
        )
        if not join:
            measuring.sweep(desk)
        yield Session(
            place=place,
            spec=spec,
            study=study,
            ledger=ledger,
            store=store,
            sandbox=sandbox,
            desk=desk,
            others=others,
        )


def overlay(sandbox: Sandbox, place: Path) -> bool:
    """Whether the sandbox can show a workspace as an overlay over a kept checkout."""
    return sandbox.safe and overlay_supported(place)


def mounts_of(place: Place, spec: Spec) -> tuple[Mount, ...]:
    """Inputs as mounts: those inside the repository appear at the same relative place in the workspace."""
    mounts = []
    for path in inputs_of(place, spec):
        inside = path.is_relative_to(place.top)
        mounts.append(Mount(source=path, target=str(path.relative_to(place.top)) if inside else None))
    return tuple(mounts)


def masked_of(place: Place, spec: Spec) -> tuple[Path, ...]:
    """Hidden files that lie outside the repository, and those that an input would show."""
    patterns = [glob for glob in spec.workspace.hidden if glob.startswith(("{stdlib}/", "/", "~"))]
    outside = expand_masks(patterns, inputs_of(place, spec)) if patterns else ()
    return tuple(dict.fromkeys((*outside, *_hidden_in_inputs(place, spec))))


def _hidden_in_inputs(place: Place, spec: Spec) -> Iterator[Path]:
    """What the hidden globs of the repository name inside the inputs; a directory that is hidden whole comes alone."""
    hidden = globs(tuple(glob.removesuffix("/**") for glob in hidden_of(spec)))
    pending = [path for path in inputs_of(place, spec) if path.is_relative_to(place.top)] if hidden.patterns else []
    while pending:
        path = pending.pop()
        relative = path.relative_to(place.top).as_posix()
        if hidden.match(relative):
            yield path
        elif path.is_dir() and hidden.below(relative):
            pending += [Path(entry.path) for entry in os.scandir(path) if not entry.is_symlink()]


def hidden_of(spec: Spec) -> tuple[str, ...]:
    """Hidden globs of the repository; a study's own spec is no secret, but a run has no use for it."""
    return tuple(glob for glob in spec.workspace.hidden if not glob.startswith(("{stdlib}/", "/", "~")))


def conditions_of(place: Place, spec: Spec) -> Conditions:
    """What every run gets and must not see."""
    rung = rungs(spec)[0]
    return Conditions(
        command=spec.run.command,
        budget=rung.budget,
        editable=spec.workspace.editable,
        hidden=hidden_of(spec),
        masked=masked_of(place, spec),
        artifacts=spec.run.artifacts,
        mounts=mounts_of(place, spec),
        env=dict(rung.env),
        network=spec.run.network,
        threads=threads(spec),
    )


@contextlib.contextmanager
def scorer_of(place: Place, spec: Spec, study: Study, store: GitStore, executor: Executor) -> Iterator[Scorer]:
    """The scorer that the spec asks for."""
    section = spec.score
    if spec.metric.source is Source.STDOUT or section is None:
        yield PrintedScorer(spec.metric.name)
        return
    run = rungs(spec)[0].budget
    predict = section.predict and Entry(command=section.predict, budget=budget(spec, section.predict_budget))
    sealed = Sealed(
        score=Entry(
            command=section.command, budget=replace(run, clock=Clock.WALL, wall_guard=None, seconds=section.budget)
        ),
        predict=predict or None,
        base_tree=study.base_tree,
        hidden=hidden_of(spec),
        masked=masked_of(place, spec),
        mounts=mounts_of(place, spec),
        env=dict(rungs(spec)[0].env),
        threads=threads(spec),
    )
    with contextlib.closing(CommandScorer(sealed, store, executor)) as scorer:
        yield scorer


def researcher_of(place: Place, spec: Spec, study: Study, store: GitStore, executor: Executor) -> Researcher:
    """The researcher that the spec asks for. Raises `UsageError` for a name nobody offers."""
    section = spec.researcher
    scratch = place.of(spec.study.name) / "researcher"
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    context = ResearcherContext(
        editable=spec.workspace.editable,
        base=lambda: store.workspace(study.base_tree, without=hidden_of(spec)),
        constants=section.constants,
        sampler=section.sampler,
        command=section.command or (),
        script=script_of(place, spec),
        budget=Budget(seconds=section.budget),
        network=section.network,
        mounts=mounts_of(place, spec),
        masked=masked_of(place, spec),
        executor=executor,
        scratch=scratch,
    )
    made: Researcher = resolve("researcher", section.kind)(context)
    return made
