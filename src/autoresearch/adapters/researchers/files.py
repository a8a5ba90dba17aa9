"""Which files of a workspace a researcher may edit.

Only regular files that match a glob of `editable` are ever read for editing or written.
"""

from collections.abc import Sequence

from autoresearch.domain.globs import WILD, matches
from autoresearch.ports import Workspace


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
