"""The picture of progress: every trial a dot, the kept ones a labelled staircase, and what fresh runs say of it.

One drawing function serves SVG and PNG; it uses figure objects alone, never pyplot, and is the same for the same data.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autoresearch.domain.model import BASE, Direction, Standing, TrialState
from autoresearch.interfaces.report.data import Point, ReportData
from autoresearch.interfaces.report.labels import Wish, drawable, place
from autoresearch.interfaces.report.ranges import robust_range, spread_apart
from autoresearch.interfaces.report.words import count, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (11.0, 5.6)
"""Inches."""
DPI = 160
MANY = 1500
"""Dots beyond which a layer is drawn as pixels inside the SVG, so that its size stays bounded."""

PAPER, INK, MUTED, RULE = "#ffffff", "#1b1f24", "#656d76", "#e6e8eb"
DOT, KEPT, REFUTED, CRASH, FRESH = "#9aa3ad", "#1a7f4b", "#c4501b", "#b3261e", "#2b5fb8"
COLOURS = {
    PAPER: "paper", INK: "ink", MUTED: "muted", RULE: "rule", DOT: "dot",
    KEPT: "good", REFUTED: "warn", CRASH: "bad", FRESH: "fresh",
}  # fmt: skip
"""Colour to the CSS variable that stands for it where the picture is part of a page."""


def png(data: ReportData) -> bytes:
    """The picture as PNG, `SIZE` times `DPI` pixels."""
    buffer = io.BytesIO()
    draw(data).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg(data: ReportData) -> str:
    """The picture as SVG; equal data give equal text."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "autoresearch", "svg.fonttype": "path"}):
        draw(data).savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def inline(drawn: str) -> str:
    """An SVG to stand inside an HTML page: without prologue, and in the page's own colours, light or dark."""
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'aria-hidden="true"', body, count=1)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: _variable(found[0]), body)


def _variable(colour: str) -> str:
    name = COLOURS.get(colour)
    return colour if name is None else f"var(--{name}, {colour})"


