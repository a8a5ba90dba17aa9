"""The questions of `init`: five of them, each with a suggestion found by looking; flags answer in advance.

Nothing is asked where the directory follows a contract that is known, or nobody is there to answer.
"""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from rich.prompt import Prompt

from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import Direction, Source
from autoresearch.interfaces.cli.init_detect import Detection, detect, direction_in
from autoresearch.interfaces.cli.output import say
from autoresearch.spec import Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What flags say; None and empty: not given."""

    goal: str | None = None
    command: str | None = None
    metric: str | None = None
    direction: str | None = None
    editable: tuple[str, ...] = ()
    budget: str | None = None
    inputs: tuple[str, ...] = ()
    score: str | None = None


def answers_for(directory: Path, given: Given, *, ask: bool) -> Answers:
    """The answers: from flags, else asked for with what was found as suggestion, else what was found.

    Raises `UsageError` that names the flag for what nobody said.
    """
    found = detect(directory)
    for note in found.notes:
        say(f"note: {note}")
    if found.answers is not None:
        say(f"this looks like {found.kind}: no question needed")
        return _hiding(directory, _overridden(found.answers, given))
    return _hiding(directory, _asked(found, given, ask=ask))


def _hiding(directory: Path, answers: Answers) -> Answers:
    """The scorer's own files are nobody else's business."""
    own = tuple(word for word in answers.scorer if (directory / word).is_file() and not word.startswith("/"))
    return replace(answers, hidden=tuple(dict.fromkeys((*answers.hidden, *own))))


def _asked(found: Detection, given: Given, *, ask: bool) -> Answers:
    goal = given.goal if given.goal is not None else _question("What is the goal, in one line?", "", ask)
    command = given.command or _question(
        "Which command makes one run?", shlex.join(found.commands[0]) if found.commands else "", ask
    )
    metric = given.metric or _question(
        "Which metric decides (its name as printed or scored)?", next(iter(found.metrics), ""), ask
    )
    direction = given.direction or _question(
        "Better is (minimize/maximize)?", direction_in(goal, metric).value if metric else "", ask
    )
    editable = given.editable or tuple(
        _question("Which files may change (globs, separated by blanks)?", " ".join(found.editable[:1]), ask).split()
    )
    budget = given.budget or _question("How long may one run take?", "60s", ask)
    for flag, value in (("--command", command), ("--metric", metric), ("--editable", editable)):
        if not value:
            raise UsageError(f"`init` needs {flag}: nothing was found to suggest, and nobody was asked")
    return Answers(
        name=found.name,
        goal=goal,
        command=_words(command, "--command"),
        metric=metric,
        direction=_direction(direction),
        editable=editable,
        budget=budget,
        inputs=given.inputs or found.inputs,
        source=Source.SCORE if given.score else Source.STDOUT,
        scorer=_words(given.score, "--score") if given.score else (),
    )


def _question(question: str, suggestion: str, ask: bool) -> str:
    if not ask:
        return suggestion
    return Prompt.ask(question, default=suggestion or None, show_default=bool(suggestion)) or ""


def _direction(text: str) -> Direction:
    if text not in list(Direction):
        raise UsageError(f"--direction is minimize or maximize, not {text!r}")
    return Direction(text)


def _words(text: str, flag: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{flag} {text!r}: {error}") from error


def _overridden(answers: Answers, given: Given) -> Answers:
    """What was found, less what flags say otherwise."""
    changes: dict[str, object] = {
        "goal": given.goal,
        "command": _words(given.command, "--command") if given.command else None,
        "metric": given.metric,
        "direction": _direction(given.direction) if given.direction else None,
        "editable": given.editable or None,
        "budget": given.budget,
        "inputs": given.inputs or None,
        "scorer": _words(given.score, "--score") if given.score else None,
        "source": Source.SCORE if given.score else None,
    }
    return replace(answers, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
