"""Writing a spec: the answers of `init` as a commented TOML file.

What is written here reads back through `parse_spec` to the same values; defaults are shown as comments, not as keys.
"""

import json
from dataclasses import dataclass

from autoresearch.domain.model import Direction, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What `init` has found out or asked for. Durations and sizes are as people write them."""

    name: str
    command: tuple[str, ...]
    metric: str
    direction: Direction
    editable: tuple[str, ...]
    budget: str
    goal: str = ""
    program: str = "program.md"
    source: Source = Source.STDOUT
    scorer: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    memory: str = "4GiB"
    threads: int | None = None
    researcher: str = "tune"
    researcher_command: tuple[str, ...] = ()
    trials: int = 100
    notes: tuple[str, ...] = ()
    """Remarks for the top of the file."""


def render_toml(answers: Answers) -> str:
    """The text of an `autoresearch.toml` with these answers."""
    blocks = (_top, _study, _workspace, _run, _metric, _score, _choices)
    return "\n".join("\n".join(block(answers)) + "\n" for block in blocks if block(answers))


def text(value: str) -> str:
    """A TOML basic string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def array(values: tuple[str, ...]) -> str:
    """A TOML array of strings."""
    return "[" + ", ".join(map(text, values)) + "]"


def _top(answers: Answers) -> list[str]:
    notes = ["# " + "".join(sign for sign in " ".join(note.split()) if sign.isprintable()) for note in answers.notes]
    return ["# The spec of a study. Every key is explained in autoresearch's docs/reference/spec.md.", *notes]


def _study(answers: Answers) -> list[str]:
    goal = [f"goal = {text(answers.goal)}"] if answers.goal else []
    return ["[study]", f"name = {text(answers.name)}", *goal, *_program(answers)]


def _program(answers: Answers) -> list[str]:
    if answers.program == "program.md":
        return ["# program.md beside this file, if there is one, tells researchers direction, constraints and ideas."]
    return [f"program = {text(answers.program)}"]


def _workspace(answers: Answers) -> list[str]:
    return [
        "[workspace]",
        f"editable = {array(answers.editable)}  # globs; a proposal that touches anything else is vetoed",
        f"hidden = {array(answers.hidden)}  # globs of what only the scorer may see",
    ]


def _run(answers: Answers) -> list[str]:
    env = ", ".join(f"{text(name)} = {text(value)}" for name, value in answers.env)
    threads = [] if answers.threads is None else [f"threads = {answers.threads}"]
    return [
        "[run]",
        f"command = {array(answers.command)}",
        f'budget = {text(answers.budget)}  # enforced from outside; "20s cpu" would count CPU time',
        f"memory = {text(answers.memory)}",
        *threads,
        "network = false",
        f"inputs = {array(answers.inputs)}  # outside or git-ignored files that a run needs, shown read-only",
        *([f"env = {{ {env} }}"] if env else []),
    ]


def _metric(answers: Answers) -> list[str]:
    told = {
        Source.STDOUT: "read from the run's own output, so labelled self-reported everywhere",
        Source.SCORE: "computed by the scorer below, out of the trial's reach",
    }
    return [
        "[metric]",
        f"name = {text(answers.metric)}",
        f"direction = {text(answers.direction)}",
        f"source = {text(answers.source)}  # {told[answers.source]}",
        '# min_effect = "0.5%"   # least change that matters',
    ]


def _score(answers: Answers) -> list[str]:
    return ["[score]", f"command = {array(answers.scorer)}"] if answers.source is Source.SCORE else []


def _choices(answers: Answers) -> list[str]:
    command = [f"command = {array(answers.researcher_command)}"] if answers.researcher_command else []
    return [
        "[researcher]",
        f"kind = {text(answers.researcher)}  # tune | mutate | command | scripted",
        *command,
        "",
        "[stop]",
        f"trials = {answers.trials}",
    ]
