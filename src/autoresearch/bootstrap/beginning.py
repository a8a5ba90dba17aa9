"""The record of a study brought in line with its spec: begun, amended, or joined as it is.

What measurements depend on is fixed for an epoch; nobody measures under other conditions than those on record.
"""

import contextlib
import secrets
from pathlib import Path

from autoresearch.adapters.git.repository import base, dirty, import_base, refuse_branch_clash
from autoresearch.adapters.git.store import GitStore
from autoresearch.adapters.ledger import SqlLedger, open_ledger
from autoresearch.bootstrap.fingerprint import changed, fingerprint, written
from autoresearch.bootstrap.place import Place
from autoresearch.domain import events as e
from autoresearch.domain.errors import UsageError
from autoresearch.domain.globs import matches
from autoresearch.domain.model import Study
from autoresearch.domain.state import StudyState
from autoresearch.spec import (
    FILE,
    Spec,
    error_at,
    goal,
    guards,
    metric,
    parse_spec,
    program_text,
    rungs,
    spec_text,
    stop,
)


def begun(place: Place, study: str) -> bool:
    """Whether the record holds the study's first event: whoever was to write it may have been killed before."""
    if not place.ledger(study).exists():
        return False
    with contextlib.closing(open_ledger(place.ledger(study), place.key(study), create=True)) as ledger:
        return ledger.last() > 0


def create(place: Place, spec: Spec, *, seed: int | None = None) -> None:
    """Begin a study from HEAD: base tree into the trusted store, first events into the ledger.

    Raises `UsageError` when tracked files have uncommitted changes, or a branch named `autoresearch` is in the way.
    """
    repository, name = place.repository, spec.study.name
    refuse_branch_clash(repository)
    commit = base(repository).commit
    script_of(place, spec)
    _refuse_dirty(place, spec, edited=False)
    place.make(name)
    with GitStore(place.of(name), object_format=repository.object_format) as store:
        tree = _imported(place, spec, store, commit)
    study = study_of(spec, base_commit=commit, base_tree=tree, seed=secrets.randbits(63) if seed is None else seed)
    with contextlib.closing(open_ledger(place.ledger(name), place.key(name), create=True)) as ledger:
        created = e.StudyCreated(study=study, spec=spec_text(spec), program=program_text(spec, place.top))
        ledger.record([created])


def _imported(place: Place, spec: Spec, store: GitStore, commit: str) -> str:
    """The tree of a base commit, taken into the store. Raises `SpecError` when nothing of it may be edited."""
    tree = import_base(place.repository, store, commit)
    for glob in spec.workspace.editable:
        if not any(matches(path, (glob,)) for path in store.files(tree)):
            message = f"{glob!r} matches no file of the base commit {commit[:10]}. Is it committed?"
            raise error_at(spec, "workspace.editable", message)
    return tree


def _refuse_dirty(place: Place, spec: Spec, *, edited: bool) -> None:
    free = (FILE, spec.study.program, *(spec.workspace.editable if edited else ()))
    if changed_files := [path for path in dirty(place.repository) if not matches(path, free)]:
        raise UsageError(
            f"tracked files have uncommitted changes ({', '.join(changed_files[:5])}): a study starts from a commit. "
            "Commit or stash them, then run again"
        )


def study_of(spec: Spec, *, base_commit: str, base_tree: str, seed: int) -> Study:
    """The study that a spec describes."""
    return Study(
        name=spec.study.name,
        goal=goal(spec),
        base_commit=base_commit,
        base_tree=base_tree,
        seed=seed,
        metric=metric(spec),
        guards=guards(spec),
        rungs=rungs(spec),
        acceptance=spec.acceptance.rule,
        policy=spec.search.policy,
        researcher=spec.researcher.kind,
        stop=stop(spec),
        holdout=bool(spec.score and spec.score.holdout),
    )


