"""What the keys of a spec must say of each other.

Each check is a generator of problems; none reads a file. An option that nothing would obey is a problem too.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoresearch.domain.model import Clock, Source
from autoresearch.registry import known, names
from autoresearch.spec import globs
from autoresearch.spec.schema import Spec

STDLIB = "{stdlib}/"
"""How a hidden glob names the Python standard library of the machine."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with one key. `path` leads to it, elements of arrays by number."""

    path: tuple[str | int, ...]
    text: str

    @property
    def key(self) -> str:
        """The key as people name it: ``run.budget``, ``guard[1].metric``."""
        shown = ""
        for part in self.path:
            shown += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
        return shown.removeprefix(".")


def problems(spec: Spec) -> Iterator[Problem]:
    """Everything that is wrong between the keys of a well-formed spec."""
    for check in (
        _names,
        _paths,
        _hidden,
        _commands,
        _clocks,
        _environments,
        _metric,
        _scorer,
        _guards,
        _researcher,
        _rungs,
    ):
        yield from check(spec)


def _names(spec: Spec) -> Iterator[Problem]:
    name = spec.study.name
    if ".." in name or name.endswith((".", ".lock")):
        text = f"{name!r} cannot name a branch: git allows no '..', and no '.' or '.lock' at the end. Choose another."
        yield Problem(path=("study", "name"), text=text)
    if why := globs.escapes(spec.study.program):
        yield Problem(path=("study", "program"), text=f"{spec.study.program!r} {why}.")


def _paths(spec: Spec) -> Iterator[Problem]:
    if not spec.workspace.editable:
        yield Problem(
            path=("workspace", "editable"), text='is empty: nothing could be tried. Name files, as ["train.py"].'
        )
    for key, section, patterns in (
        ("editable", "workspace", spec.workspace.editable),
        ("artifacts", "run", spec.run.artifacts),
    ):
        for index, glob in enumerate(patterns):
            if why := globs.escapes(glob):
                yield Problem(path=(section, key, index), text=f"{glob!r} {why}.")
    for index, path in enumerate(spec.run.inputs):
        outside = path.startswith(("/", "~/"))
        if outside and ".." in path.split("/"):
            yield Problem(path=("run", "inputs", index), text=f"{path!r} holds '..'. Write where it really is.")
        elif not outside and (why := globs.escapes(path)):
            yield Problem(path=("run", "inputs", index), text=f"{path!r} {why}. Outside inputs begin with / or ~/.")


def _hidden(spec: Spec) -> Iterator[Problem]:
    for index, glob in enumerate(spec.workspace.hidden):
        inside = glob.removeprefix(STDLIB)
        if why := globs.escapes(inside):
            yield Problem(path=("workspace", "hidden", index), text=f"{glob!r} {why}.")
        elif inside == glob and (met := [each for each in spec.workspace.editable if globs.overlap(each, glob)]):
            text = (
                f"{glob!r} and the editable {met[0]!r} can be the same file. A file cannot be both: narrow one of them."
            )
            yield Problem(path=("workspace", "hidden", index), text=text)


def _commands(spec: Spec) -> Iterator[Problem]:
    scorer = spec.score
    for path, words in (
        (("run", "command"), spec.run.command),
        (("score", "command"), scorer.command if scorer else None),
        (("score", "predict"), scorer.predict if scorer else None),
        (("researcher", "command"), spec.researcher.command),
    ):
        if words is not None and (not words or not words[0].strip()):
            yield Problem(path=path, text='names no program. Write it as a list, as ["python", "train.py"].')
        if any("\0" in word for word in words or ()):
            yield Problem(path=path, text="holds a NUL character, which no program can be given.")


def _clocks(spec: Spec) -> Iterator[Problem]:
    if spec.run.wall is None:
        return
    if spec.run.budget.clock is Clock.WALL:
        text = 'guards a CPU budget only; "run.budget" is wall-clock time here. Leave one of them out.'
        yield Problem(path=("run", "wall"), text=text)
    elif spec.run.wall < spec.run.budget.seconds:
        text = "is shorter than the CPU budget, which could never be used up. Make it longer."
        yield Problem(path=("run", "wall"), text=text)