def draw(data: ReportData) -> "Figure":
    """The figure itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.072, 0.115, 0.80 if data.headline else 0.90, 0.755))
    _frame(axes, data)
    low, high = robust_range(data)
    axes.set_ylim(low, high)
    last = max((point.number for point in data.points), default=0)
    axes.set_xlim(-0.02 * last - 0.5, last * 1.02 + 0.5)
    _epochs(axes, data)
    _tried(axes, data.points, (low, high))
    _crashes(axes, data.points)
    _staircase(axes, data)
    _fresh(axes, data, last)
    _legend(axes, data)
    _labels(figure, axes, data)
    return figure


def _frame(axes: "Axes", data: ReportData) -> None:
    from matplotlib.ticker import MaxNLocator

    counts, metric = data.counts, data.metric
    better = "lower" if metric.direction is Direction.MINIMIZE else "higher"
    title = f"{count(counts.trials, 'trial')}, {counts.kept:,} kept, {counts.confirmed:,} confirmed"
    _text(axes, 0.0, 1.105, title, coords=axes.transAxes, size=14, weight="bold", color=INK, va="center")
    named = f"{data.study.name}: {metric.name}, {better} is better"
    if data.self_reported:
        named += " (self-reported)"
    _text(axes, 0.0, 1.04, named, coords=axes.transAxes, size=9.5, color=MUTED, va="center")
    axes.set_facecolor(PAPER)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(RULE)
    axes.tick_params(colors=MUTED, labelsize=9, length=0)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.set_xlabel("trial", color=MUTED, fontsize=9.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(0)
    if not data.counts.trials:
        _text(axes, 0.5, 0.5, "nothing has been tried yet", coords=axes.transAxes, size=12, color=MUTED, ha="center")
        axes.set_yticks([])
        axes.set_xticks([])


def _epochs(axes: "Axes", data: ReportData) -> None:
    for epoch in data.changed_conditions:
        axes.axvline(epoch.at_trial + 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        top = axes.get_xaxis_transform()
        _text(axes, epoch.at_trial + 0.5, 0.985, " conditions changed", coords=top, size=7.5, color=MUTED, va="top")


def _tried(axes: "Axes", points: Sequence[Point], bounds: tuple[float, float]) -> None:
    """Discarded trials: faint dots, or triangles at the edge beyond which they lie."""
    low, high = bounds
    inside: list[tuple[int, float]] = []
    edges: dict[str, list[int]] = {"^": [], "v": []}
    for point in points:
        if point.value is None or point.state is TrialState.KEPT or point.number == BASE:
            continue
        if low <= point.value <= high:
            inside.append((point.number, point.value))
        else:
            edges["^" if point.value > high else "v"].append(point.number)
    size = 14 if len(inside) < 400 else 8 if len(inside) < 3000 else 3
    _dots(axes, inside, s=size, color=DOT, alpha=0.6, linewidths=0, zorder=2)
    for marker, numbers in edges.items():
        across = axes.get_xaxis_transform()
        at = [(number, 0.985 if marker == "^" else 0.015) for number in numbers]
        _dots(axes, at, marker=marker, s=13, color=DOT, alpha=0.8, linewidths=0, zorder=2, transform=across)


def _crashes(axes: "Axes", points: Sequence[Point]) -> None:
    """Ticks on the lower edge; fainter where there are many."""
    at = [(point.number, 0.012) for point in points if point.state is TrialState.CRASHED]
    alpha = 1.0 if len(at) < 100 else max(0.04, 60 / len(at))
    across = axes.get_xaxis_transform()
    _dots(
        axes, at, marker="|", s=46, color=CRASH, linewidths=1.1, alpha=alpha, zorder=3, transform=across, clip_on=False
    )


def _dots(axes: "Axes", at: Sequence[tuple[float, float]], **style: Any) -> None:
    if at:
        axes.scatter([x for x, _ in at], [y for _, y in at], rasterized=len(at) > MANY, **style)


def _staircase(axes: "Axes", data: ReportData) -> None:
    """The values at which the incumbents were kept: the curve that selection flatters."""
    steps = steps_of(data)
    if not steps:
        return
    ends = [*steps, (max((point.number for point in data.points), default=0), steps[-1][1])]
    axes.step(
        [x for x, _ in ends], [y for _, y in ends], where="post", color=KEPT, linewidth=1.4, alpha=0.75, zorder=4,
        rasterized=len(ends) > MANY,
    )  # fmt: skip
    if steps[0][0] == BASE:
        _dots(axes, steps[:1], marker="D", s=34, color=INK, linewidths=0, zorder=6, clip_on=False)
        axes.annotate("base", steps[0], xytext=(7, 3), textcoords="offset points", fontsize=8, color=INK, va="bottom")
    shrunk = 1.0 if len(data.kept) <= 60 else max(0.2, 60 / len(data.kept))
    for standings, style in _MARKS:
        _dots(axes, _kept(data, standings), clip_on=False, **(style | {"s": style["s"] * shrunk}))


_MARKS: tuple[tuple[tuple[Standing, ...], dict[str, Any]], ...] = (
    (
        (Standing.NONE, Standing.UNCONFIRMED, Standing.UNDECIDED, Standing.HELD),
        {"s": 26, "facecolor": PAPER, "edgecolor": KEPT, "linewidths": 1.3, "zorder": 5},
    ),
    (
        (Standing.REFUTED,),
        {"s": 52, "marker": "X", "facecolor": REFUTED, "edgecolor": PAPER, "linewidths": 0.6, "zorder": 5},
    ),
    ((Standing.CONFIRMED,), {"s": 46, "facecolor": KEPT, "edgecolor": PAPER, "linewidths": 0.8, "zorder": 6}),
)


def steps_of(data: ReportData) -> list[tuple[int, float]]:
    """(trial, value) of each incumbent as it was kept, the base first."""
    chosen = set(data.facts.incumbents) or {row.number for row in data.kept}
    steps = [(row.number, row.value) for row in data.kept if row.value is not None and row.number in chosen]
    return [(BASE, data.base.value), *steps] if data.base is not None else steps


def _kept(data: ReportData, standings: Sequence[Standing]) -> list[tuple[int, float]]:
    return [(row.number, row.value) for row in data.kept if row.value is not None and row.standing in standings]


def _fresh(axes: "Axes", data: ReportData, last: int) -> None:
    """What fresh runs say: the base's level until a round has shown a better one, each with its interval."""
    judged = [(entry.at_trial, entry.headline) for entry in data.rounds if entry.headline is not None]
    if not judged:
        return
    final = judged[-1][1]
    xs, ys = (
        [0, *(at for at, _ in judged), last],
        [final.base, *(line.confirmed for _, line in judged), final.confirmed],
    )
    axes.step(xs, ys, where="post", color=FRESH, linewidth=1.3, linestyle=(0, (5, 2)), zorder=4)
    for at, line in judged:
        reach = (line.effect - line.low, line.high - line.effect)
        down, up = reach if data.metric.direction is Direction.MAXIMIZE else (reach[1], reach[0])
        axes.errorbar(
            [at], [line.confirmed], yerr=[[max(0.0, down)], [max(0.0, up)]], color=FRESH, marker="s", markersize=5,
            markeredgecolor=PAPER, capsize=3, linewidth=1.3, zorder=7, clip_on=False,
        )  # fmt: skip
    scale = scale_of(data)
    low, high = axes.get_ylim()
    levels = spread_apart([final.base, final.confirmed], 0.085 * (high - low), low, high)
    for level, value, name in zip(levels, (final.base, final.confirmed), ("base", "confirmed"), strict=True):
        beside = axes.get_yaxis_transform()
        _text(
            axes,
            1.008,
            level,
            f"{scale.value(value)}\n",
            coords=beside,
            size=10,
            weight="bold",
            color=FRESH,
            va="center",
        )
        _text(axes, 1.008, level, f"\n{name}, fresh runs", coords=beside, size=8, color=FRESH, va="center")


