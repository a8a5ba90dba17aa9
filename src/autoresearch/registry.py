"""Names to factories: built in, from an entry point ``autoresearch.<kind>``, or by dotted path ``package.module:name``.

Nothing is imported before it is asked for.
"""

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from autoresearch.domain.errors import UsageError

BUILT_IN: dict[str, dict[str, str]] = {
    "researcher": {
        "tune": "autoresearch.adapters.researchers.factories:make_tune",
        "mutate": "autoresearch.adapters.researchers.factories:make_mutate",
        "command": "autoresearch.adapters.researchers.factories:make_command",
        "scripted": "autoresearch.adapters.researchers.factories:make_scripted",
    },
}
"""Factories by kind and name. A researcher's takes one `ports.ResearcherContext`."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def names(kind: str) -> list[str]:
    """Every name known for a kind, sorted."""
    return sorted({*BUILT_IN.get(kind, {}), *(entry.name for entry in entry_points(group=f"autoresearch.{kind}"))})


def known(kind: str, name: str) -> bool:
    """Whether a name is built in, offered by an installed package, or a dotted path; nothing is imported."""
    return name in BUILT_IN.get(kind, {}) or bool(_DOTTED.fullmatch(name)) or name in names(kind)


def resolve(kind: str, name: str) -> Callable[..., Any]:
    """The factory called `name`. Raises `UsageError` that lists the known names."""
    if target := BUILT_IN.get(kind, {}).get(name):
        return _load(kind, name, target)
    for entry in entry_points(group=f"autoresearch.{kind}", name=name):
        return _load(kind, name, entry.value)
    if ":" in name:
        return _load(kind, name, name)
    raise UsageError(
        f"there is no {kind} called {name!r}: use one of {', '.join(names(kind))}, "
        f"install a package that offers it, or give a dotted path such as package.module:{name or 'name'}"
    )


def _load(kind: str, name: str, target: str) -> Callable[..., Any]:
    module, _, attribute = target.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the {kind} {name!r} is at {target}, which does not load: {error}") from error
    return found
