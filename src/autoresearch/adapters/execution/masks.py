"""Hidden files and directories: what a pattern names on this machine, and where the standard library lies.

The rule: hiding a module hides its bytecode too, in every standard library a sandbox would show.
"""

import glob
import os
import sys
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_STDLIB = "{stdlib}/"
_PLACES = ("/usr/lib/python3*", "/usr/local/lib/python3*", "/usr/lib64/python3*", "/usr/local/lib64/python3*")


@cache
def stdlib_dirs() -> tuple[Path, ...]:
    """Every directory with standard-library modules that a sandbox shows: the interpreter's own and the system's."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = [Path(os.__file__).parent]
    own += [Path(sys.base_prefix) / library / version for library in ("lib", "lib64")]
    system = [Path(each) for pattern in _PLACES for each in sorted(glob.glob(pattern))]  # noqa: PTH207
    found = dict.fromkeys(path.resolve() for path in own + system if path.is_dir())
    return tuple(found)


def expand_masks(patterns: Sequence[str]) -> tuple[Path, ...]:
    """The existing files and directories that `patterns` name, sorted, each once.

    A pattern is an absolute path, one that starts with ``~``, or one that starts with ``{stdlib}/`` (looked for in
    each of `stdlib_dirs`). It may hold wildcards (``*``, ``?``, ``[…]``); ``dir/**`` means the directory itself.
    ``x.py`` also names ``__pycache__/x.*.pyc`` and ``x.pyc``. Raises `ValueError` for a relative pattern.
    """
    found: set[Path] = set()
    for pattern in patterns:
        for each in _absolute(pattern):
            whole = each.removesuffix("/**")
            for name in glob.glob(whole, recursive=True, include_hidden=True):  # noqa: PTH207 - absolute patterns
                found.update(_with_bytecode(Path(name)))
            found.update(_bytecode_alone(whole))
    return tuple(sorted(found))


def zipped_copies(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Files inside zipped standard libraries that ``{stdlib}/`` patterns name: these cannot be hidden, only told."""
    names = [each.removeprefix(_STDLIB).removesuffix(".py") for each in patterns if each.startswith(_STDLIB)]
    found = []
    for directory in stdlib_dirs():
        for archive in sorted(directory.parent.glob("python3*.zip")):
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as content:
                    held = {name.rsplit(".", 1)[0] for name in content.namelist()}
                found += [archive / name for name in names if name in held]
    return tuple(dict.fromkeys(found))


def _absolute(pattern: str) -> list[str]:
    """The absolute patterns that one pattern stands for."""
    if pattern.startswith(_STDLIB):
        return [f"{glob.escape(str(each))}/{pattern.removeprefix(_STDLIB)}" for each in stdlib_dirs()]
    pattern = os.path.expanduser(pattern)  # noqa: PTH111 - a pattern, not a path
    if not pattern.startswith("/"):
        raise ValueError(f"cannot hide {pattern!r}: give an absolute path, ~/… or {{stdlib}}/…")
    return [pattern]


def _with_bytecode(path: Path) -> list[Path]:
    """A path and, for a Python source, its compiled forms."""
    return [path, *_bytecode(path)] if path.suffix == ".py" else [path]


def _bytecode_alone(pattern: str) -> list[Path]:
    """Compiled forms of a source that is named without wildcards and is not there itself."""
    path = Path(pattern)
    return _bytecode(path) if path.suffix == ".py" and not glob.has_magic(pattern) else []


def _bytecode(source: Path) -> list[Path]:
    """The compiled forms of a Python source that exist."""
    stem = glob.escape(source.stem)
    cached = (source.parent / "__pycache__").glob(f"{stem}.*.pyc")
    beside = source.with_suffix(".pyc")
    return [*cached, *([beside] if beside.exists() else [])]
