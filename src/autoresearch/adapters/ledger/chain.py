"""The keyed hash chains that make every change of the record from outside noticeable.

Each trial has a chain, the study has one for the rest, and a head runs over all events in order; whoever lacks the key
can forge no seal. What this cannot notice: an older copy of the whole file put back in its place.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256

START = bytes(32)
"""What the first event of a chain, and the head of an empty record, follow on."""

_MAC = 16
"""Bytes of a seal: HMAC-SHA-256 cut to half, the least RFC 2104 (section 5) advises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the record: number of events and the running hash over all of theirs."""

    seq: int = 0
    hash: bytes = START

    def then(self, link: bytes) -> "Head":
        """The head after one more event with hash `link`."""
        return Head(seq=self.seq + 1, hash=sha256(self.hash + link).digest())


def link(before: bytes, *, seq: int, at: float, kind: str, chain: int | None, payload: bytes) -> bytes:
    """Hash of an event: over the hash `before` it in its chain, all its columns and its canonical payload."""
    return sha256(b"%b%d|%r|%b|%r\n%b" % (before, seq, at, kind.encode(), chain, payload)).digest()


def seal_event(key: bytes, hashed: bytes) -> bytes:
    """The keyed seal on the end of a chain."""
    return hmac.digest(key, b"event" + hashed, "sha256")[:_MAC]


def seal_head(key: bytes, head: Head) -> bytes:
    """The keyed seal on the end of the record."""
    return hmac.digest(key, b"head%d|%b" % (head.seq, head.hash), "sha256")[:_MAC]


def same(one: bytes, other: bytes) -> bool:
    """Compare two seals in constant time."""
    return hmac.compare_digest(one, other)
