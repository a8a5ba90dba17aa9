"""The command `doctor`: is this machine able, and is every study's record and surroundings whole?

It changes nothing unless `--repair` is given, and then says of each thing what it did.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from autoresearch.adapters.execution.choose import best_sandbox, how_to_get_it
from autoresearch.adapters.execution.front import overlay_supported
from autoresearch.bootstrap.place import Place
from autoresearch.bootstrap.study import studies
from autoresearch.domain.errors import InfraError, LedgerError, UsageError
from autoresearch.interfaces.cli.ailments import Problem, problems
from autoresearch.interfaces.cli.context import Json, StudyName, here
from autoresearch.interfaces.cli.output import emit, say
from autoresearch.interfaces.cli.shown import columns, document

GIT = (2, 25)
PYTHON = (3, 11)
LITTLE = 1 << 30
"""Bytes of free disk below which a study is likely to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something about the machine; `trouble` says what to do when it is not as it should be."""

    name: str
    value: str
    trouble: str = ""
    bars: bool = False
    """Whether no study can work like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem of a study, and what became of it."""

    study: str
    problem: Problem
    mended: bool = False
    failed: str = ""
    """Why it could not be mended."""


def doctor(
    *,
    repair: Annotated[bool, Parameter(negative="", help="Mend what can be mended.")] = False,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Check the machine and the studies of this repository. Exit status 1 when a problem remains."""
    place, outside = _place()
    facts = list(machine(place))
    names = _names(place, study) if place is not None else []
    findings = [found for name in names for found in examined(place, name, repair=repair)] if place else []
    remaining = [found for found in findings if not found.mended]
    sick = bool(remaining) or any(fact.bars for fact in facts)
    if json:
        emit(document({"ok": not sick, "machine": facts, "studies": names, "problems": [_data(f) for f in findings]}))
    else:
        _tell(facts, names, findings, outside)
    return 1 if sick else 0


def _place() -> tuple[Place | None, str]:
    """The repository, or why there is none: the machine can be looked at all the same."""
    try:
        return here(), ""
    except UsageError as error:
        return None, str(error)


def _names(place: Place, study: str | None) -> list[str]:
    known = studies(place)
    if study is None:
        return known
    if study not in known:
        raise UsageError(f"there is no record of a study {study!r} (known: {', '.join(known) or 'none yet'})")
    return [study]


# ---------------------------------------------------------------- the machine


def machine(place: Place | None) -> Iterator[Fact]:
    """What this machine has and lacks."""
    old = sys.version_info[:2] < PYTHON
    yield Fact(name="python", value=platform.python_version(), trouble="install 3.11 or newer" if old else "", bars=old)
    yield _git()
    sandbox, remedy = best_sandbox(), how_to_get_it()
    value = sandbox.name if sandbox.safe else f"{sandbox.name}: runs are not held in"
    yield Fact(name="sandbox", value=value, trouble=remedy)
    for sentence, held in sandbox.protects():
        yield Fact(name="", value=f"{'+' if held else '-'} {sentence}")
    value = "workspaces of large repositories are overlays" if overlay_supported() else "large workspaces are copied"
    yield Fact(name="overlay", value=value)
    yield _disk(place.state if place is not None else Path.cwd())


def _git() -> Fact:
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        done = None
    words = done.stdout.split() if done is not None and done.returncode == 0 else []
    text = words[2] if len(words) > 2 else ""
    version = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    old = version < GIT
    trouble = f"install git {'.'.join(map(str, GIT))} or newer" if old else ""
    return Fact(name="git", value=text or "not found", trouble=trouble, bars=old)


def _disk(path: Path) -> Fact:
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    trouble = f"free some space on the file system of {path}" if free < LITTLE else ""
    return Fact(name="disk", value=f"{free / 2**30:.1f} GiB free at {path}", trouble=trouble, bars=free < LITTLE // 16)


# ---------------------------------------------------------------- the studies


def examined(place: Place, study: str, *, repair: bool) -> Iterator[Finding]:
    """Every problem of a study; with `repair`, after trying to mend it."""
    for problem in problems(place, study):
        if not repair or problem.mend is None:
            yield Finding(study=study, problem=problem)
            continue
        failed = _mended(problem.mend)
        yield Finding(study=study, problem=problem, mended=not failed, failed=failed)


def _mended(mend: Callable[[], None]) -> str:
    """Why mending failed; empty when it did not."""
    try:
        mend()
    except (OSError, InfraError, LedgerError) as error:
        return str(error)
    return ""


def _data(found: Finding) -> dict[str, object]:
    problem = found.problem
    return {
        "study": found.study,
        "what": problem.what,
        "where": problem.where,
        "remedy": problem.remedy,
        "repairable": problem.mend is not None,
        "repaired": found.mended,
        "failed": found.failed,
    }


def _tell(facts: list[Fact], names: list[str], findings: list[Finding], outside: str) -> None:
    for line in columns([[fact.name, fact.value + (f"  -> {fact.trouble}" if fact.trouble else "")] for fact in facts]):
        say(line)
    if outside:
        say(f"no studies looked at: {outside}")
    for name in names:
        own = [found for found in findings if found.study == name]
        say()
        say(f"{name}: {_verdict(own)}")
        for found in own:
            say(f"  - {found.problem.what}: {found.problem.where}")
            say(f"    {_remedy(found)}")


def _verdict(findings: list[Finding]) -> str:
    if not findings:
        return "record and surroundings are whole"
    mended = sum(found.mended for found in findings)
    left = len(findings) - mended
    words = [f"{left} problem{'s' if left != 1 else ''}"] if left else []
    return ", ".join([*words, *([f"{mended} mended"] if mended else [])])


def _remedy(found: Finding) -> str:
    if found.mended:
        return f"mended: {found.problem.done}"
    if found.failed:
        return f"could not be mended: {found.failed}"
    return "`autoresearch doctor --repair` mends it" if found.problem.mend else found.problem.remedy
