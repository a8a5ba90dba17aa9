"""The brief: all that a researcher is told, the same for every kind of researcher.

Its size is bounded whatever the number of trials, and no hidden or holdout number is ever in it.
"""

from dataclasses import dataclass

from autoresearch.domain.model import Metric, Move, Setting, Standing, TrialState

RECENT = 40
"""Trials shown one by one in the digest; a researcher that fits a model gets up to `FITTED` of them as data."""
FITTED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTrial:
    """One trial as later researchers see it. `effect` is a gain: positive is better."""

    number: int
    parent: int
    state: TrialState
    standing: Standing = Standing.NONE
    hypothesis: str = ""
    reason: str = ""
    effect: float | None = None
    value: float | None = None
    settings: tuple[Setting, ...] = ()
    researcher: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something a person said while the study ran."""

    id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the researcher is told for one trial."""

    study: str
    goal: str
    program: str
    metric: Metric
    editable: tuple[str, ...]
    trial: int
    ordinal: int
    """How many trials researchers were given up to this one, itself included."""
    parent: int
    move: Move
    seed: int
    """For the researcher's own randomness: the same record gives the same seed."""
    budget: str
    """One run's budget as people write it."""
    baseline: float | None = None
    """Mean of the metric of the base tree in this epoch."""
    incumbent: float | None = None
    """Mean of the metric over the incumbent's fresh runs."""
    noise: float | None = None
    """Standard deviation of one run, in the metric's unit."""
    lineage: tuple[PastTrial, ...] = ()
    """Kept trials that make up the incumbent, oldest first, at most `RECENT`."""
    history: tuple[PastTrial, ...] = ()
    """The latest trials, those still being measured included, oldest first, at most `FITTED`."""
    counts: tuple[tuple[str, int], ...] = ()
    """How many trials ended in which state."""
    hints: tuple[Hint, ...] = ()
    remaining: int | None = None
    """Trials left before the study stops."""


def render(brief: Brief) -> str:
    """The brief as Markdown, for researchers that read text. Bounded: the digest shows at most `RECENT` trials."""
    parts = [
        brief.program.strip() or f"# {brief.study}\n\n{brief.goal}",
        _task(brief),
        _numbers(brief),
        _section("What holds so far (the incumbent's lineage)", [_line(each, brief) for each in brief.lineage]),
        _section(
            "Tried lately, newest last", [_line(each, brief) for each in brief.history[-RECENT:] if each.number > 0]
        ),
        _section("Hints from a person: follow them", [f"- ({hint.id}) {hint.text}" for hint in brief.hints]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _task(brief: Brief) -> str:
    return (
        f"## Your task: trial {brief.trial}\n\n"
        f"Make one change ({brief.move}) to the working directory, which holds trial {brief.parent}'s code. "
        f"You may edit: {', '.join(brief.editable)}; anything else is vetoed. "
        f"It is then measured by `{brief.metric.name}` ({brief.metric.direction}) in runs of {brief.budget}. "
        "Say in one line what you changed and why it should help."
    )


def _numbers(brief: Brief) -> str:
    rows = [("base", brief.baseline), ("incumbent", brief.incumbent), ("noise of one run (s.d.)", brief.noise)]
    lines = [f"- {name}: {value:.6g}" for name, value in rows if value is not None]
    if brief.counts:
        lines.append("- trials: " + ", ".join(f"{count} {state}" for state, count in brief.counts))
    if brief.remaining is not None:
        lines.append(f"- trials left: {brief.remaining}")
    return _section(f"Where things stand ({brief.metric.name}, {brief.metric.direction})", lines)


def _section(title: str, lines: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(lines) if lines else ""


def _line(past: PastTrial, brief: Brief) -> str:
    words = [f"- #{past.number} {past.state}"]
    if past.standing:
        words.append(f"({past.standing})")
    if past.effect is not None:
        words.append(f"gain {past.effect:+.4g}")
    words.append(past.hypothesis[:200])
    if past.state in (TrialState.CRASHED, TrialState.VETOED, TrialState.ABANDONED):
        words.append(f"[{past.reason[:200]}]")
    return " ".join(words)
