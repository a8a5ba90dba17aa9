"""The first screen: what was tried, what held up and how sure that is, in a few sentences and four numbers.

Nothing is called an improvement here unless fresh runs said so; where they did not, the first sentence says that.
"""

from autoresearch.domain.events import HeadlineJudged
from autoresearch.domain.model import Standing
from autoresearch.interfaces.report.data import ReportData
from autoresearch.interfaces.report.document import Cell, Prose, Tile, Tone, prose, strong
from autoresearch.interfaces.report.words import MINUS, count, duration, scale_of, share


def labels(data: ReportData) -> tuple[Cell, ...]:
    """Warnings that must not be overlooked."""
    found = []
    if data.facts.running:
        found.append(Cell(text="still running", tone=Tone.OPEN))
    if data.self_reported:
        found.append(Cell(text="self-reported metric: printed by the code under trial", tone=Tone.WARN))
    if data.facts.sandbox and not data.facts.safe:
        found.append(Cell(text="unsafe: no sandbox", tone=Tone.BAD))
    if data.facts.record_verified is False:
        found.append(Cell(text="the record does not verify: somebody changed it", tone=Tone.BAD))
    return tuple(found)


def headline(data: ReportData) -> Prose:
    """The sentence to read if one reads only one."""
    counts, line = data.counts, data.headline
    if counts.trials == 0:
        return prose("Nothing has been tried yet.")
    if line is not None and line.low > 0.0:
        return _gained(data, line)
    if line is not None and counts.confirmed:
        return prose(
            f"{_changes(counts.confirmed)} confirmed one by one, but together they show no sure gain: "
            f"{_levels(data, line)} (95 % interval of the gain: {_shares(line)})."
        )
    if counts.kept == 0:
        return prose(
            strong("Nothing held up: "), f"{count(counts.trials, 'trial')}, and none was better than the base."
        )
    if counts.confirmed:
        verb = "was" if counts.confirmed == 1 else "were"
        kept = count(counts.kept, "kept change")
        return prose(
            strong(f"{counts.confirmed:,} of {kept} {verb} confirmed."), " Their common gain is not measured yet."
        )
    if data.rounds and all(entry.outcomes for entry in data.rounds):
        return prose(
            strong("Nothing held up: "),
            f"{_changes(counts.kept)} kept along the way, and none was confirmed on fresh seeds. The base stands.",
        )
    within = sum(keep.within for keep in data.noisy)
    doubt = (
        f"{within:,} of them {'lies' if within == 1 else 'lie'} within the noise." if within else "no gain is claimed."
    )
    return prose(strong(f"{_changes(counts.kept)} kept and none is confirmed: "), doubt)


def details(data: ReportData) -> Prose:
    """What it took, and what became of the trials."""
    if data.counts.trials == 0:
        return prose(f"Goal: {data.study.goal}")
    took = count(data.counts.trials, "trial")
    if data.imported:
        took += " of an imported log"
    elif data.runs.count:
        took += f", {count(data.runs.count, 'run')}"
    if data.facts.elapsed:
        took += f", {duration(data.facts.elapsed)}"
    parts = [f"{took}: {data.counts.kept:,} kept"]
    told = (Standing.CONFIRMED, Standing.REFUTED, Standing.UNDECIDED, Standing.UNCONFIRMED)
    standings = [
        f"{number:,} {standing.value}" for standing in told if (number := data.counts.standings.get(standing, 0))
    ]
    if standings:
        parts.append(f" ({', '.join(standings)})")
    parts.append(". ")
    parts.append(_holdout(data))
    parts.append(_caution(data))
    if data.facts.stop_reason and not data.facts.running:
        parts.append(f"Ended: {data.facts.stop_reason.rstrip('.')}.")
    return prose("".join(parts).strip())


def tiles(data: ReportData) -> tuple[Tile, ...]:
    """The numbers that one looks for first."""
    scale, line, counts = scale_of(data), data.headline, data.counts
    shown = [
        Tile(label="trials", value=f"{counts.trials:,}", note=_runs_note(data)),
        Tile(label="kept", value=f"{counts.kept:,}", note=_of(counts.kept, counts.trials)),
        Tile(
            label="confirmed",
            value=f"{counts.confirmed:,}",
            note="on fresh seeds" if counts.confirmed else "",
            tone=Tone.GOOD if counts.confirmed else Tone.NONE,
        ),
    ]
    if line is not None:
        sure, gain = line.low > 0, f"gain {scale.gain(line.effect)} ({scale.interval(line.low, line.high)})"
        shown.append(
            Tile(
                label=f"{data.metric.name}, base → confirmed",
                value=f"{scale.value(line.base)} → {scale.value(line.confirmed)}",
                note=f"{gain}, {count(line.runs, 'run')}",
                tone=Tone.GOOD if sure else Tone.OPEN,
            )
        )
    elif data.base is not None:
        note = count(data.base.runs, "run", "runs, mean")
        shown.append(Tile(label=f"{data.metric.name}, base", value=scale.value(data.base.value), note=note))
    return tuple(shown)


def _gained(data: ReportData, line: HeadlineJudged) -> Prose:
    metric = data.metric.name + (" (self-reported)" if data.self_reported else "")
    verb = "was" if data.counts.confirmed == 1 else "were"
    return prose(
        f"{metric} improved by ",
        strong(share(line.effect, line.base)),
        f" on fresh seeds, {_levels(data, line)} (95 % interval of the gain: {_shares(line)}). "
        f"{data.counts.confirmed:,} of {count(data.counts.kept, 'kept change')} {verb} confirmed.",
    )


def _levels(data: ReportData, line: HeadlineJudged) -> str:
    scale = scale_of(data)
    return f"from {scale.value(line.base)} to {scale.value(line.confirmed)}"


def _shares(line: HeadlineJudged) -> str:
    """The interval of the gain as shares of the base."""
    return f"{share(line.low, line.base)} to {share(line.high, line.base)}"


def _holdout(data: ReportData) -> str:
    line, scale = data.headline, scale_of(data)
    if line is None or line.holdout_effect is None:
        return ""
    error = "" if line.holdout_se is None else f" ± {scale.value(line.holdout_se)} (standard error)"
    word = "gain" if line.holdout_effect >= 0 else "loss"
    return f"On the holdout, which no decision looked at: a {word} of {scale.value(abs(line.holdout_effect))}{error}. "


def _caution(data: ReportData) -> str:
    """What a careful reader would ask about the number itself."""
    found = ""
    if data.self_reported:
        found += "The metric is self-reported: the code under trial printed it, so it is only as honest as that code. "
    if data.facts.sandbox and not data.facts.safe:
        found += f"The sandbox ({data.facts.sandbox}) could not keep that code from reaching beyond its task. "
    if data.changed_conditions:
        found += "Conditions changed during the study; values before and after do not compare. "
    return found


def _changes(number: int) -> str:
    return f"{count(number, 'change')} {'was' if number == 1 else 'were'}"


def _runs_note(data: ReportData) -> str:
    return "imported" if data.imported else count(data.runs.count, "run")


def _of(part: int, whole: int) -> str:
    return f"{share(part, whole)} of trials".replace("-", MINUS) if whole else ""
