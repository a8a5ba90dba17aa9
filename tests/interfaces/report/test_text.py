"""Foreign text is visible, bounded and inert."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.domain.text import plain, plain_lines


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("as it is", "as it is"),
        ("größer → 語 😀", "größer → 語 😀"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]never closed\nnext line", "next line"),
        ("\x1bPdevice\x1b\\control", "control"),
        ("\x1b(Bcharset \x1bcreset", "charset reset"),
        ("bell\x07 nul\x00 back\x08 del\x7f", "bell nul back del"),
        ("two\r\nlines\tand\u2028more", "two lines and more"),
        ("invoice\u202efdp.exe", "invoice⟨U+202E⟩fdp.exe"),
        ("a\u200bb\ufeffc\u2066d\u00ade", "a⟨U+200B⟩b⟨U+FEFF⟩c⟨U+2066⟩d⟨U+00AD⟩e"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("lone \ud800 surrogate", "lone ⟨U+D800⟩ surrogate"),
        ("heart \u2764\ufe0f", "heart \u2764"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 3),
        ("", ""),
    ],
)
def test_plain(raw: str, shown: str) -> None:
    assert plain(raw) == shown


def test_limits_count_characters_of_the_result() -> None:
    assert plain("x" * 300) == "x" * 199 + "…"
    assert plain("\u200b" * 50, 20) == "⟨U+200B⟩⟨U+200B⟩⟨U+…"
    assert plain("x" * 300, None) == "x" * 300


def test_lines_keep_their_ends_and_indentation() -> None:
    assert plain_lines("def f():\r\n\treturn 1  \n\x1b[2J\n") == "def f():\n    return 1"


@given(st.text(alphabet=st.characters(), max_size=80), st.integers(1, 40))
def test_nothing_unseen_remains(raw: str, limit: int) -> None:
    shown = plain(raw, limit)
    assert len(shown) <= limit
    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in shown)
    shown.encode()


@pytest.mark.parametrize("flood", ["\x1b]", "\x1b[", "\u0301", "\x1bP;", "a\u0301\u0301\u0301\u0301", "\r"])
def test_a_flood_takes_no_time(flood: str) -> None:
    began = time.perf_counter()
    plain(flood * 1_000_000, 200)
    plain_lines(flood * 200_000)
    assert time.perf_counter() - began < 5
