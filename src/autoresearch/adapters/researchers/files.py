"""Which files of a workspace a researcher may edit.

Only regular files that match a glob of `editable` are ever read for editing or written.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from autoresearch.ports import Workspace

WILD = re.compile(r"[*?\[]")


def editable_files(workspace: Workspace, editable: Sequence[str], *, suffix: str = "") -> tuple[str, ...]:
    """Paths of the workspace that match `editable` and end in `suffix`, sorted.

    The whole tree is listed only when a glob has a wildcard, so plain names stay cheap in a large repository.
    """
    plain = [glob for glob in editable if not WILD.search(glob)]
    found = {path for path in plain if path.endswith(suffix) and read(workspace, path) is not None}
    if len(plain) < len(editable) or len(found) < len(plain):
        found |= {path for path in workspace.files() if path.endswith(suffix) and matches(path, editable)}
    return tuple(sorted(found))


def read(workspace: Workspace, path: str) -> str | None:
    """The text of a file, or None when it is missing or no UTF-8 text."""
    try:
        return workspace.read(path)
    except (KeyError, UnicodeDecodeError):
        return None


def matches(path: str, globs: Sequence[str]) -> bool:
    """Whether `path` matches a glob: `**` spans folders, `*` and `?` do not; a plain name covers all below it."""
    return any(_pattern(glob).fullmatch(path) is not None for glob in globs)


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]/]+\])", glob.removeprefix("./").rstrip("/"))
    special = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]", "": ""}
    whole = "".join(special.get(part) or _literal(part) for part in parts)
    return re.compile(whole if WILD.search(glob.rstrip("/").rpartition("/")[2]) else whole + "(?:/.*)?", re.DOTALL)


def _literal(part: str) -> str:
    if part.startswith("[") and part.endswith("]"):
        return "[^" + part[2:] if part.startswith("[!") else part
    return re.escape(part)
