"""Where workspaces and kept checkouts lie on the disk, and who owns them.

An owner holds a file lock for as long as it lives, so what a dead process left is told from what is in use without
asking for process numbers.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autoresearch.adapters.git.command import machine
from autoresearch.adapters.git.layers import can_whiteout, whiteout
from autoresearch.adapters.git.layout import copy_whole, erase, lay, populate
from autoresearch.adapters.git.objects import Objects
from autoresearch.adapters.git.trees import differences, leaves
from autoresearch.adapters.git.workspace import Checkout
from autoresearch.domain.globs import Globs, globs

PLAIN_FILES, PLAIN_BYTES = 2_000, 20 << 20
"""Up to this extent a workspace is written file by file."""
OVERLAID_FILES, OVERLAID_BYTES = 150, 4 << 20
"""The same where overlays can be used: showing an overlay costs about as much as writing so many files."""
LAID_PATHS, LAID_BYTES = 500, 16 << 20
"""A kept checkout serves any tree that differs from its own by no more than this."""
KEPT = 4
"""Kept checkouts; those in use are never removed."""


@contextmanager
def locked(path: Path, operation: int = fcntl.LOCK_EX) -> Iterator[int]:
    """Hold a file lock. Raises `BlockingIOError` with ``LOCK_NB`` when another holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, operation)
        yield fd
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kept checkout: `tree` less what a set of globs covers."""

    name: str
    tree: str
    path: Path


class Places:
    """The directories ``work`` and ``trees`` of a state directory."""

    def __init__(self, state: Path, objects: Objects, *, overlay: bool) -> None:
        """With `overlay`, whoever shows a large workspace to a process can mount one."""
        self._objects = objects
        self._work = state / "work"
        self._trees = state / "trees"
        self._count = itertools.count(1)
        for directory in (self._work, self._trees):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._overlay = overlay and can_whiteout(self._work)

    @contextmanager
    def workspace(self, tree: str, without: Sequence[str]) -> Iterator[Checkout]:
        """A fresh workspace, removed on exit."""
        skip = globs(tuple(without))
        with self._owned() as home:
            if not self._large(tree):
                with machine(f"writing a workspace to {home}"):
                    root = home / "tree"
                    root.mkdir()
                    populate(self._objects, tree, str(root), skip)
                yield Checkout(tree=tree, root=root, lower=None, base=None, below=tuple)
            else:
                with self._lower(tree, skip) as kept:
                    with machine(f"writing a workspace to {home}"):
                        space = self._layered(tree, kept, home, skip)
                    yield space

    def sweep(self) -> int:
        """Remove what dead processes left; returns how many workspaces that were."""
        swept = 0
        with locked(self._work / ".lock"):
            for home in self._work.iterdir():
                if home.name == ".lock":
                    continue
                try:
                    with locked(home / "owner", fcntl.LOCK_EX | fcntl.LOCK_NB):
                        remove(home)
                except (BlockingIOError, FileNotFoundError):
                    continue
                except NotADirectoryError:
                    home.unlink()
                swept += 1
        for gone in self._trees.glob(".*-gone"):
            lock = self._trees / f"{gone.name.removesuffix('-gone')}.lock"
            with suppress(BlockingIOError), locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                remove(gone)
        return swept

    def _large(self, tree: str) -> bool:
        extent = self._objects.extent(tree)
        files, size = (OVERLAID_FILES, OVERLAID_BYTES) if self._overlay else (PLAIN_FILES, PLAIN_BYTES)
        return extent.files > files or extent.size > size

    # ------------------------------------------------------------ workspaces

    @contextmanager
    def _owned(self) -> Iterator[Path]:
        """A new directory below ``work``, locked by its owner file until it is removed."""
        with machine(f"making a workspace in {self._work}"), locked(self._work / ".lock", fcntl.LOCK_SH):
            home = self._new()
            owner = os.open(home / "owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(owner, fcntl.LOCK_EX)
            os.write(owner, f"{os.getpid()}\n".encode())
        try:
            yield home
        finally:
            try:
                with machine(f"removing the workspace {home}"):
                    remove(home)
            finally:
                os.close(owner)

    def _new(self) -> Path:
        while True:
            home = self._work / f"{os.getpid()}-{next(self._count)}"
            with suppress(FileExistsError):
                home.mkdir(mode=0o700)
                return home

    def _layered(self, tree: str, kept: Kept, home: Path, skip: Globs) -> Checkout:
        """A workspace over (or copied from) a kept checkout, with the difference to its tree laid on top."""
        if not self._overlay:
            root = home / "tree"
            copy_whole(kept.path, root)
            lay(self._objects, kept.tree, tree, str(root), skip, erase)
            return Checkout(tree=tree, root=root, lower=None, base=None, below=tuple)
        root = home / "upper"
        root.mkdir()
        (home / "work").mkdir()
        lay(self._objects, kept.tree, tree, str(root), skip, whiteout)
        return Checkout(
            tree=tree, root=root, lower=kept.path, base=kept.tree, below=lambda: self._files(kept.tree, skip)
        )

    def _files(self, tree: str, skip: Globs) -> Sequence[str]:
        return _regular(self._objects, tree, skip)

    # ------------------------------------------------------------ kept checkouts

    @contextmanager
    def _lower(self, tree: str, skip: Globs) -> Iterator[Kept]:
        """A kept checkout near `tree`, made when there is none, and not removed while it is held."""
        suffix = hashlib.sha256("\n".join("/".join(parts) for parts in skip.patterns).encode()).hexdigest()[:8]
        for kept in self._near(tree, suffix):
            with self._held(kept) as there:
                if there:
                    yield kept
                    return
        kept = self._kept(f"{tree}-{suffix}")
        while True:
            self._build(kept, skip)
            with self._held(kept) as there:
                if there:
                    yield kept
                    return

    def _kept(self, name: str) -> Kept:
        return Kept(name=name, tree=name.partition("-")[0], path=self._trees / name)

    def _near(self, tree: str, suffix: str) -> Sequence[Kept]:
        """Kept checkouts of the same globs whose tree is near enough, the very same one first, then by distance."""
        found = []
        for path in self._trees.glob(f"*-{suffix}"):
            kept = self._kept(path.name)
            changed = list(itertools.islice(differences(self._objects, kept.tree, tree), LAID_PATHS + 1))
            blobs = [new.oid for _, _, new in changed if new and new.kind != "gitlink"]
            if len(changed) <= LAID_PATHS and sum(self._objects.sizes(blobs).values()) <= LAID_BYTES:
                found.append((len(changed), kept.name, kept))
        return [kept for *_, kept in sorted(found, key=lambda one: one[:2])]

    @contextmanager
    def _held(self, kept: Kept) -> Iterator[bool]:
        """Keep a checkout from being removed; False when it is gone already."""
        lock = self._trees / f".{kept.name}.lock"
        with locked(lock, fcntl.LOCK_SH):
            there = kept.path.is_dir()
            if there:
                os.utime(lock)
            yield there

    def _build(self, kept: Kept, skip: Globs) -> None:
        """Write a kept checkout, once however many processes ask for it, then remove what is too many."""
        with machine(f"writing the kept checkout {kept.path}"), locked(self._trees / f".{kept.name}.lock"):
            if kept.path.is_dir():
                return
            building = self._trees / f".{kept.name}-gone"
            remove(building)
            building.mkdir(mode=0o755)
            populate(self._objects, kept.tree, str(building), skip)
            building.rename(kept.path)
        self._evict(kept)

    def _evict(self, newest: Kept) -> None:
        kept = [self._kept(path.name) for path in self._trees.iterdir() if not path.name.startswith(".")]
        excess = len(kept) - KEPT
        for old in sorted((one for one in kept if one != newest), key=self._used):
            if excess <= 0:
                return
            lock = self._trees / f".{old.name}.lock"
            with suppress(BlockingIOError, FileNotFoundError), locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                gone = self._trees / f".{old.name}-gone"
                old.path.rename(gone)
                remove(gone)
                excess -= 1

    def _used(self, kept: Kept) -> float:
        with suppress(FileNotFoundError):
            return (self._trees / f".{kept.name}.lock").stat().st_mtime
        return 0.0


@lru_cache(maxsize=8)
def _regular(objects: Objects, tree: str, skip: Globs) -> Sequence[str]:
    return tuple(path for path, entry in leaves(objects, tree) if entry.kind == "file" and not skip.match(path))


def remove(directory: Path) -> None:
    """Remove a directory and all below it, whatever permissions or depth a program left there. Raises `OSError`."""
    try:
        shutil.rmtree(directory)
        return
    except FileNotFoundError:
        if not directory.exists():
            return
    except (OSError, RecursionError):
        pass
    for call in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*call, "--", str(directory)], capture_output=True, check=False)
    if directory.exists():
        raise OSError(f"{directory} could not be removed: remove it by hand")
