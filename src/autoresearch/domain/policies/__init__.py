"""Policies: which trial to change next, and how boldly.

A policy is a pure function of the state; `ratchet` is the one that ships with this release.
"""

from collections.abc import Callable
from dataclasses import dataclass

from autoresearch.domain.model import Move
from autoresearch.domain.state import StudyState


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The next parent and the kind of move."""

    parent: int
    move: Move


Policy = Callable[[StudyState], Choice]


def ratchet(state: StudyState) -> Choice:
    """Always the incumbent, one step on."""
    return Choice(parent=state.incumbent, move=Move.EXPLOIT)


POLICIES: dict[str, Policy] = {"ratchet": ratchet}

__all__ = ["POLICIES", "Choice", "Policy", "ratchet"]