def _legend(axes: "Axes", data: ReportData) -> None:
    from matplotlib.lines import Line2D

    standings = {row.standing for row in data.kept}
    entries: list[tuple[object, str, dict[str, Any]]] = [
        (True, "tried", {"marker": "o", "color": DOT, "linestyle": "none", "markersize": 4}),
        (data.counts.states.get(TrialState.CRASHED), "crashed", {"marker": "|", "color": CRASH, "linestyle": "none"}),
        (
            standings - {Standing.CONFIRMED, Standing.REFUTED},
            "kept",
            {"marker": "o", "color": KEPT, "markerfacecolor": PAPER, "markersize": 5},
        ),
        (Standing.CONFIRMED in standings, "kept and confirmed", {"marker": "o", "color": KEPT, "markersize": 6.5}),
        (
            Standing.REFUTED in standings,
            "refuted",
            {"marker": "X", "color": REFUTED, "linestyle": "none", "markersize": 6},
        ),
        (
            data.headline is not None,
            "on fresh runs, 95 %",
            {"marker": "s", "color": FRESH, "linestyle": "--", "markersize": 5},
        ),
    ]
    handles = [Line2D([], [], label=label, linewidth=1.3, **style) for shown, label, style in entries if shown]
    if data.counts.trials:
        axes.legend(
            handles=handles, loc="lower right", bbox_to_anchor=(1.0, 0.995), ncols=len(handles), frameon=False,
            fontsize=8, labelcolor=MUTED, handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
        )  # fmt: skip


def _labels(figure: "Figure", axes: "Axes", data: ReportData) -> None:
    """Hypotheses beside the kept trials, as many as find room; confirmed ones first, then by size of effect."""
    rows = [row for row in data.kept if row.value is not None and row.hypothesis]
    rows.sort(key=lambda row: (row.standing is not Standing.CONFIRMED, -(row.effect or 0.0)))
    wishes = [
        Wish(x=row.number, y=row.value or 0.0, text=row.hypothesis, strong=row.standing is Standing.CONFIRMED)
        for row in rows[:60]
    ]
    marks = [(row.number, row.value) for row in data.kept if row.value is not None]
    downward = data.metric.direction is Direction.MINIMIZE
    place(figure, axes, wishes, marks, steps_of(data), downward=downward, colours=(INK, MUTED, PAPER))


def _text(axes: "Axes", x: float, y: float, text: str, *, coords: Any, size: float, **style: Any) -> None:
    """Text as it is: never read as a formula, never with a character that the font lacks."""
    axes.text(x, y, drawable(text), transform=coords, fontsize=size, parse_math=False, **style)
