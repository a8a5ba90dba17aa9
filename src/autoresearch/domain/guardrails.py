"""Guardrails: rules that may veto a proposal before any run, always with a reason.

Pure functions over the list of changes that the freeze found; the first rule that objects is named in the record.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoresearch.domain.model import Change

LARGEST = 1 << 20
"""Bytes of one changed file."""
MOST = 4 << 20
"""Bytes of all changed files together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Veto:
    """A refusal: the rule's name and a reason with the path in it."""

    rule: str
    reason: str


Guardrail = Callable[[Sequence[Change], Callable[[str], bool]], Veto | None]
"""Gets the changes and a test for `editable`."""


def check(changes: Sequence[Change], editable: Callable[[str], bool]) -> Veto | None:
    """The first objection, or None."""
    for rule in RULES:
        if veto := rule(changes, editable):
            return veto
    return None


def _changed(changes: Sequence[Change], editable: Callable[[str], bool]) -> Veto | None:
    return None if changes else Veto(rule="no change", reason="the proposal changes nothing")


def _editable(changes: Sequence[Change], editable: Callable[[str], bool]) -> Veto | None:
    for change in changes:
        if not editable(change.path):
            return Veto(rule="editable", reason=f"{change.path!r} was {change.status} but is not in `editable`")
    return None


def _kinds(changes: Sequence[Change], editable: Callable[[str], bool]) -> Veto | None:
    for change in changes:
        if change.status != "deleted" and change.kind != "file":
            return Veto(rule="kind", reason=f"{change.path!r} is a new {change.kind}; only regular files may change")
    return None


def _sizes(changes: Sequence[Change], editable: Callable[[str], bool]) -> Veto | None:
    for change in changes:
        if change.status != "deleted" and change.size > LARGEST:
            return Veto(rule="size", reason=f"{change.path!r} has {change.size} bytes; at most {LARGEST} are allowed")
    total = sum(change.size for change in changes if change.status != "deleted")
    if total > MOST:
        return Veto(rule="size", reason=f"the changed files have {total} bytes together; at most {MOST} are allowed")
    return None


BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff]")
ENCODED = re.compile(
    r"\b(?:exec|eval|compile|__import__|loads)\s*\(.{0,200}?(?:b64decode|a85decode|b85decode|unhexlify|fromhex|decompress|rot13)",
    re.DOTALL,
)
BLOB = re.compile(r"[A-Za-z0-9+/=_\-]{2000,}")


def _readable(changes: Sequence[Change], editable: Callable[[str], bool]) -> Veto | None:
    """A change must be readable by a person: no invisible or reordering characters, no encoded programs."""
    for change in changes:
        if change.status == "deleted":
            continue
        if change.text is None:
            return Veto(rule="obfuscated", reason=f"{change.path!r} is not UTF-8 text")
        if found := BIDI.search(change.text[1:]):
            return Veto(rule="obfuscated", reason=f"{change.path!r} has an invisible character U+{ord(found[0]):04X}")
        if ENCODED.search(change.text):
            return Veto(rule="obfuscated", reason=f"{change.path!r} runs an encoded program")
        if BLOB.search(change.text):
            return Veto(rule="obfuscated", reason=f"{change.path!r} holds an encoded block of over 2,000 characters")
    return None


RULES: tuple[Guardrail, ...] = (_changed, _editable, _kinds, _sizes, _readable)