def bring_up_to_date(
    place: Place, spec: Spec, state: StudyState, ledger: SqlLedger, store: GitStore, sandbox: str, *, edited: bool
) -> None:
    """Record a changed spec as an amendment, and changed conditions of measurement as a new epoch.

    As long as no trial was opened the study also follows HEAD, and tracked files must be as committed, but for editable
    ones with `edited`. Raises `UsageError` for that, and for another metric after the first trial.
    """
    old = state.study
    commit, tree = _based(place, spec, state, store, edited=edited)
    new = study_of(spec, base_commit=commit, base_tree=tree, seed=old.seed)
    _refuse_another_metric(state, new)
    program, events = program_text(spec, place.top), list[e.Event]()
    if new != old or spec_text(spec) != state.spec or program != state.program:
        events.append(e.StudyAmended(study=new, spec=spec_text(spec), program=program))
    parts = conditions(place, spec, new, sandbox)
    if differing := changed(state.fingerprint, parts):
        reason = "created" if state.epoch < 0 else "changed: " + ", ".join(differing)
        events.append(e.EpochOpened(epoch=state.epoch + 1, fingerprint=written(parts), reason=reason))
    if events and ledger.record(events) is None:
        raise UsageError(f"somebody else changed the study {old.name!r} at this moment: try again")


def as_recorded(place: Place, state: StudyState, sandbox: str) -> Spec:
    """The spec on record. Raises `UsageError` when who joins would measure under other conditions."""
    spec = parse_spec(state.spec, str(place.top / FILE))
    if differing := changed(state.fingerprint, conditions(place, spec, state.study, sandbox)):
        raise UsageError(
            f"the study {state.study.name!r} cannot be joined: {', '.join(differing)} changed since its work began, "
            "and numbers taken before and after do not compare. End it, then `autoresearch run`"
        )
    return spec


def conditions(place: Place, spec: Spec, study: Study, sandbox: str) -> dict[str, str]:
    """What measurements depend on, as a fingerprint by part."""
    return fingerprint(spec, inputs_of(place, spec), sandbox, study.base_tree)


def _based(place: Place, spec: Spec, state: StudyState, store: GitStore, *, edited: bool) -> tuple[str, str]:
    """Base commit and tree: HEAD's until the first trial, then for good; the spec's own files do not count."""
    old = state.study
    if state.next_trial > 1:
        return old.base_commit, old.base_tree
    _refuse_dirty(place, spec, edited=edited)
    commit = base(place.repository).commit
    if commit == old.base_commit:
        return commit, old.base_tree
    tree = _imported(place, spec, store, commit)
    if {*store.paths_touched(old.base_tree, tree)} <= {FILE, spec.study.program}:
        return old.base_commit, old.base_tree
    return commit, tree


def _refuse_another_metric(state: StudyState, new: Study) -> None:
    old = state.study
    before, after = [(each.metric.name, each.metric.direction, each.metric.source) for each in (old, new)]
    if state.next_trial > 1 and before != after:
        raise UsageError(
            f"the trials of the study {old.name!r} were decided by {' / '.join(before)}, and the spec says "
            f"{' / '.join(after)} now: take that back, or give study.name another name to begin anew"
        )


def inputs_of(place: Place, spec: Spec) -> list[Path]:
    """The declared inputs, absolute. Raises `SpecError` for one that is not there."""
    found = []
    for index, text in enumerate(spec.run.inputs):
        path = Path(text.removesuffix("/**")).expanduser()
        path = path if path.is_absolute() else place.top / path
        if not path.exists():
            raise error_at(spec, "run.inputs", f"{text!r} (number {index + 1}) is not there: {path}.")
        found.append(path)
    return found


def script_of(place: Place, spec: Spec) -> Path | None:
    """The file with the edits. Raises `SpecError` when it is not there."""
    if spec.researcher.script is None:
        return None
    path = place.top / spec.researcher.script
    if not path.is_file():
        raise error_at(spec, "researcher.script", f"{spec.researcher.script!r} is not there: {path}.")
    return path
