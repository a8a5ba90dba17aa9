"""A page as data: sections of paragraphs, tables and code, between what is said and how it is written down.

The texts in here are raw; whoever renders them passes each through `domain.text` and escapes it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a stretch of text is set."""

    PLAIN = ""
    STRONG = "strong"
    CODE = "code"


class Tone(StrEnum):
    """What a word means for the reader."""

    NONE = ""
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text."""

    text: str
    kind: Kind = Kind.PLAIN


Prose = tuple[Span, ...]


def prose(*parts: str | Span) -> Prose:
    """Text out of plain strings and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts if part)


def strong(text: str) -> Span:
    """Emphasised text."""
    return Span(text, Kind.STRONG)


def code(text: str) -> Span:
    """Something to type, or a name in code."""
    return Span(text, Kind.CODE)


def worded(text: str) -> Prose:
    """A sentence of ours with `names` between backticks; never for text that somebody else wrote."""
    return tuple(Span(part, Kind.CODE if odd % 2 else Kind.PLAIN) for odd, part in enumerate(text.split("`")) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An interval drawn in a cell, all of a column on one axis."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell that is more than a word."""

    text: str
    tone: Tone = Tone.NONE
    quiet: str = ""
    """A second line, smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column; a key–value table has none with titles."""

    title: str
    number: bool = False
    words: bool = False
    """Holds sentences: the other columns leave it room."""
    bar: bool = False
    """Drawn where pictures can be drawn, else left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Cell | Bar | None, ...], ...]
    note: Prose = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph."""

    text: Prose


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A bulleted list."""

    items: tuple[Prose, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    """Lines to be typed or read as they are."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The picture of progress."""

    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facsimile:
    """A long text, folded away."""

    title: str
    text: str


Block = Table | Paragraph | Listing | CodeBlock | Picture | Facsimile


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page with a heading."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A number that one looks for first."""

    label: str
    value: str
    note: str = ""
    tone: Tone = Tone.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole page."""

    title: str
    kicker: str
    """One line above the headline: which study, and when."""
    labels: tuple[Cell, ...]
    """Warnings that belong to the headline."""
    headline: Prose
    details: Prose
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    footer: Prose
