"""What a sandbox shows of this machine: the system, the interpreter, the declared inputs, and nothing else.

The rule: an allow-list. Whatever is not named here does not exist inside.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autoresearch.adapters.execution.masks import real_prefixes, venv_bases
from autoresearch.domain.errors import InfraError
from autoresearch.ports import Mount

PLACE = "/autoresearch"
"""Constant inside, and unlikely to be anybody's directory: the same paths in every run, whatever lies outside."""
WORK = f"{PLACE}/work"
OUT = f"{PLACE}/out"
METRICS = f"{PLACE}/metrics.jsonl"
HOME = f"{PLACE}/home"
SHIM = f"{PLACE}/bin"

BLANK = Path(__file__).parent / "blank"
"""An empty regular file: what is shown in place of a hidden one."""

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("alternatives", "java*", "R")
_ETC_COPIED = ("ld.so.cache", "localtime")
_ETC_NETWORK = ("ssl", "pki", "ca-certificates", "ca-certificates.conf", "services", "protocols", "gai.conf")
MADE_UP = {
    "passwd": b"nobody:x:65534:65534:nobody:" + HOME.encode() + b":/bin/sh\nroot:x:0:0:root:/root:/bin/sh\n",
    "group": b"nogroup:x:65534:\nroot:x:0:\n",
    "hosts": b"127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
"""Files of ``/etc`` as every run sees them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A place of this machine that is shown inside: `source` with all symbolic links resolved."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Arguments that show something, what they show, and where programs are found in it."""

    arguments: tuple[str, ...]
    views: tuple[View, ...]
    path: tuple[str, ...] = ()


@cache
def system() -> Shown:
    """``/usr`` and its like, each as it is here: a directory, or a symbolic link into ``/usr``."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    views = [View(source=Path("/usr"), target="/usr")]
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            arguments += ["--ro-bind", name, name]
            views.append(View(source=path, target=name))
    for store in ("/nix/store", "/gnu/store"):
        if Path(store).is_dir():
            arguments += ["--ro-bind", store, store]
            views.append(View(source=Path(store), target=store))
    etc = [path for name in _ETC for path in sorted(Path("/etc").glob(name)) if path.exists()]
    arguments += [word for path in etc for word in ("--ro-bind", str(path), str(path))]
    views += [View(source=path.resolve(), target=str(path)) for path in etc]
    return Shown(arguments=tuple(arguments), views=tuple(views))


def network() -> tuple[str, ...]:
    """Arguments that show what name resolution and TLS need."""
    arguments = []
    for name in _ETC_NETWORK:
        if (Path("/etc") / name).exists():
            arguments += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    resolver = Path("/etc/resolv.conf").resolve()
    return (*arguments, "--ro-bind", str(resolver), "/etc/resolv.conf") if resolver.exists() else tuple(arguments)


def etc_files() -> dict[str, bytes]:
    """Small files of ``/etc`` that are copied in (a copy costs less than a mount): those made up, and a few of ours."""
    ours = {name: Path("/etc") / name for name in _ETC_COPIED}
    return MADE_UP | {name: path.read_bytes() for name, path in ours.items() if path.is_file()}


@cache
def interpreter() -> Shown:
    """This Python under the names ``python`` and ``python3``, wherever it lies."""
    arguments, views = _binds(_outside([*real_prefixes(Path(sys.prefix)), *real_prefixes(Path(sys.base_prefix))]))
    directories = [str(Path(sys.prefix) / "bin"), str(Path(sys.base_prefix) / "bin")]
    if not any((Path(each) / "python").exists() for each in directories):
        directories.insert(0, SHIM)
        arguments += ["--symlink", sys.executable, f"{SHIM}/python", "--symlink", sys.executable, f"{SHIM}/python3"]
    return Shown(arguments=tuple(arguments), views=tuple(views), path=tuple(dict.fromkeys(directories)))


def declared(mounts: Sequence[Mount]) -> Shown:
    """The inputs of a task, read-only; a virtual environment among them brings its interpreter and goes first on PATH.

    A relative target is one in the workspace. Raises `InfraError` for a source that is not there.
    """
    arguments: list[str] = []
    views: list[View] = []
    path: list[str] = []
    for mount in mounts:
        source = Path(os.path.abspath(mount.source.expanduser()))  # noqa: PTH100 - links must stay
        if not source.exists():
            raise InfraError(f"input {source} is not there: make it again, or take it out of the inputs")
        target = os.path.normpath(os.path.join(WORK, mount.target or source))  # noqa: PTH118 - a path inside
        arguments += ["--ro-bind", str(source), target]
        views.append(View(source=source.resolve(), target=target))
        if (source / "pyvenv.cfg").is_file():
            more, seen = _binds(_outside(venv_bases(source)))
            arguments, views = more + arguments, seen + views
            path.append(f"{target}/bin")
    return Shown(arguments=tuple(arguments), views=tuple(views), path=tuple(path))


def _outside(prefixes: Sequence[Path]) -> list[Path]:
    """Those of the prefixes that the system's directories do not hold already; outermost first."""
    found = [each for each in prefixes if not each.is_relative_to("/usr") and each != Path("/")]
    return sorted(dict.fromkeys(found), key=lambda each: len(each.parts))


def _binds(prefixes: Sequence[Path]) -> tuple[list[str], list[View]]:
    """Arguments and views that show each of these at its own path, those inside another one left out."""
    arguments: list[str] = []
    views: list[View] = []
    for each in prefixes:
        if not any(each.is_relative_to(view.target) for view in views):
            arguments += ["--ro-bind", str(each), str(each)]
            views.append(View(source=each.resolve(), target=str(each)))
    return arguments, views
