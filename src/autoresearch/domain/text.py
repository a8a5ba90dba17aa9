"""Text that somebody else wrote, made safe to show: no escape sequences, nothing invisible, bounded.

Every string from a researcher, a run or a repository passes `plain` or `plain_lines` before a person sees it; what a
format then needs beyond that (HTML, Markdown) is one escape away.
"""

import re
import unicodedata

_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c|$)?"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c|$)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"  # every other escape
)
_CARRIAGE = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_PLAIN = re.compile(r"[\x20-\x7e]*\Z")
_MARKS = re.compile(r"((?:\w|\W)(?:[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]){3})"
                    r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")  # fmt: skip

_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Drawn as nothing, although Unicode does not file them under format characters."""
_PRESENTATION = "\ufe0e\ufe0f"
"""Text or emoji presentation: dropped, they stand for nothing by themselves."""
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0))))
_UNSEEN = frozenset({"Cf", "Cs", "Co", "Cn"})


def plain(text: str, limit: int | None = 200) -> str:
    """One line of visible characters, at most `limit` of them (the last is then …).

    Terminal sequences and control characters are removed, white space is squeezed, bidirectional controls, zero-width
    and unassigned characters are written out as ⟨U+202E⟩.
    """
    words = " ".join(_visible(_cut(text, limit)).split())
    return _shortened(words, limit)


def plain_lines(text: str, limit: int | None = 20_000) -> str:
    """Like `plain`, with line ends and indentation kept: for logs, specs and diffs."""
    lines = (line.rstrip() for line in _visible(_cut(text, limit)).split("\n"))
    return _shortened("\n".join(lines).strip("\n"), limit)


def _cut(text: str, limit: int | None) -> str:
    """So much of `text` that cleaning a flood costs no more than cleaning what will be shown."""
    return text if limit is None else text[: 16 * limit + 1024]


def _shortened(text: str, limit: int | None) -> str:
    if limit is None or len(text) <= limit:
        return text
    return text[: max(0, limit - 1)].rstrip() + "…"


def _visible(text: str) -> str:
    if _PLAIN.match(text):
        return text
    text = _CARRIAGE.sub("\n", _ESCAPES.sub("", text)).expandtabs(4)
    return _MARKS.sub(r"\1", "".join(map(_shown, text)))


def _shown(char: str) -> str:
    if " " <= char <= "~" or char == "\n":
        return char
    if char in _PRESENTATION:
        return ""
    kind = unicodedata.category(char)
    if kind == "Cc":
        return ""
    if kind in _UNSEEN or char in _BLANK or char in _SELECTORS:
        return f"⟨U+{ord(char):04X}⟩"
    return char
