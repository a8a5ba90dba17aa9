"""The page as a document: which sections it has, and in which order.

HTML and Markdown are written from what `page` returns, so they cannot say different things.
"""

from autoresearch.interfaces.report import account, results, story
from autoresearch.interfaces.report.data import ReportData
from autoresearch.interfaces.report.document import Document, Picture, Section, worded
from autoresearch.interfaces.report.words import count, moment


def page(data: ReportData) -> Document:
    """The report of a study."""
    sections = (
        _picture(data),
        results.confirmed(data),
        results.fallen(data),
        results.curves(data),
        results.kept(data),
        results.noisy(data),
        account.failures(data),
        results.near(data),
        account.cost(data),
        account.noise(data),
        account.apply(data),
        results.recent(data),
        account.provenance(data),
    )
    return Document(
        title=f"{data.study.name}: report",
        kicker=f"{data.study.name} · {moment(data.facts.ended or data.facts.written_at)}",
        labels=story.labels(data),
        headline=story.headline(data),
        details=story.details(data),
        tiles=story.tiles(data),
        sections=tuple(section for section in sections if section is not None),
        footer=worded("Every number here follows from the record: `autoresearch log --json`."),
    )


def _picture(data: ReportData) -> Section:
    counts, metric = data.counts, data.metric
    alt = (
        f"{metric.name} of {count(counts.trials, 'trial')} by number: {counts.kept:,} kept form a staircase, "
        f"{counts.confirmed:,} of them confirmed on fresh seeds"
    )
    return Section(id="progress", title="Progress", blocks=(Picture(alt=alt),))
