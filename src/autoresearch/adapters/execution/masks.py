"""Hidden files and directories: what a pattern names on this machine, and where the standard library lies.

The rule: hiding a module hides its bytecode too, in every standard library a sandbox would show.
"""

import glob
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_STDLIB = "{stdlib}/"
_PLACES = ("/usr/lib/python3*", "/usr/local/lib/python3*", "/usr/lib64/python3*", "/usr/local/lib64/python3*")
_STORES = ("/nix/store/*/lib/python*/os.py", "/gnu/store/*/lib/python*/os.py")
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_WITHOUT_CODE = frozenset(
    ["/usr/include", "/usr/src"]
    + [f"/usr/share/{name}" for name in ("doc", "fonts", "icons", "locale", "man", "perl", "zoneinfo")]
)
_ARCHIVE = re.compile(r"(python|stdlib|base_library|lib)[\w.-]*\.zip")
_COMPILED = (".pyc", ".pyo")
MOST = 500_000
"""Entries of one directory that is shown which are looked at for a standard library."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Standard libraries below a directory: as directories, and zipped."""

    directories: list[Path] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)


@cache
def stdlib_dirs(inputs: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """Every directory with standard-library modules that a sandbox shows: the interpreter's, the system's, and others'.

    Programs bring interpreters of their own, so each place that is shown is searched; `inputs` are the sources of a
    task's mounts, and an environment among them brings the library it was made from.
    """
    found = [Path(os.__file__).parent, *(each for top in _tops(inputs) for each in _libraries(top).directories)]
    system = [Path(each) for pattern in _PLACES for each in sorted(glob.glob(pattern))]  # noqa: PTH207
    stores = [Path(each).parent for pattern in _STORES for each in sorted(glob.glob(pattern))]  # noqa: PTH207
    return tuple(dict.fromkeys(each.resolve() for each in [*found, *system, *stores] if each.is_dir()))


def _tops(inputs: Iterable[Path]) -> tuple[Path, ...]:
    """What a sandbox shows, each place once, by its real name."""
    bases = [base for each in inputs for base in venv_bases(each)]
    shown = [Path(sys.prefix), *real_prefixes(Path(sys.base_prefix)), *inputs, *bases, *map(Path, _SYSTEM)]
    real = dict.fromkeys(each.resolve() for each in shown if each.is_dir())
    return tuple(top for top in real if not any(top != other and top.is_relative_to(other) for other in real))


@cache
def _libraries(top: Path) -> _Found:
    """The standard libraries below `top`: wherever ``os`` and ``abc`` lie side by side. Links are not followed."""
    found, pending, seen = _Found(), [str(top)], 0
    while pending and seen < MOST:
        here, names = pending.pop(), set()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    seen += 1
                    if not entry.is_dir(follow_symlinks=False):
                        names.add(entry.name)
                    elif entry.name != "__pycache__" and entry.path not in _WITHOUT_CODE:
                        pending.append(entry.path)
        except OSError:
            continue
        if all(any(f"{name}{suffix}" in names for suffix in (".py", *_COMPILED)) for name in ("os", "abc")):
            found.directories.append(Path(here))
        found.archives.extend(Path(here, name) for name in sorted(names) if _ARCHIVE.fullmatch(name))
    found.directories.sort()
    return found


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
    each of ``stdlib_dirs(inputs)``; a zipped library that holds one is named whole). It may hold wildcards (``*``,
    ``?``, ``[…]``); ``dir/**`` means the directory itself. ``x.py`` also names ``x.pyc``, ``x.pyo`` and
    ``__pycache__/x.*.pyc``: those that exist, and those that the interpreter could still write. Raises `ValueError`
    for a relative pattern.
    """
    found: set[Path] = set()
    for pattern in patterns:
        for each in _absolute(pattern, tuple(inputs)):
            whole = each.removesuffix("/**")
            for name in glob.glob(whole, recursive=True, include_hidden=True):  # noqa: PTH207 - absolute patterns
                found.update(_with_bytecode(Path(name)))
            found.update(_bytecode_alone(whole))
    found.update(each.parent for each in zipped_copies(patterns, inputs) if str(each.parent) not in sys.path)
    return tuple(sorted(found))


def zipped_copies(patterns: Sequence[str], inputs: Sequence[Path] = ()) -> tuple[Path, ...]:
    """What ``{stdlib}/`` patterns name inside zipped standard libraries, as paths below the archive.

    An archive of our own interpreter cannot be hidden, as nothing would run: that one can only be told.
    """
    wanted = {each.removeprefix(_STDLIB).removesuffix(".py") for each in patterns if each.startswith(_STDLIB)}
    beside = [each for directory in stdlib_dirs(tuple(inputs)) for each in directory.parent.glob("python3*.zip")]
    archives = [each for top in _tops(inputs) for each in _libraries(top).archives] if wanted else []
    found = []
    for archive in dict.fromkeys(sorted(each.resolve() for each in [*beside, *archives])):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as content:
                held = {name.rsplit(".", 1)[0] for name in content.namelist()}
            found += [archive / name for name in sorted(wanted & held)] if "os" in held else []
    return tuple(found)


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
    found += [beside for suffix in _COMPILED if (beside := source.with_suffix(suffix)).exists()]
    if source.exists():
        tag = _cache_tag(source)
        found += [cache_dir / f"{source.stem}.{tag}{level}.pyc" for level in ("", ".opt-1", ".opt-2")]
    return found


def _cache_tag(source: Path) -> str:
    """The tag in the names of bytecode for a source: by the version in its path, else this interpreter's."""
    match = re.search(r"/python3\.(\d+)/", str(source))
    return f"cpython-3{match[1]}" if match else str(sys.implementation.cache_tag)
