"""The account: what failed and why, what it cost, how noisy the metric is, how to apply the result, its provenance.

Whatever is not known is left out or called unknown; nothing is estimated.
"""

import hashlib
import shlex
from collections.abc import Iterable

from autoresearch.domain.events import Purpose
from autoresearch.domain.model import Bound, Clock, Standing
from autoresearch.interfaces.report.data import ReportData
from autoresearch.interfaces.report.document import (
    Block,
    Cell,
    CodeBlock,
    Column,
    Facsimile,
    Listing,
    Paragraph,
    Prose,
    Section,
    Table,
    code,
    prose,
    strong,
)
from autoresearch.interfaces.report.words import count, duration, memory, moment, money, scale_of, share

SHOWN_FAILURES = 40
SPEC_LENGTH = 20_000

PURPOSES = {
    Purpose.CALIBRATE: "base against itself: how large is the noise",
    Purpose.SCREEN: "first look at a new tree",
    Purpose.RACE: "trial and incumbent on fresh seeds",
    Purpose.CONFIRM: "confirmation: kept changes toggled together on fresh seeds",
    Purpose.HEADLINE: "base against the confirmed changes on fresh seeds",
}
FRESH = (Purpose.CONFIRM, Purpose.HEADLINE)
RULES = {
    "race": "race: a new tree is screened on one run, then raced against the incumbent on fresh seeds",
    "strict": "strict: a new tree that passes a screen gets a fixed number of fresh runs and must stand clear",
    "greedy": "greedy: whatever reads better than the incumbent's own reading is kept, luck included",
}


def failures(data: ReportData) -> Section | None:
    """Trials that never got a number, by reason; None when there are none."""
    if not data.failures:
        return None
    columns = (
        Column(title="how"),
        Column(title="reason", words=True),
        Column(title="count", number=True),
        Column(title="first trial", number=True),
        Column(title="example", words=True),
    )
    rows = tuple(
        (
            failure.kind,
            failure.reason,
            f"{failure.count:,}",
            "–" if failure.first is None else str(failure.first),
            Cell(text=failure.example or "–", quiet=failure.hypothesis),
        )
        for failure in data.failures[:SHOWN_FAILURES]
    )
    hidden = len(data.failures) - SHOWN_FAILURES
    note = f"{hidden:,} rarer reasons are not shown." if hidden > 0 else ""
    broken = [f"{number:,} {status.value}" for status, number in data.runs.statuses.items() if not status.ok]
    text = "A crash is a state, never a worst-possible number. Numbers in reasons are left out so that like joins like."
    if broken:
        text += f" Of {count(data.runs.count, 'run')}: {', '.join(sorted(broken))}."
    table = Table(columns=columns, rows=rows, note=prose(note))
    return Section(id="failures", title="What failed, and why", blocks=(Paragraph(text=prose(text)), table))


def cost(data: ReportData) -> Section:
    """Machine time, tokens and money; in all, per trial, per confirmed improvement."""
    trials, good = data.counts.trials, data.counts.confirmed
    lines: list[tuple[str, float, str]] = []
    timed = ("CPU time of runs", data.runs.cpu), ("wall time of runs", data.runs.wall)
    lines += [(name, seconds, "time") for name, seconds in timed if seconds]
    if data.facts.elapsed:
        lines.append(("time worked", data.facts.elapsed, "time"))
    spent = data.cost
    tokens = (
        ("tokens in", spent.tokens_in),
        ("tokens from cache", spent.tokens_cached),
        ("tokens out", spent.tokens_out),
    )
    lines += [("researcher's time", spent.seconds, "time")] if spent.seconds else []
    lines += [(name, float(number), "number") for name, number in tokens if number]
    lines += [("money", spent.usd, "money")] if spent.usd else []
    if not lines:
        return Section(id="cost", title="What it cost", blocks=(Paragraph(text=prose("No cost is recorded.")),))
    columns = (
        Column(title=""),
        Column(title="in all", number=True),
        Column(title="per trial", number=True),
        Column(title="per confirmed change", number=True),
    )
    rows = tuple(
        (name, _amount(total, kind), _per(total, trials, kind), _per(total, good, kind)) for name, total, kind in lines
    )
    note = f"Highest memory of one run: {memory(data.runs.memory)}." if data.runs.memory else ""
    if data.runs.count and data.facts.workers > 1:
        note = f"{count(data.facts.workers, 'worker')}. {note}".strip()
    return Section(id="cost", title="What it cost", blocks=(Table(columns=columns, rows=rows, note=prose(note)),))


