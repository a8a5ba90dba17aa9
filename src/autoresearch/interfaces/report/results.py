"""What came of it: confirmed changes, those that fell, the raw curve beside fresh runs, kept trials and near misses.

Effects are gains: positive is better, in the metric's unit, whichever way the metric points.
"""

from collections.abc import Sequence
from math import isfinite
from statistics import mean

from autoresearch.domain.model import Standing
from autoresearch.domain.records import TrialRow
from autoresearch.interfaces.report.data import Claim, ReportData
from autoresearch.interfaces.report.document import (
    Bar,
    Block,
    Cell,
    Column,
    Paragraph,
    Prose,
    Section,
    Table,
    Tone,
    prose,
    worded,
)
from autoresearch.interfaces.report.words import Scale, count, p_value, scale_of, share

SHOWN_KEPT = 200
SHOWN_CLAIMS = 200
SHOWN_NOISY = 60

TONES = {
    Standing.CONFIRMED: Tone.GOOD,
    Standing.REFUTED: Tone.BAD,
    Standing.UNDECIDED: Tone.OPEN,
    Standing.UNCONFIRMED: Tone.NONE,
    Standing.HELD: Tone.NONE,
}


def confirmed(data: ReportData) -> Section:
    """The changes one may rely on."""
    claims = data.claimed(Standing.CONFIRMED)
    blocks: list[Block] = []
    if claims:
        blocks.append(
            Paragraph(
                text=prose(
                    "Each was switched off while the others stayed mostly on, over fresh seeds. The effect is what its "
                    f"removal costs, in {data.metric.name}; changes that work only together share theirs."
                )
            )
        )
        blocks.append(_claims_table(data, claims, standing=False))
    else:
        blocks.append(Paragraph(text=worded(_why_none(data))))
    return Section(id="confirmed", title="What held up", blocks=tuple(blocks))


def fallen(data: ReportData) -> Section | None:
    """Refuted and undecided changes; None when there are none."""
    claims = data.claimed(Standing.REFUTED, Standing.UNDECIDED)
    if not claims:
        return None
    told = "These were kept during the search and did not hold up. "
    if data.claimed(Standing.REFUTED):
        told += "Refuted changes were taken out again. "
    if data.claimed(Standing.UNDECIDED):
        told += "Undecided ones may help, but that is not shown: headline and `autoresearch apply` leave them out."
    table = _claims_table(data, claims, standing=True)
    return Section(id="fallen", title="What did not hold up", blocks=(Paragraph(text=worded(told.strip())), table))


def _why_none(data: ReportData) -> str:
    if not data.counts.kept:
        return "No change was kept, so there was nothing to confirm."
    if data.imported:
        return "This is an imported log: nothing was run here, so nothing is confirmed. Each keep rests on one run."
    if not data.rounds:
        return "No confirmation round has been run: `autoresearch confirm` measures the kept changes on fresh seeds."
    if any(not entry.outcomes for entry in data.rounds):
        return "A confirmation round is under way."
    return (
        "No kept change was confirmed on fresh seeds. That is a result, too: nothing that looked like a gain was shown "
        "to be more than luck."
    )


def _claims_table(data: ReportData, claims: Sequence[Claim], *, standing: bool) -> Table:
    scale = scale_of(data)
    reference = data.headline.base if data.headline else data.base.value if data.base else 0.0
    columns = [
        Column(title="change", words=True),
        *([Column(title="standing")] if standing else []),
        Column(title="trials", number=True),
        Column(title="gain", number=True),
        Column(title="95 % interval", number=True),
        Column(title="0 marked", bar=True),
        Column(title="of base", number=True),
        Column(title="p", number=True),
    ]
    rows = []
    for claim in claims[:SHOWN_CLAIMS]:
        verdict = (Cell(text=claim.standing.value, tone=TONES[claim.standing], quiet=claim.note),) if standing else ()
        rows.append(
            (
                _change(claim, noted=not standing),
                *verdict,
                ", ".join(map(str, claim.trials)),
                scale.gain(claim.effect),
                scale.interval(claim.low, claim.high),
                _bar(claim.low, claim.effect, claim.high),
                "–" if claim.effect is None else share(claim.effect, reference),
                p_value(claim.p),
            )
        )
    return Table(columns=tuple(columns), rows=tuple(rows), note=_more(len(claims), SHOWN_CLAIMS))


