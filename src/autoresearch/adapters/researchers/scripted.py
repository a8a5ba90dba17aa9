"""The researcher that replays a list of edits from a TOML or JSON file.

Trial n gets the n-th edit, whatever was restarted between; an edit that does not fit the parent proposes nothing.

The file holds ``[[edit]]`` tables (JSON: ``{"edit": [...]}`` or the bare list)::

    [[edit]]
    hypothesis = "a higher learning rate"
    changes = [
      {file = "train.py", set = {LR = 3e-3}},
      {file = "train.py", find = "relu(x)", replace = "gelu(x)"},
      {file = "notes.md", content = "whole new text"},
    ]
"""

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoresearch.adapters.researchers.constants import rewrite, settings
from autoresearch.adapters.researchers.files import read
from autoresearch.domain.brief import Brief
from autoresearch.domain.errors import UsageError
from autoresearch.domain.globs import matches
from autoresearch.domain.model import Proposal, Scalar
from autoresearch.ports import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one file: exactly one of `set`, `find` with `replace`, or `content` is given."""

    file: str
    set: dict[str, Scalar] = field(default_factory=dict)
    find: str | None = None
    replace: str = ""
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One proposal of the script."""

    hypothesis: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """Replays `edits`."""

    edits: tuple[Edit, ...]

    def propose(self, brief: Brief, workspace: Workspace) -> Proposal:
        """Make edit number `brief.ordinal` (the first trial that a researcher was given is 1)."""
        if not 1 <= brief.ordinal <= len(self.edits):
            return Proposal(hypothesis="", empty="the script has no further edit")
        edit = self.edits[brief.ordinal - 1]
        texts: dict[str, str] = {}
        for change in edit.changes:
            if not matches(change.file, brief.editable):
                return Proposal(hypothesis=edit.hypothesis, empty=f"{change.file} is not editable")
            before = texts.get(change.file, read(workspace, change.file))
            after = _changed(before, change)
            if after is None:
                return Proposal(hypothesis=edit.hypothesis, empty=f"edit {brief.ordinal} does not fit {change.file}")
            texts[change.file] = after
        for path, text in texts.items():
            workspace.write(path, text)
        return Proposal(hypothesis=edit.hypothesis, settings=settings(workspace, brief.editable))


def scripted(path: Path | str) -> Scripted:
    """The researcher that replays the file at `path`. Raises `UsageError` when it cannot be read as a script."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path}: not a readable script of edits ({error}): give TOML or JSON") from error
    rows = data if isinstance(data, list) else data.get("edit") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise UsageError(f"{path}: holds no edits: write [[edit]] tables")
    return Scripted(edits=tuple(_edit(row, f"{path}: edit {number}") for number, row in enumerate(rows, 1)))


def _changed(before: str | None, change: Change) -> str | None:
    if change.content is not None:
        return change.content
    if before is None:
        return None
    if change.find is not None:
        return before.replace(change.find, change.replace, 1) if change.find in before else None
    try:
        return rewrite(before, change.set, change.file)
    except KeyError:
        return None


def _edit(row: Any, where: str) -> Edit:
    if not isinstance(row, dict) or not isinstance(row.get("hypothesis", ""), str):
        raise UsageError(f"{where}: must be a table with a hypothesis and changes")
    rows = row.get("changes", [row] if "file" in row else None)
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{where}: has no changes: list {{file, set}}, {{file, find, replace}} or {{file, content}}")
    return Edit(hypothesis=row.get("hypothesis", ""), changes=tuple(_change(each, where) for each in rows))


def _change(row: Any, where: str) -> Change:
    if not isinstance(row, dict) or not isinstance(row.get("file"), str):
        raise UsageError(f"{where}: a change must name its file")
    unknown = set(row) - {"file", "set", "find", "replace", "content", "hypothesis"}
    kinds = [kind for kind in ("set", "find", "content") if kind in row]
    if unknown or len(kinds) != 1 or ("replace" in row) != ("find" in row):
        raise UsageError(f"{where}: a change is {{file, set}}, {{file, find, replace}} or {{file, content}}")
    wanted = dict if kinds[0] == "set" else str
    if not isinstance(row[kinds[0]], wanted) or not isinstance(row.get("replace", ""), str):
        raise UsageError(f"{where}: {kinds[0]} of {row['file']} has the wrong type")
    return Change(**{key: value for key, value in row.items() if key != "hypothesis"})