def _amount(total: float, kind: str) -> str:
    if kind == "number":
        return f"{total:,.0f}"
    return duration(total) if kind == "time" else money(total)


def _per(total: float, number: int, kind: str) -> str:
    return _amount(total / number, kind) if number else "–"


def noise(data: ReportData) -> Section:
    """How noisy the metric is and how false claims are kept out."""
    items: list[Prose] = [prose(strong("Noise. "), _noise_words(data))]
    items.append(prose(strong("Keeping. "), _rule_words(data)))
    items.append(prose(strong("Claiming. "), data.facts.confirmation or _claim_words()))
    fresh = sum(data.runs.purposes.get(purpose, 0) for purpose in FRESH)
    if data.runs.count:
        items.append(
            prose(
                strong("Looking again. "),
                f"{fresh:,} of {count(data.runs.count, 'run')} served confirmation, not search.",
            )
        )
    blocks: list[Block] = [Listing(items=tuple(items))]
    if data.runs.purposes:
        rows = tuple(
            (purpose.value, words, f"{number:,}")
            for purpose, words in PURPOSES.items()
            if (number := data.runs.purposes.get(purpose, 0))
        )
        columns = (Column(title="runs for"), Column(title="what that is"), Column(title="runs", number=True))
        blocks.append(Table(columns=columns, rows=rows))
    if data.rounds:
        blocks.append(Listing(items=tuple(_rounds(data))))
    return Section(id="noise", title="Noise and statistics", blocks=tuple(blocks))


def _noise_words(data: ReportData) -> str:
    sigma, scale = data.facts.sigma, scale_of(data)
    if sigma is None:
        return "Unknown: the same tree was never run twice, so a gain cannot be told from luck."
    if sigma == 0.0:
        return "None: the metric is deterministic, one run says all."
    level = "" if data.base is None else f", {share(sigma, data.base.value)} of the base"
    known = f", known from {data.facts.dof:.0f} degrees of freedom" if data.facts.dof else ""
    return f"The same code with another seed: standard deviation σ = {scale.value(sigma)}{level}{known}."


def _rule_words(data: ReportData) -> str:
    said = RULES.get(data.study.acceptance, f"by the rule {data.study.acceptance}")
    bound = data.metric.min_effect
    if bound.value:
        said += f". Gains below {_bound(bound)} do not count"
    return f"By {said}. A keep steers the search and claims nothing."


def _bound(bound: Bound) -> str:
    return f"{100 * bound.value:.3g} %" if bound.relative else f"{bound.value:.4g}"


def _claim_words() -> str:
    return (
        "A change is called confirmed only when its removal measurably hurts on fresh seeds, drawn after the tree was "
        "frozen, with the bar raised for the number of changes tested."
    )


def _rounds(data: ReportData) -> Iterable[Prose]:
    for entry in data.rounds:
        said = (
            f"{count(len(entry.atoms), 'change')} in {count(entry.cells, 'combination')} after trial {entry.at_trial}"
        )
        tally = [
            f"{number} {standing.value}"
            for standing in (Standing.CONFIRMED, Standing.REFUTED, Standing.UNDECIDED)
            if (number := sum(outcome.standing is standing for outcome in entry.outcomes))
        ]
        ending = ", ".join(tally) if entry.outcomes else "not judged yet"
        if entry.level:
            ending += f", at error level {entry.level:.2g}"
        if entry.failed:
            ending += f". Nothing of it is claimed: {entry.failed}"
        yield prose(
            strong(f"Round {entry.number}. "), f"{said} ({entry.reason or 'at the end'}): {ending.rstrip('.')}."
        )