def _change(claim: Claim, *, noted: bool) -> Cell:
    spoken = "; ".join(dict.fromkeys(text for text in claim.hypotheses if text))
    quiet = " · ".join(part for part in (claim.summary if spoken else "", claim.note if noted else "") if part)
    return Cell(text=spoken or claim.summary or "no description", quiet=quiet)


def _bar(low: float | None, middle: float | None, high: float | None) -> Bar | None:
    if low is None or middle is None or high is None or not (isfinite(low) and isfinite(high) and isfinite(middle)):
        return None
    return Bar(low=low, middle=middle, high=high)


def curves(data: ReportData) -> Section | None:
    """The numbers by which trials were kept beside what fresh runs of the same trees say; None without keeps."""
    if not data.kept:
        return None
    blocks: list[Block] = [Paragraph(text=prose(_curve_words(data)))]
    if data.remeasured:
        blocks.append(_remeasured_table(data))
    return Section(id="curves", title="Reported and re-measured", blocks=tuple(blocks))


def _curve_words(data: ReportData) -> str:
    scale, name = scale_of(data), data.metric.name
    numbers = set(data.facts.incumbents)
    last = next(
        (row for row in reversed(data.kept) if row.value is not None and (not numbers or row.number in numbers)), None
    )
    said = "A kept trial's own number is flattered by its selection: among many, the lucky ones are kept. "
    if last is not None:
        said += f"The raw curve ends at {name} {scale.value(last.value)} (trial {last.number}). "
    if data.headline is not None:
        said += f"The confirmed curve ends at {scale.value(data.headline.confirmed)}, measured on fresh seeds. "
    if data.remeasured:
        inflation = mean(entry.inflation for entry in data.remeasured)
        word = "too good" if inflation >= 0 else "too bad"
        sigmas = f" ({abs(inflation) / data.facts.sigma:.1f} σ)" if data.facts.sigma else ""
        said += (
            f"Over {count(len(data.remeasured), 'kept trial')} with fresh runs, the reported number was "
            f"{scale.value(abs(inflation))}{sigmas} {word} on average "
            "(inflation: reported minus re-measured, as a gain)."
        )
    else:
        said += "No kept trial was measured again, so how much of the raw curve is luck cannot be said."
    return said


def _remeasured_table(data: ReportData) -> Table:
    scale = scale_of(data)
    hypotheses = {row.number: row.hypothesis for row in data.kept}
    columns = (
        Column(title="trial", number=True),
        Column(title="hypothesis", words=True),
        Column(title="reported", number=True),
        Column(title="re-measured", number=True),
        Column(title="runs", number=True),
        Column(title="inflation", number=True),
    )
    shown = data.remeasured[-SHOWN_KEPT:]
    rows = tuple(
        (
            str(entry.trial),
            hypotheses[entry.trial],
            scale.value(entry.reported),
            scale.value(entry.fresh.value),
            f"{entry.fresh.runs:,}",
            scale.gain(entry.inflation),
        )
        for entry in shown
    )
    return Table(columns=columns, rows=rows, note=_more(len(data.remeasured), SHOWN_KEPT, "the last "))


def kept(data: ReportData) -> Section | None:
    """The steps of the staircase; None without keeps."""
    if not data.kept:
        return None
    scale = scale_of(data)
    columns = (
        Column(title="trial", number=True),
        Column(title="hypothesis", words=True),
        Column(title="standing"),
        Column(title=data.metric.name, number=True),
        Column(title="gain when kept", number=True),
        Column(title="95 % interval", number=True),
        Column(title="researcher"),
    )
    rows = tuple(
        (
            str(row.number),
            row.hypothesis,
            Cell(text=_standing(row), tone=TONES.get(row.standing, Tone.NONE)),
            scale.value(row.value),
            scale.gain(row.effect),
            _interval(scale, row),
            row.researcher,
        )
        for row in data.kept[-SHOWN_KEPT:]
    )
    note = _more(len(data.kept), SHOWN_KEPT, "the last ")
    return Section(id="kept", title="Kept trials", blocks=(Table(columns=columns, rows=rows, note=note),))


