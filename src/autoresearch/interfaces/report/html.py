"""The page as one HTML file: style and picture inside, no script, nothing loaded from anywhere.

Every text goes through `_text`, which makes it visible and escapes it; there is no other way into the page.
"""

from collections.abc import Iterator
from html import escape

from autoresearch.domain.text import plain, plain_lines
from autoresearch.interfaces.report.document import (
    Bar,
    Block,
    Cell,
    CodeBlock,
    Column,
    Document,
    Facsimile,
    Kind,
    Listing,
    Paragraph,
    Picture,
    Prose,
    Section,
    Table,
    Tile,
)
from autoresearch.interfaces.report.style import POLICY, STYLE

LONGEST = 600
"""Characters of one stretch of text."""
BAR_WIDTH, BAR_HEIGHT = 120.0, 16.0


def render(document: Document, drawing: str) -> str:
    """The whole file; `drawing` is an SVG of ours that stands where the document has its picture."""
    return "\n".join(_page(document, drawing)) + "\n"


def _page(document: Document, drawing: str) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">'
    yield f"<title>{_text(document.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>"
    yield f'<p class="kicker">{_text(document.kicker)}</p>'
    yield f"<h1>{_prose(document.headline)}</h1>"
    if document.labels:
        yield '<ul class="labels">' + "".join(f"<li>{_badge(label)}</li>" for label in document.labels) + "</ul>"
    yield f'<p class="lead">{_prose(document.details)}</p>'
    yield '<dl class="tiles">' + "".join(map(_tile, document.tiles)) + "</dl>\n</header>\n<main>"
    for section in document.sections:
        yield from _section(section, drawing)
    yield f"</main>\n<footer><p>{_prose(document.footer)}</p></footer>\n</body>\n</html>"


def _section(section: Section, drawing: str) -> Iterator[str]:
    yield f'<section id="{_text(section.id)}">\n<h2>{_text(section.title)}</h2>'
    for block in section.blocks:
        yield from _block(block, drawing)
    yield "</section>"


def _block(block: Block, drawing: str) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f"<p>{_prose(block.text)}</p>"
        case Listing():
            yield "<ul>" + "".join(f"<li>{_prose(item)}</li>" for item in block.items) + "</ul>"
        case CodeBlock():
            yield f"<pre><code>{escape(plain_lines(block.text))}</code></pre>"
        case Facsimile():
            yield f"<details><summary>{_text(block.title)}</summary>"
            yield f"<pre><code>{escape(plain_lines(block.text))}</code></pre></details>"
        case Picture():
            yield f'<figure role="img" aria-label="{_text(block.alt)}">\n{drawing}\n</figure>'
        case Table():
            yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    titled = any(column.title for column in table.columns)
    yield f'<div class="wide"><table{"" if titled else " class=pairs"}>'
    if titled:
        yield "<thead><tr>" + "".join(map(_head, table.columns)) + "</tr></thead>"
    reach = _reach(table)
    yield "<tbody>"
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        yield "<tr>" + "".join(_cell(column, cell, reach) for column, cell in cells) + "</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f'<p class="note">{_prose(table.note)}</p>'


def _head(column: Column) -> str:
    return f'<th scope="col"{_kind(column)}>{_text(column.title)}</th>'


def _kind(column: Column) -> str:
    if column.bar or column.number:
        return ' class="bar"' if column.bar else ' class="number"'
    return ' class="words"' if column.words else ""


def _cell(column: Column, cell: str | Cell | Bar | None, reach: tuple[float, float]) -> str:
    match cell:
        case Bar():
            inside = _bar(cell, reach)
        case Cell():
            inside = _badge(cell) if cell.tone else _text(cell.text)
            inside += f'<small dir="auto">{_text(cell.quiet)}</small>' if cell.quiet else ""
        case _:
            inside = _text(cell or "")
    return f"<td{_kind(column)}>{inside}</td>"


def _reach(table: Table) -> tuple[float, float]:
    """The axis of the bars: from the lowest to the highest end, zero inside."""
    bars = [cell for row in table.rows for cell in row if isinstance(cell, Bar)]
    low = min((bar.low for bar in bars), default=0.0)
    high = max((bar.high for bar in bars), default=0.0)
    return min(low, 0.0), max(high, 0.0) or 1.0


def _bar(bar: Bar, reach: tuple[float, float]) -> str:
    """An interval with its middle, and a line at zero."""
    low, high = reach

    def at(value: float) -> str:
        return f"{3 + (BAR_WIDTH - 6) * (value - low) / (high - low):.1f}"

    middle = BAR_HEIGHT / 2
    return (
        f'<svg class="forest" viewBox="0 0 {BAR_WIDTH:g} {BAR_HEIGHT:g}" width="{BAR_WIDTH:g}" height="{BAR_HEIGHT:g}" '
        f'aria-hidden="true"><path class="zero" d="M{at(0.0)} 0V{BAR_HEIGHT:g}"/>'
        f'<path class="reach" d="M{at(bar.low)} {middle:g}H{at(bar.high)}"/>'
        f'<circle cx="{at(bar.middle)}" cy="{middle:g}" r="3"/></svg>'
    )


def _tile(tile: Tile) -> str:
    note = f"<small>{_text(tile.note)}</small>" if tile.note else ""
    return f'<div class="{tile.tone.value}"><dt>{_text(tile.label)}</dt><dd>{_text(tile.value)}{note}</dd></div>'


def _badge(cell: Cell) -> str:
    return f'<span class="badge {cell.tone.value}">{_text(cell.text)}</span>'


def _prose(spans: Prose) -> str:
    parts = []
    for span in spans:
        shown = escape(_spaced(span.text))
        match span.kind:
            case Kind.STRONG:
                parts.append(f"<strong>{shown}</strong>")
            case Kind.CODE:
                parts.append(f"<code>{shown}</code>")
            case _:
                parts.append(shown)
    return "".join(parts)


def _spaced(text: str) -> str:
    """`plain`, with the blanks at both ends that separate a span from its neighbours."""
    shown = plain(text, 4 * LONGEST)
    return (" " if text[:1].isspace() else "") + shown + (" " if text[-1:].isspace() and shown else "")


def _text(text: str) -> str:
    """The one way by which a text gets into the page."""
    return escape(plain(text, LONGEST))