def apply(data: ReportData) -> Section:
    """What to type to have the result."""
    if not data.counts.confirmed:
        said = "There is nothing to apply: apply takes confirmed changes only."
        return Section(id="apply", title="How to apply it", blocks=(Paragraph(text=prose(said)),))
    branch, base = shlex.quote(data.facts.branch), shlex.quote(data.study.base_commit)
    steps = prose(
        "Your checkout was not touched. ",
        code("autoresearch apply"),
        " makes the branch ",
        code(data.facts.branch),
        " with one commit for each confirmed change, on top of the base.",
    )
    lines = (
        "autoresearch apply",
        f"git log --stat {base}..{branch}   # read it",
        f"git merge {branch}   # take it all, or cherry-pick commits",
    )
    return Section(
        id="apply", title="How to apply it", blocks=(Paragraph(text=steps), CodeBlock(text="\n".join(lines)))
    )


def provenance(data: ReportData) -> Section:
    """From what and under which protection the numbers came."""
    facts = data.facts
    columns = (Column(title=""), Column(title=""))
    blocks: list[Block] = [Table(columns=columns, rows=tuple(_origin(data)))]
    if facts.protects:
        held = [prose(f"{'protects' if kept else 'does not protect'}: {sentence}") for sentence, kept in facts.protects]
        blocks += [Paragraph(text=prose(f"The sandbox {facts.sandbox} on this machine:")), Listing(items=tuple(held))]
    if data.changed_conditions:
        changed = (f"After trial {epoch.at_trial}: {epoch.reason}" for epoch in data.changed_conditions)
        blocks.append(Paragraph(text=prose("Conditions changed; measurements before and after do not compare.")))
        blocks.append(Listing(items=tuple(prose(line) for line in changed)))
    if facts.spec:
        blocks.append(Facsimile(title="The spec", text=facts.spec))
    return Section(id="provenance", title="Where this comes from", blocks=tuple(blocks))


def _origin(data: ReportData) -> Iterable[tuple[str, str | Cell]]:
    facts, study = data.facts, data.study
    yield "goal", study.goal
    yield "base commit", study.base_commit
    if study.base_tree:
        yield "base tree", study.base_tree
    yield "metric", _metric_words(data)
    if data.imported:
        yield "runs", "none of ours: an imported log, taken at its word"
    else:
        clock = "CPU time" if study.rung.budget.clock is Clock.CPU else "wall clock"
        yield "budget of a run", f"{duration(study.rung.budget.seconds)} of {clock}"
        yield "researcher, policy", f"{study.researcher}, {study.policy}"
        yield "seeds", "all derived from the study's seed, which stays in the record: researchers could read it here"
    yield "epoch", str(facts.epoch)
    if facts.spec:
        yield "spec", f"sha256 {hashlib.sha256(facts.spec.encode()).hexdigest()}"
    if facts.sandbox:
        yield "sandbox", facts.sandbox
    if facts.hardware:
        yield "hardware", facts.hardware
    if facts.started is not None:
        yield "started", moment(facts.started)
    if facts.ended is not None:
        yield "ended", moment(facts.ended)
    checked = {
        None: "not checked now (autoresearch doctor does)",
        True: "hash chains verified",
        False: "does not verify",
    }
    yield "record", checked[facts.record_verified]
    yield "written by", f"autoresearch {facts.version}, {moment(facts.written_at)}"


def _metric_words(data: ReportData) -> str:
    metric = data.metric
    origin = "self-reported: read from the run's output" if data.self_reported else "sealed: computed by the scorer"
    return f"{metric.name}, {metric.direction.value}, {origin}"
