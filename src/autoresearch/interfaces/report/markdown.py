"""The page as Markdown (GitHub's dialect), readable as plain text too.

Every text goes through `_text`, which makes it visible and takes from it whatever Markdown would read as its own.
"""

import re
from collections.abc import Iterator

from autoresearch.domain.text import plain, plain_lines
from autoresearch.interfaces.report.document import (
    Bar,
    Block,
    Cell,
    CodeBlock,
    Document,
    Facsimile,
    Kind,
    Listing,
    Paragraph,
    Picture,
    Prose,
    Section,
    Table,
)

LONGEST = 300
"""Characters of one cell."""

_MARKS = re.compile(r"([\\`*\[\]<|~&$])|(?<![^\W_])(_)|(_)(?![^\W_])")
_LEADING = re.compile(r"^(\s*)([#+=>-]|\d+[.)])")


def render(document: Document, picture: str) -> str:
    """The whole file; `picture` is the relative address of the picture."""
    return "\n\n".join(_page(document, picture)) + "\n"


def _page(document: Document, picture: str) -> Iterator[str]:
    yield f"# {_text(document.title)}"
    yield _text(document.kicker)
    yield f"**{_prose(document.headline, bold=False)}**"
    if document.labels:
        yield "\n".join(f"> **{_text(label.text)}**  " for label in document.labels).rstrip()
    yield _first(_prose(document.details))
    yield "\n".join(
        f"- {_text(tile.label)}: **{_text(tile.value)}**" + (f" ({_text(tile.note)})" if tile.note else "")
        for tile in document.tiles
    )
    for section in document.sections:
        yield from _section(section, picture)
    yield "---"
    yield _prose(document.footer)


def _section(section: Section, picture: str) -> Iterator[str]:
    yield f"## {_text(section.title)}"
    for block in section.blocks:
        yield from _block(block, picture)


def _block(block: Block, picture: str) -> Iterator[str]:
    match block:
        case Paragraph():
            yield _first(_prose(block.text))
        case Listing():
            yield "\n".join(f"- {_first(_prose(item))}" for item in block.items)
        case CodeBlock():
            yield _fenced(block.text)
        case Facsimile():
            yield f"{_text(block.title)}:"
            yield _fenced(block.text)
        case Picture():
            yield f"![{_text(block.alt)}]({picture})"
        case Table():
            yield "\n".join(_table(block))
            if block.note:
                yield _prose(block.note)


def _table(table: Table) -> Iterator[str]:
    shown = [index for index, column in enumerate(table.columns) if not column.bar]
    yield _row(_text(table.columns[index].title) for index in shown)
    yield _row("---:" if table.columns[index].number else "---" for index in shown)
    for row in table.rows:
        yield _row(_cell(row[index]) for index in shown)


def _row(cells: Iterator[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: str | Cell | Bar | None) -> str:
    match cell:
        case Cell():
            return _text(cell.text) + (f" ({_text(cell.quiet)})" if cell.quiet else "")
        case str():
            return _text(cell)
        case _:
            return ""


def _fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    shown = plain_lines(text)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence}\n{shown}\n{fence}"


def _prose(spans: Prose, *, bold: bool = True) -> str:
    return "".join(_span(span.text, span.kind, bold) for span in spans)


def _span(text: str, kind: Kind, bold: bool) -> str:
    shown = plain(text, 4 * LONGEST)
    before, after = " " * text[:1].isspace(), " " * (text[-1:].isspace() and bool(shown))
    if kind is Kind.CODE:
        return f"{before}`{shown.replace('`', '´')}`{after}"
    escaped = _escaped(shown)
    return f"{before}**{escaped}**{after}" if kind is Kind.STRONG and bold else f"{before}{escaped}{after}"


def _text(text: str) -> str:
    """A text as one stretch of plain Markdown."""
    return _escaped(plain(text, LONGEST))


def _escaped(text: str) -> str:
    return _MARKS.sub(lambda found: "&lt;" if found[0] == "<" else "\\" + found[0], text)


def _first(text: str) -> str:
    """A stretch that begins a line: not a heading, list or rule."""
    return _LEADING.sub(lambda found: f"{found[1]}\\{found[2]}" if not found[2][0].isdigit() else _ordinal(found), text)


def _ordinal(found: re.Match[str]) -> str:
    """``1.`` at the start of a line without making a list of it."""
    return f"{found[1]}{found[2][:-1]}\\{found[2][-1]}"
