"""The report as files: report.html, report.md, progress.svg, progress.png.

Each is written beside its place and renamed, readable by its owner alone: a reader sees the old or the new, never half.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autoresearch.interfaces.report import html, markdown, picture
from autoresearch.interfaces.report.data import ReportData
from autoresearch.interfaces.report.page import page


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where the report lies."""

    html: Path
    markdown: Path
    svg: Path
    png: Path


def write_report(data: ReportData, directory: Path) -> Paths:
    """Write all four files into `directory`, which is made when missing. Raises `OSError` where that fails."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = Paths(
        html=directory / "report.html",
        markdown=directory / "report.md",
        svg=directory / "progress.svg",
        png=directory / "progress.png",
    )
    document, drawn = page(data), picture.svg(data)
    _replace(paths.svg, drawn.encode())
    _replace(paths.png, picture.png(data))
    _replace(paths.markdown, markdown.render(document, paths.svg.name).encode())
    _replace(paths.html, html.render(document, picture.inline(drawn)).encode())
    return paths


def _replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` with mode 0600, in one step."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
