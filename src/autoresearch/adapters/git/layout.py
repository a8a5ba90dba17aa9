"""Trees laid out as files: written whole, or as the difference to a checkout that lies there already.

Bytes are written as they are stored: no line ends are changed, no filter is run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from autoresearch.adapters.git.objects import GITLINK, SYMLINK, TREE, Entry, Objects
from autoresearch.domain.globs import Globs

Hide = Callable[[str], None]
"""Makes the name at a path vanish: removes it, or writes a whiteout."""


def populate(objects: Objects, tree: str, directory: str, without: Globs, at: str = "") -> bool:
    """Write all of `tree` less what `without` covers below `directory`, which is made when needed.

    Returns whether anything was written. Raises `OSError`.
    """
    made = False
    for name, entry in objects.tree(tree).items():
        path = at + name
        if without.match(path):
            continue
        place = f"{directory}/{name}"
        if entry.mode == TREE:
            made |= populate(objects, entry.oid, place, without, path + "/")
            continue
        if not made:
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103 - text paths: thousands of files
            made = True
        put(objects, entry, place)
    return made


def put(objects: Objects, entry: Entry, place: str) -> None:
    """Write one file, link or (for a submodule) empty directory at `place`, where nothing is."""
    if entry.mode == GITLINK:
        os.mkdir(place)  # noqa: PTH102
    elif entry.mode == SYMLINK:
        os.symlink(objects.blob(entry.oid), os.fsencode(place))  # noqa: PTH211 - bytes, any name
    else:
        mode = 0o755 if entry.executable else 0o644
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            objects.copy(entry.oid, target)
        finally:
            os.close(target)


def lay(
    objects: Objects, old: str | None, new: str | None, directory: str, without: Globs, hide: Hide, at: str = ""
) -> None:
    """Turn the checkout `old` that lies at (or, for an overlay, under) `directory` into `new`. Raises `OSError`."""
    if old == new:
        return
    before = objects.tree(old) if old else {}
    after = objects.tree(new) if new else {}
    for name in sorted(before.keys() | after.keys()):
        was, now, path, place = before.get(name), after.get(name), at + name, f"{directory}/{name}"
        if was == now or without.match(path):
            continue
        if was and was.mode == TREE and now and now.mode == TREE:
            lay(objects, was.oid, now.oid, place, without, hide, path + "/")
            continue
        if was is not None and (was.mode != TREE or _seen(objects, was.oid, without, path + "/")):
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103
            hide(place)
        if now is None or (now.mode == TREE and not _seen(objects, now.oid, without, path + "/")):
            continue
        if was is not None and os.path.lexists(place):
            os.unlink(place)  # noqa: PTH108
        if now.mode == TREE:
            populate(objects, now.oid, place, without, path + "/")
        else:
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103
            put(objects, now, place)


def _seen(objects: Objects, tree: str, without: Globs, at: str) -> bool:
    """Whether a checkout of `tree` less `without` holds any file at all."""
    for name, entry in objects.tree(tree).items():
        if without.match(at + name):
            continue
        if entry.mode != TREE or _seen(objects, entry.oid, without, f"{at}{name}/"):
            return True
    return False


def erase(place: str) -> None:
    """Remove whatever lies at `place`."""
    if os.path.isdir(place) and not os.path.islink(place):  # noqa: PTH112, PTH114
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)  # noqa: PTH108


def copy_whole(source: Path, target: Path) -> None:
    """Copy a checkout to `target`, which must not exist, links as links; blocks are shared where that is possible."""
    if sys.platform == "linux":
        done = subprocess.run(["cp", "-a", "--reflink=auto", "--", source, target], capture_output=True, check=False)
        if done.returncode == 0:
            return
        erase(str(target))
    shutil.copytree(source, target, symlinks=True)