def _standing(row: TrialRow) -> str:
    return "removal" if row.standing is Standing.HELD else row.standing.value or "kept"


def noisy(data: ReportData) -> Section | None:
    """Keeps that noise alone explains; None when the noise is unknown or zero, or nothing was kept."""
    sigma, measured = (
        data.facts.sigma,
        [row for row in data.kept if row.effect is not None and row.standing is not Standing.HELD],
    )
    if not sigma or not measured:
        return None
    scale = scale_of(data)
    within, nearly = [keep for keep in data.noisy if keep.within], [keep for keep in data.noisy if not keep.within]
    spread = scale.value(sigma * 2**0.5)
    told = (
        f"{len(within):,} of {count(len(measured), 'keep')} {_lie(len(within))} within the noise: two runs of the same "
        f"code differ by {spread} (one standard deviation, σ√2) when nothing but the seed changes."
    )
    if nearly:
        told += f" {len(nearly):,} more gained less than twice that."
    blocks: list[Block] = [Paragraph(text=prose(told))]
    if data.noisy:
        columns = (
            Column(title="trial", number=True),
            Column(title="hypothesis", words=True),
            Column(title="gain when kept", number=True),
            Column(title="in σ√2", number=True),
            Column(title="reading"),
        )
        rows = tuple(
            (
                str(keep.trial),
                keep.hypothesis,
                scale.gain(keep.effect),
                f"{keep.effect / (sigma * 2**0.5):.2f}",
                Cell(text="within the noise", tone=Tone.BAD) if keep.within else Cell(text="doubtful", tone=Tone.OPEN),
            )
            for keep in data.noisy[:SHOWN_NOISY]
        )
        blocks.append(Table(columns=columns, rows=rows, note=_more(len(data.noisy), SHOWN_NOISY)))
    return Section(id="noisy", title="Which keeps lie within the noise", blocks=tuple(blocks))


def _lie(number: int) -> str:
    return "lies" if number == 1 else "lie"


def near(data: ReportData) -> Section | None:
    """Discarded trials that came closest; None without any."""
    if not data.near:
        return None
    scale = scale_of(data)
    columns = (
        Column(title="trial", number=True),
        Column(title="hypothesis", words=True),
        Column(title="gain", number=True),
        Column(title="95 % interval", number=True),
        Column(title="why not kept", words=True),
    )
    rows = tuple(
        (str(row.number), row.hypothesis, scale.gain(row.effect), _interval(scale, row), row.reason)
        for row in data.near
    )
    said = "These read better than the incumbent, but not surely or not by enough. Some may be worth another look."
    return Section(
        id="near", title="Near misses", blocks=(Paragraph(text=prose(said)), Table(columns=columns, rows=rows))
    )


def recent(data: ReportData) -> Section | None:
    """The last trials, whatever became of them; None for an empty study."""
    if not data.recent:
        return None
    scale = scale_of(data)
    columns = (
        Column(title="trial", number=True),
        Column(title="hypothesis", words=True),
        Column(title="state"),
        Column(title=data.metric.name, number=True),
        Column(title="gain", number=True),
        Column(title="reason", words=True),
    )
    rows = tuple(
        (str(row.number), row.hypothesis, row.state.value, scale.value(row.value), scale.gain(row.effect), row.reason)
        for row in data.recent
    )
    shown, total = len(data.recent), data.counts.trials
    note = f"The last {shown:,} of {total:,} trials; all are in `autoresearch log --json`." if shown < total else ""
    return Section(id="trials", title="Trials", blocks=(Table(columns=columns, rows=rows, note=worded(note)),))


def _interval(scale: Scale, row: TrialRow) -> str:
    """The verdict's interval; one of no width is no interval but a bare difference."""
    if row.low == row.high:
        return "–"
    return scale.interval(row.low, row.high)


def _more(total: int, shown: int, which: str = "") -> Prose:
    return worded(
        f"Shown: {which}{shown:,} of {total:,}; all are in `autoresearch log --json`." if total > shown else ""
    )