def _environments(spec: Spec) -> Iterator[Problem]:
    tables = [(("run", "env"), spec.run.env), *((("rung", i, "env"), rung.env) for i, rung in enumerate(spec.rung))]
    for path, table in tables:
        for name, value in table.items():
            if not _VARIABLE.fullmatch(name):
                yield Problem(path=(*path, name), text="is no name of an environment variable.")
            elif name.startswith("AUTORESEARCH_"):
                yield Problem(
                    path=(*path, name), text="begins with AUTORESEARCH_, which is set for every run. Rename it."
                )
            elif "\0" in value:
                yield Problem(path=(*path, name), text="holds a NUL character.")


def _metric(spec: Spec) -> Iterator[Problem]:
    least, most = spec.metric.min_effect, spec.metric.implausible
    if most is not None and most.value == 0:
        yield Problem(path=("metric", "implausible"), text="is 0: every effect would be quarantined. Leave it out.")
    elif most is not None and most.relative is least.relative and most.value <= least.value:
        text = 'is not above "metric.min_effect": every effect that matters would be quarantined. Raise it.'
        yield Problem(path=("metric", "implausible"), text=text)


def _scorer(spec: Spec) -> Iterator[Problem]:
    if spec.metric.source is Source.SCORE and spec.score is None:
        text = (
            'is "score" (the default), which needs a scorer: add [score] with a command, '
            'or write source = "stdout" to trust what the run prints.'
        )
        yield Problem(path=("metric", "source"), text=text)
    if spec.metric.source is Source.STDOUT and spec.score is not None:
        text = 'nothing would run this scorer: metric.source is "stdout". Remove this table, or write source = "score".'
        yield Problem(path=("score",), text=text)
    if spec.score is not None and "predict_budget" in spec.score.model_fields_set and spec.score.predict is None:
        yield Problem(path=("score", "predict_budget"), text='nothing obeys it without "score.predict". Remove it.')


def _guards(spec: Spec) -> Iterator[Problem]:
    seen = {spec.metric.name}
    for index, guard in enumerate(spec.guard):
        if guard.metric in seen:
            text = f"{guard.metric!r} is the study's metric or has a guard already. One guard for each other metric."
            yield Problem(path=("guard", index, "metric"), text=text)
        seen.add(guard.metric)
        if guard.max_increase is None and guard.max_decrease is None:
            text = "guards nothing. Add max_increase or max_decrease."
            yield Problem(path=("guard", index), text=text)


_ONLY_FOR = {"constants": "tune", "command": "command", "budget": "command", "network": "command", "script": "scripted"}


def choice(given: object, among: Sequence[str]) -> str:
    """What to say of a word that is none of those allowed."""
    near = difflib.get_close_matches(str(given), among, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]!r}?" if near else f"It is one of: {', '.join(among)}."
    return f"{given!r} is not known. {hint}"


def _researcher(spec: Spec) -> Iterator[Problem]:
    section = spec.researcher
    if not known("researcher", section.kind):
        yield Problem(path=("researcher", "kind"), text=choice(section.kind, names("researcher")))
        return
    for key, kind in _ONLY_FOR.items():
        if key in section.model_fields_set and section.kind != kind:
            text = f'is for kind = "{kind}"; here it is "{section.kind}" and nothing would obey it. Remove it.'
            yield Problem(path=("researcher", key), text=text)
    if section.kind == "command" and section.command is None:
        text = 'kind = "command" needs the program: write command = ["./propose.sh"].'
        yield Problem(path=("researcher", "command"), text=text)
    if section.kind == "scripted" and section.script is None:
        yield Problem(
            path=("researcher", "script"), text='kind = "scripted" needs the file with the edits: script = "…".'
        )
    if section.constants == ():
        yield Problem(path=("researcher", "constants"), text="is empty: nothing could be tuned. Leave it out for all.")


def _rungs(spec: Spec) -> Iterator[Problem]:
    if len(spec.rung) > 1:
        text = "more than one rung: promotion between rungs comes in a later release. Keep one [[rung]]."
        yield Problem(path=("rung", 1), text=text)
