"""The documentation is true: links resolve, nothing is left out, what it shows as a command runs."""

import inspect
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autoresearch import ports
from autoresearch.adapters.git.store import GitStore
from autoresearch.bootstrap.place import locate
from autoresearch.domain.brief import Brief
from autoresearch.domain.model import Direction, Metric, Move, Standing, TrialState
from autoresearch.interfaces.cli.app import COMMANDS
from autoresearch.registry import BUILT_IN
from autoresearch.spec import all_keys, key_reference, parse_spec
from tests.docs import commands_page
from tests.interfaces.faces import say
from tests.toys import Toy

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
PAGES = sorted(
    [*DOCS.rglob("*.md"), *(TOP / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]
)
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
HEADINGS = ["Context", "Decision", "Rejected", "Consequences"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKED = re.compile(r"^<!-- (tested|file: \S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", text_of(page))


def named(page: Path) -> str:
    return str(page.relative_to(TOP))


# ---------------------------------------------------------------- links


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as they are made where the pages are read."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


def links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)\s]+)\)", prose(page))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{named(page)}: {link} is not there"
        assert target.is_relative_to(TOP), f"{named(page)}: {link} leads out of the project"
        if anchor:
            assert anchor in anchors(target), f"{named(page)}: {link} names no heading"


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(DOCS)], ids=named)
def test_every_page_can_be_reached(page: Path) -> None:
    linked = {
        (other.parent / link.partition("#")[0]).resolve() for other in PAGES if other != page for link in links(other)
    }
    assert page in linked


# ---------------------------------------------------------------- nothing left out


def test_every_key_of_the_spec_is_documented() -> None:
    page = text_of(DOCS / "reference" / "spec.md")
    assert key_reference() in page
    for key in all_keys():
        section, _, name = key.partition(".")
        table = re.split(rf"^### `\[+{section}\]+`$", page, flags=re.MULTILINE)[1].split("\n### ")[0]
        assert f"| `{name}` |" in table, key


def test_the_reference_of_commands_is_up_to_date() -> None:
    page = text_of(commands_page.PAGE)
    assert commands_page.refreshed(page) == page, "make it anew: python -m tests.docs.commands_page"
    for name in COMMANDS:
        assert f"\n### `{name}`\n" in page
        assert f"[`{name}`](#{name})" in page, f"{name} is in no group at the head of the page"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_command_that_does_not_exist(page: Path) -> None:
    shown = re.findall(r"(?:`|^|bin/)autoresearch ([a-z]+)\b", text_of(page), re.MULTILINE)
    assert set(shown) <= set(COMMANDS)


def terms() -> list[str]:
    rows = re.findall(r"^\| \*\*(.+?)\*\* \|", text_of(DOCS / "vocabulary.md"), re.MULTILINE)
    return [term for row in rows for term in row.split(", ")]


def test_the_vocabulary_holds_the_nouns_of_the_code() -> None:
    protocols = {
        name for name, kind in vars(ports).items() if inspect.isclass(kind) and getattr(kind, "_is_protocol", False)
    }
    internal = {"Protocol", "Running", "Store", "Record"}
    assert protocols - internal <= set(terms())
    page = text_of(DOCS / "vocabulary.md")
    for state in (*TrialState, *(each for each in Standing if each)):
        assert f"`{state}`" in page


@pytest.mark.parametrize("term", terms())
def test_every_term_is_used_beyond_the_vocabulary(term: str) -> None:
    others = " ".join(text_of(page) for page in PAGES if page.name != "vocabulary.md")
    assert re.search(rf"\b{term}", others, re.IGNORECASE)


def test_every_researcher_is_documented() -> None:
    page = text_of(DOCS / "researchers.md")
    for name in BUILT_IN["researcher"]:
        assert f"\n## {name}\n" in page
    for field in ports.ResearcherContext.__dataclass_fields__:
        assert f"`{field}" in page, field


# ---------------------------------------------------------------- decisions


def test_decisions_are_numbered_without_gaps() -> None:
    assert [page.name[:5] for page in DECISIONS] == [f"{number:04}-" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("page", DECISIONS, ids=named)
def test_decisions_say_what_was_rejected(page: Path) -> None:
    text = text_of(page)
    assert re.match(rf"# {page.name[:4]} \S", text)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    if page.name.startswith("0003"):  # a report of simulations, ordered by what was compared
        assert "**Decided.**" in text
        assert "Rejected:" in text
        return
    assert [heading.removesuffix(" alternatives") for heading in headings] == HEADINGS


# ---------------------------------------------------------------- what is shown works


def toml_blocks() -> list[tuple[str, str]]:
    return [
        (named(page), block)
        for page in PAGES
        for kind, block in FENCE.findall(text_of(page))
        if kind == "toml" and "[study]" in block
    ]


@pytest.mark.parametrize(("page", "block"), toml_blocks())
def test_every_spec_that_is_shown_is_valid(page: str, block: str) -> None:
    assert parse_spec(block, page).study.name


def shell(script: str, place: Path) -> str:
    """What a line says; it must end well."""
    who = {f"GIT_{role}_{part}": "docs@localhost" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "HOME": str(place.parent)}
    done = subprocess.run(script, shell=True, cwd=place, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def typed(block: str, place: Path) -> str:
    """What the lines of a block say, one by one; commands of ours run in this process, to save their starts."""
    told = ""
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("autoresearch "):
            said = say(Toy(place), *shlex.split(line)[1:])
            assert said.status == 0, f"{line}\n{said.out}\n{said.err}"
            told += said.out
        else:
            told += shell(line, place)
    return told


@pytest.mark.sandbox
def test_the_quick_start_does_what_it_says(tmp_path: Path) -> None:
    place = tmp_path / "fit"
    place.mkdir()
    said = ""
    for mark, block in MARKED.findall(text_of(DOCS / "quickstart.md")):
        if mark.startswith("file: "):
            (place / mark.removeprefix("file: ")).write_text(block)
        else:
            said += typed(block.replace("trials = 20", "trials = 1"), place)
    for line in (
        "it runs: rmse 0.1",
        "trial 1: kept +0.1",
        "1 confirmed",
        "BUMPS 8 → 16",
        "autoresearch/fit holds 1 commit",
    ):
        assert line in said, line
    assert shell("git status --porcelain", place) == "?? autoresearch.toml\n"
    _own_researcher(place)


def _own_researcher(place: Path) -> None:
    """The researcher of the page on researchers proposes what it says, in a workspace of the quick start's base."""
    blocks = [block for kind, block in FENCE.findall(text_of(DOCS / "researchers.md")) if kind == "python"]
    names: dict[str, Any] = {}
    exec(next(block for block in blocks if "def make(" in block), names)
    tree = shell("git rev-parse main^{tree}", place).strip()
    metric = Metric(name="rmse", direction=Direction.MINIMIZE)
    brief = Brief(
        study="fit", goal="", program="", metric=metric, editable=("train.py",), trial=1, ordinal=1, parent=0,
        move=Move.EXPLOIT, seed=1, budget="10 s wall",
    )  # fmt: skip
    with GitStore(locate(place).of("fit")) as store, store.workspace(tree) as workspace:
        assert names["Halve"]().propose(brief, workspace).hypothesis == "half the steps"
        assert store.freeze(workspace, editable=("train.py",), hidden=()).changes[0].path == "train.py"
