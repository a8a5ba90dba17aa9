"""Labels of the picture: each takes the first free place near its point, or is left out.

Places are tried on the empty side of the staircase first; nothing is ever put over another label, a mark or a leader.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from autoresearch.domain.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = 8.0
"""Points."""
LENGTH = 38
"""Characters of a label."""
LADDER = (9, 20, 31, 42, 54, 66, 80, 96, 112, 130, 150)
"""Distances of a label from its point, in points, up or down."""
_CROWDED = 31
"""Longest of them on the side where the discarded trials lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A label somebody would like to see."""

    x: float
    y: float
    text: str
    strong: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two share a point."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def within(self, other: "Box") -> bool:
        """Whether it lies inside `other`."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a label, as an offset from its point in points."""

    dx: float
    dy: float

    @property
    def style(self) -> dict[str, Any]:
        """Alignment of the text there."""
        return {"ha": "left" if self.dx > 0 else "right", "va": "bottom" if self.dy > 0 else "top"}

    @property
    def far(self) -> bool:
        """Whether a leader is needed."""
        return abs(self.dy) > LADDER[0]


def place(
    figure: "Figure",
    axes: "Axes",
    wishes: Sequence[Wish],
    marks: Sequence[tuple[float, float]],
    steps: Sequence[tuple[float, float]],
    *,
    downward: bool,
    colours: tuple[str, str, str],
) -> int:
    """Draw what fits, in the order wished; returns how many did. `downward`: the empty side is below the staircase."""
    unit = figure.dpi / 72
    frame = axes.get_window_extent()
    area = Box(frame.x0 + 1, frame.y0 + 9 * unit, frame.x1 + 8 * unit, frame.y1)
    to_pixels = axes.transData.transform
    taken = [_around(*map(float, to_pixels(mark)), reach=3.2 * unit) for mark in _thinned(marks)]
    taken += _stairs([tuple(to_pixels(step)) for step in _thinned(steps)])
    drawn = 0
    for wish in wishes:
        text = drawable(plain(wish.text, LENGTH))
        x, y = to_pixels((wish.x, wish.y))
        width, height = _size(axes, text, wish.strong)
        for spot in _spots(downward):
            box = _box(x, y, width, height, spot, unit)
            leader = list(_leader(x, y, box, spot, unit)) if spot.far else []
            if box.within(area) and not any(part.meets(other) for part in (box, *leader) for other in taken):
                _draw(axes, wish, text, spot, colours)
                taken += [box, *leader]
                drawn += 1
                break
    return drawn


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """So many of them that a crowd is kept clear of, at bounded cost."""
    return points[:: 1 + len(points) // 500]


def _spots(downward: bool) -> Iterator[Spot]:
    """Near places before far ones, the empty side of the staircase before the other, which is crowded with dots."""
    empty = -1 if downward else 1
    for distance in LADDER:
        yield Spot(-5, empty * distance)
        yield Spot(5, empty * distance)
        if distance <= _CROWDED:
            yield Spot(5, -empty * distance)
            yield Spot(-5, -empty * distance)


def _box(x: float, y: float, width: float, height: float, spot: Spot, unit: float) -> Box:
    left = x + spot.dx * unit - (0 if spot.dx > 0 else width)
    bottom = y + spot.dy * unit - (0 if spot.dy > 0 else height)
    return Box(left - 1.5, bottom - 0.5, left + width + 1.5, bottom + height + 0.5)


def _leader(x: float, y: float, box: Box, spot: Spot, unit: float) -> Iterator[Box]:
    """Small boxes along the line from the point, clear of its own mark, to the near corner of the label."""
    end_x = box.left if spot.dx > 0 else box.right
    end_y = box.bottom if spot.dy > 0 else box.top
    pieces = max(2, round(abs(end_y - y) / (4 * unit)))
    for piece in range(2, pieces):
        share = piece / pieces
        yield _around(x + share * (end_x - x), y + share * (end_y - y), reach=1.0)


def _around(x: float, y: float, *, reach: float) -> Box:
    return Box(x - reach, y - reach, x + reach, y + reach)


def _stairs(corners: Sequence[tuple[float, float]]) -> Iterator[Box]:
    for (x, y), (next_x, next_y) in pairwise(corners):
        yield Box(x, y - 1, next_x, y + 1)
        yield Box(next_x - 1, min(y, next_y), next_x + 1, max(y, next_y))


def _size(axes: "Axes", text: str, strong: bool) -> tuple[float, float]:
    """Width and height of a label in pixels; descenders are always allowed for."""
    artist = axes.text(0, 0, text + "|gÅ", fontsize=FONT, weight=_weight(strong), parse_math=False)
    tail = axes.text(0, 0, "|gÅ", fontsize=FONT, weight=_weight(strong), parse_math=False)
    extent, extra = artist.get_window_extent(), tail.get_window_extent()
    artist.remove()
    tail.remove()
    return extent.width - extra.width, extent.height


def _weight(strong: bool) -> str:
    return "bold" if strong else "normal"


def _draw(axes: "Axes", wish: Wish, text: str, spot: Spot, colours: tuple[str, str, str]) -> None:
    ink, muted, paper = colours
    corner = (0 if spot.dx > 0 else 1, 0 if spot.dy > 0 else 1)
    arrow = {"arrowstyle": "-", "color": muted, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3, "relpos": corner}
    axes.annotate(
        text,
        (wish.x, wish.y),
        xytext=(spot.dx, spot.dy),
        textcoords="offset points",
        fontsize=FONT,
        weight=_weight(wish.strong),
        color=ink if wish.strong else muted,
        parse_math=False,
        zorder=8,
        annotation_clip=False,
        arrowprops=arrow if spot.far else None,
        bbox={"facecolor": paper, "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
        **spot.style,
    )


def drawable(text: str) -> str:
    """`text` with characters that the font of the picture lacks replaced by a box."""
    if text.isascii():
        return text
    known = _glyphs()
    return "".join(char if ord(char) in known or char == "\n" else "□" for char in text)


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    regular, bold = (
        set(get_font(findfont(FontProperties(weight=weight))).get_charmap()) for weight in ("normal", "bold")
    )
    return frozenset(regular & bold)
