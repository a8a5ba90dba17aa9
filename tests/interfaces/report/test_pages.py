"""The pages: golden text, sound HTML, hostile text inert, bounded size."""

import re
import stat
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from autoresearch.domain.model import Direction, Source
from autoresearch.interfaces.report import ReportData, gather, markdown, picture, write_report
from autoresearch.interfaces.report import html as html_page
from autoresearch.interfaces.report.page import page
from autoresearch.interfaces.report.style import STYLE
from autoresearch.interfaces.report.words import Scale, count, duration, memory, money, p_value, share

from . import studies

GOLDEN = Path(__file__).parent / "golden"
STUDIES: dict[str, Callable[[], ReportData]] = {
    "synthetic": studies.synthetic,
    "fruitless": studies.fruitless,
    "empty": studies.empty,
}
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Checks that tags nest and keeps the words of headings and table heads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.lines: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "th", "figure", "details"):
            self.lines.append(f"{tag}: ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"h1", "h2", "th"} & set(self.open):
            self.lines[-1] += data


def written(data: ReportData) -> tuple[str, str]:
    document = page(data)
    drawing = picture.inline(picture.svg(data))
    return html_page.render(document, drawing), markdown.render(document, "progress.svg")


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


def golden(name: str, text: str, tmp_path: Path) -> None:
    """Compare with the file of that name; after a change that is meant, copy the new one over it."""
    new = tmp_path / name
    new.write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8"), f"if the change is meant: cp {new} {GOLDEN / name}"


@pytest.mark.parametrize("name", STUDIES)
def test_golden(name: str, tmp_path: Path) -> None:
    text, marked = written(STUDIES[name]())
    golden(f"{name}.md", marked, tmp_path)
    golden(f"{name}.outline", "\n".join(outline(text).lines) + "\n", tmp_path)


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text, _ = written(studies.synthetic())
    found = outline(text)
    assert not {"script", "iframe", "object", "embed", "link", "form", "base", "img"} & found.tags
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not re.search(r"url\((?!#)|@import|href=\"(?!#|data:image/png)", text)
    assert "default-src 'none'" in text


def test_hostile_text_is_inert() -> None:
    text, marked = written(studies.synthetic())
    for shown in (text, marked):
        assert "<script" not in shown
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", shown)
        assert "⟨U+202E⟩" in shown
        assert "u://x" not in shown
    rows = [line for line in marked.splitlines() if "alert" in line and line.startswith("| 30 ")]
    assert rows
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (7, 8) for row in rows)


def test_code_in_markdown_cannot_leave_its_fence() -> None:
    data = studies.synthetic()
    spec = "```\n# not a heading\n````"
    _, marked = written(replace(data, facts=replace(data.facts, spec=spec)))
    assert f"`````\n{spec}\n`````" in marked


def test_the_first_sentence_is_honest() -> None:
    def first(data: ReportData) -> str:
        return "".join(span.text for span in page(data).headline)

    data = studies.synthetic()
    assert first(data).startswith("val_bpb improved by 5.2 % on fresh seeds, from 2.519 to 2.388")
    assert first(studies.fruitless()).startswith("Nothing held up: 6 changes were kept")
    assert first(studies.empty()) == "Nothing has been tried yet."
    unsure = replace(studies.HEADLINE, low=-0.01)
    assert "no sure gain" in first(replace(data, headline=unsure))
    unconfirmed = gather(studies.study(), studies.KEPT[5:], (), (), studies.facts())
    assert "none is confirmed: no gain is claimed" in first(unconfirmed)
    discarded = [row for row in studies.trials() if row.number in (1, 2)]
    assert "none was better" in first(gather(studies.study(), discarded, (), (), studies.facts()))


def test_doubts_stand_beside_the_headline() -> None:
    data = studies.synthetic()
    study = replace(data.study, metric=replace(data.metric, source=Source.STDOUT))
    facts = replace(data.facts, safe=False, sandbox="copies", record_verified=False, running=True)
    document = page(replace(data, study=study, facts=facts))
    labels = " ".join(label.text for label in document.labels)
    assert all(word in labels for word in ("self-reported", "unsafe", "does not verify", "still running"))
    assert "(self-reported)" in document.headline[0].text
    assert page(data).labels == ()


def test_a_failed_headline_is_told() -> None:
    data = studies.synthetic()
    entry = replace(data.rounds[0], headline=None, failed="exit status 3")
    _, marked = written(replace(data, rounds=(entry,), headline=None))
    assert "Nothing of it is claimed: exit status 3." in marked


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("direction", Direction)
def test_the_picture_is_sound(name: str, direction: Direction) -> None:
    made = STUDIES[name]()
    data = replace(made, study=studies.study(direction))
    drawn = picture.svg(data)
    root = ET.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert drawn == picture.svg(data), "equal data, equal picture"
    width, height = (round(side * picture.DPI) for side in picture.SIZE)
    image = Image.open(BytesIO(picture.png(data)))
    assert (image.format, image.size) == ("PNG", (width, height))


def test_the_picture_takes_the_colours_of_the_page() -> None:
    inline = picture.inline(picture.svg(studies.synthetic()))
    ET.fromstring(inline)
    assert not re.findall(r"(?<!, )#[0-9a-f]{6}\b", inline)
    assert all(f"--{name}:" in STYLE for name in picture.COLOURS.values())


def test_files_are_private_and_replaced(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "report"
    first = write_report(studies.empty(), target)
    second = write_report(studies.synthetic(), target)
    assert first == second
    names = {"report.html", "report.md", "progress.svg", "progress.png"}
    assert {path.name for path in target.iterdir()} == names
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in target.iterdir())
    assert "5.2 %" in second.html.read_text(encoding="utf-8")


@pytest.mark.parametrize("direction", Direction)
def test_a_long_study_stays_readable(direction: Direction, tmp_path: Path) -> None:
    began = time.perf_counter()
    paths = write_report(studies.large(20_000, direction), tmp_path)
    assert time.perf_counter() - began < 30
    assert paths.html.stat().st_size < 1_500_000
    assert paths.markdown.stat().st_size < 300_000
    assert paths.svg.stat().st_size < 1_500_000
    assert "20,000 trials" in paths.markdown.read_text(encoding="utf-8")


def test_numbers_read_as_people_write_them() -> None:
    assert Scale(3).gain(-0.0123) == "−0.012"
    assert Scale(None).value(1234567.0) == "1.23457e+06"
    assert Scale(2).interval(float("-inf"), 1.0) == "−∞ to +1.00"
    assert [duration(seconds) for seconds in (0.25, 59, 60, 252, 27_120, 90_000)] == [
        "0.25 s", "59 s", "1 min", "4 min 12 s", "7 h 32 min", "1 d 1 h",
    ]  # fmt: skip
    shares = [share(part, 2.0) for part in (0.0, 0.001, 0.0131, 0.1, -3.0)]
    assert shares == ["0.00 %", "0.05 %", "0.66 %", "5.0 %", "−150 %"]
    assert [p_value(p) for p in (None, 1e-9, 0.0004, 0.0123)] == ["–", "< 0.0001", "0.0004", "0.012"]
    assert [memory(size) for size in (0, 1536, 300 << 20)] == ["0 B", "1.5 KiB", "300 MiB"]
    assert [money(usd) for usd in (0.0, 0.0123, 4567.891)] == ["$0.00", "$0.012", "$4,567.89"]
    assert [count(1, "trial"), count(2, "trial")] == ["1 trial", "2 trials"]
