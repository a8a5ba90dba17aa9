"""The trusted store: a bare repository of every tree ever tried, and the workspaces made from it.

Nothing untrusted is ever asked where it is or what it does: trees are built by our own walk and checked out from here.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autoresearch.adapters.git.atoms import compose, split
from autoresearch.adapters.git.command import git, machine
from autoresearch.adapters.git.freeze import freeze, shown
from autoresearch.adapters.git.objects import Objects
from autoresearch.adapters.git.packing import pack
from autoresearch.adapters.git.places import Places, locked, remove
from autoresearch.adapters.git.trees import differences, find, leaves
from autoresearch.adapters.git.workspace import Checkout
from autoresearch.domain.errors import InfraError
from autoresearch.domain.globs import globs
from autoresearch.domain.model import Atom
from autoresearch.ports import Frozen, Workspace

CHAIN = "refs/autoresearch/chain"
PACK_AFTER = 600
"""Loose objects written by this process before it packs: about 200 trials."""


class GitStore:
    """`ports.Store` over ``store.git`` in the state directory."""

    def __init__(self, state: Path, *, overlay: bool = False, object_format: str = "sha1") -> None:
        """Open the store below `state`, made when missing (mode 0700).

        `overlay`: whoever shows workspaces to processes can mount an overlay; `object_format` is that of the user's
        repository and counts only when the store is made. Raises `InfraError`.
        """
        self.state = state
        self.path = state / "store.git"
        with machine(f"making the store {self.path}"):
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            state.chmod(0o700)
            with locked(state / ".store.lock"):
                if not self.path.is_dir():
                    _make(self.path, object_format)
        self.objects = Objects(self.path)
        if self.objects.format != object_format:
            raise InfraError(
                f"{self.path} holds {self.objects.format} objects, the repository {object_format}: "
                f"move {state} away to start anew"
            )
        self._places = Places(state, self.objects, overlay=overlay)
        self._next_pack = PACK_AFTER
        with machine(f"recovering {self.path}"):
            last = self.objects.recover()
        if last and self._chained(self.chain()) is None:
            _point(self.path / CHAIN, last)

    def close(self) -> None:
        """Pack what this process wrote and end the helper processes; the store may be used again afterwards."""
        if self.objects.journal.size():
            self._pack_or_wait()
        self.objects.close()

    def __enter__(self) -> "GitStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ workspaces

    @contextmanager
    def workspace(self, tree: str, *, without: Sequence[str] = ()) -> Iterator[Checkout]:
        """A fresh workspace of `tree` less the paths matching the globs `without`; removed on exit."""
        with self._places.workspace(tree, without) as space:
            yield space

    def sweep(self) -> int:
        """Remove the workspaces of dead processes; returns their number."""
        with machine(f"sweeping {self.state}"):
            return self._places.sweep()

    def freeze(self, workspace: Workspace, *, editable: Sequence[str], hidden: Sequence[str]) -> Frozen:
        """Write what `workspace` (one of this store's own) now holds as a tree. Raises `InfraError`.

        The tree is safe from a power cut once `keep_alive` has it: one flush for both.
        """
        if not isinstance(workspace, Checkout):
            raise TypeError(f"not a workspace of this store: {workspace!r}")
        frozen = freeze(
            self.objects,
            workspace.root,
            lower=workspace.base,
            parent=workspace.tree,
            editable=globs(tuple(editable)),
            hidden=globs(tuple(hidden)),
        )
        self._tidy()
        return frozen

    # ------------------------------------------------------------ trees

    def diff(self, old: str, new: str) -> str:
        """Unified diff of two trees."""
        arguments = ["diff-tree", "-r", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", old, new]
        return git(arguments, cwd=self.path, own=True).decode("utf-8", "replace")

    def paths_touched(self, old: str, new: str) -> tuple[str, ...]:
        """Every path at which two trees differ."""
        return tuple(shown(path) for path, _, _ in differences(self.objects, old, new))

    def files(self, tree: str) -> tuple[str, ...]:
        """Every path of a tree that is no directory, in the tree's order."""
        return tuple(shown(path) for path, _ in leaves(self.objects, tree))

    def read(self, tree: str, path: str) -> bytes:
        """A file of a tree. Raises `KeyError` for a path that is no regular file of it."""
        entry = find(self.objects, tree, path)
        if entry is None or entry.kind != "file":
            raise KeyError(path)
        return self.objects.blob(entry.oid)

    def holds(self, tree: str) -> bool:
        """Whether all of `tree` is here already: it was imported, or written by `freeze`, whole."""
        return self.objects.complete(tree)

    def keep_alive(self, tree: str, *, message: str) -> None:
        """Chain `tree` to the store's one ref, so that no garbage collection takes it."""
        with machine(f"recording a tree in {self.path}"), locked(self.path / "autoresearch-chain.lock"):
            head = self.chain()
            chained = self._chained(head)
            if chained == tree:
                return
            who = f"autoresearch <autoresearch@localhost> {int(time.time())} +0000"
            parent = f"parent {head}\n" if chained else ""
            raw = f"tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}\n".encode("utf-8", "replace")
            new = self.objects.write("commit", raw.replace(b"\0", b" "))
            self.objects.settle()
            _point(self.path / CHAIN, new)
        self._tidy()

    def _chained(self, head: str | None) -> str | None:
        """The tree that the chain ends with, None when it is empty or was damaged by a power failure."""
        try:
            return self.objects.commit(head)[0] if head else None
        except InfraError:
            return None

    def chain(self) -> str | None:
        """The commit that keeps every recorded tree alive, None in a new store."""
        try:
            return (self.path / CHAIN).read_text().strip() or None
        except FileNotFoundError:
            done = git(["for-each-ref", "--format=%(objectname)", CHAIN], cwd=self.path, own=True)
            return done.decode().strip() or None

    def split(self, reference: str, full: str, steps: Sequence[tuple[int, str, str]]) -> tuple[Atom, ...]:
        """The atoms of the change `reference` → `full`; `steps` are (trial, parent tree, tree), oldest first."""
        return split(self.objects, reference, full, steps)

    def compose(self, reference: str, full: str, off: Sequence[int], onto: str | None = None) -> str | None:
        """The tree `full` without the atoms `off` (merged three-way onto `onto`, if given); None on conflict."""
        with machine(f"writing a tree to {self.path}"):
            tree = compose(self.objects, reference, full, off, onto)
            self.objects.settle()
        return tree

    def pack(self) -> int:
        """Pack every loose object now; returns how many."""
        with machine(f"packing {self.path}"):
            flushed = self.objects.journal.size()
            packed = pack(self.path)
            if packed:
                self.objects.journal.clear(flushed)
        return packed

    def _tidy(self) -> None:
        """Pack now and then. A failure costs space, not the trial: it is tried again later."""
        if self.objects.written < self._next_pack:
            return
        self._next_pack = self.objects.written + PACK_AFTER
        if not self._pack_or_wait():
            self._next_pack += PACK_AFTER * 9

    def _pack_or_wait(self) -> bool:
        try:
            self.pack()
        except InfraError:
            return False
        return True


def _make(path: Path, object_format: str) -> None:
    """Make the bare repository, whole or not at all."""
    making = path.with_name(f".{path.name}-new")
    remove(making)
    making.mkdir(mode=0o700)
    chosen = [f"--object-format={object_format}"] if object_format != "sha1" else []
    git(["init", "-q", "--bare", "--template=", *chosen], cwd=making, own=True)
    for key, value in (("gc.auto", "0"), ("core.logAllRefUpdates", "false")):
        git(["config", key, value], cwd=making, own=True)
    making.rename(path)


def _point(ref: Path, oid: str) -> None:
    """Let a ref name `oid`; after a power failure it may name an older one, which `GitStore` mends from the journal."""
    ref.parent.mkdir(parents=True, exist_ok=True)
    temporary = ref.with_name(f".{ref.name}-new")
    with temporary.open("w") as file:
        file.write(f"{oid}\n")
    temporary.replace(ref)
