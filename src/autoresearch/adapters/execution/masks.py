"""Hidden files and directories: what a pattern names on this machine, and where the standard library lies.

The rule: hiding a module hides its bytecode too, in every standard library a sandbox would show.
"""

import glob
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_STDLIB = "{stdlib}/"
_PLACES = ("/usr/lib/python3*", "/usr/local/lib/python3*", "/usr/lib64/python3*", "/usr/local/lib64/python3*")


@cache
def stdlib_dirs(inputs: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """Every directory with standard-library modules that a sandbox shows: the interpreter's own and the system's.

    `inputs` are the sources of a task's mounts: an environment among them brings the library it was made from.
    """
    prefixes = [Path(sys.base_prefix), *inputs, *(base for each in inputs for base in venv_bases(each))]
    own = [each.parent for prefix in prefixes for each in sorted(prefix.glob("lib*/python3*/os.py"))]
    system = [Path(each) for pattern in _PLACES for each in sorted(glob.glob(pattern))]  # noqa: PTH207
    found = dict.fromkeys(path.resolve() for path in [Path(os.__file__).parent, *own, *system] if path.is_dir())
    return tuple(found)


def venv_bases(venv: Path) -> list[Path]:
    """The prefixes of the interpreter that a virtual environment was made from; empty for any other directory."""
    config = venv / "pyvenv.cfg"
    if not config.is_file():
        return []
    lines = (line.partition("=") for line in config.read_text("utf-8", "replace").splitlines())
    homes = [Path(value.strip()).parent for key, _, value in lines if key.strip() == "home"]
    return [each for home in homes if home.is_absolute() for each in real_prefixes(home)]


def real_prefixes(prefix: Path) -> list[Path]:
    """A prefix as it is named, and the places where it and its interpreter really lie."""
    real = (prefix / "bin" / "python3").resolve()
    found = [prefix, prefix.resolve(), *([real.parent.parent] if real.exists() else [])]
    return [each for each in dict.fromkeys(found) if each.is_dir()]


def expand_masks(patterns: Sequence[str], inputs: Sequence[Path] = ()) -> tuple[Path, ...]:
    """The files and directories that `patterns` name, sorted, each once.

    A pattern is an absolute path, one that starts with ``~``, or one that starts with ``{stdlib}/`` (looked for in
    each of ``stdlib_dirs(inputs)``). It may hold wildcards (``*``, ``?``, ``[…]``); ``dir/**`` means the directory
    itself. ``x.py`` also names ``x.pyc`` and ``__pycache__/x.*.pyc``: those that exist, and those that the interpreter
    could still write. Raises `ValueError` for a relative pattern.
    """
    found: set[Path] = set()
    for pattern in patterns:
        for each in _absolute(pattern, tuple(inputs)):
            whole = each.removesuffix("/**")
            for name in glob.glob(whole, recursive=True, include_hidden=True):  # noqa: PTH207 - absolute patterns
                found.update(_with_bytecode(Path(name)))
            found.update(_bytecode_alone(whole))
    return tuple(sorted(found))


def zipped_copies(patterns: Sequence[str], inputs: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Files inside zipped standard libraries that ``{stdlib}/`` patterns name: these cannot be hidden, only told."""
    names = [each.removeprefix(_STDLIB).removesuffix(".py") for each in patterns if each.startswith(_STDLIB)]
    found = []
    for directory in stdlib_dirs(tuple(inputs)):
        for archive in sorted(directory.parent.glob("python3*.zip")):
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as content:
                    held = {name.rsplit(".", 1)[0] for name in content.namelist()}
                found += [archive / name for name in names if name in held]
    return tuple(dict.fromkeys(found))


def _absolute(pattern: str, inputs: tuple[Path, ...]) -> list[str]:
    """The absolute patterns that one pattern stands for."""
    if pattern.startswith(_STDLIB):
        return [f"{glob.escape(str(each))}/{pattern.removeprefix(_STDLIB)}" for each in stdlib_dirs(inputs)]
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
    """The compiled forms of a Python source that exist, and those that may come to exist where there is a cache."""
    cache_dir = source.parent / "__pycache__"
    found = list(cache_dir.glob(f"{glob.escape(source.stem)}.*.pyc"))
    beside = source.with_suffix(".pyc")
    found += [beside] if beside.exists() else []
    if source.exists():
        tag = _cache_tag(source)
        found += [cache_dir / f"{source.stem}.{tag}{level}.pyc" for level in ("", ".opt-1", ".opt-2")]
    return found


def _cache_tag(source: Path) -> str:
    """The tag in the names of bytecode for a source: by the version in its path, else this interpreter's."""
    match = re.search(r"/python3\.(\d+)/", str(source))
    return f"cpython-3{match[1]}" if match else str(sys.implementation.cache_tag)
