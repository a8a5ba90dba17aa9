"""Results brought into the user's repository: one new branch of clean commits.

HEAD, index, work tree and every other ref stay as they are; objects are only ever added.
"""

import re
from collections.abc import Sequence

from autoresearch.adapters.git.command import attempt, git, words
from autoresearch.adapters.git.objects import GITLINK, TREE, Objects
from autoresearch.adapters.git.repository import Repository, base, refuse_branch_clash
from autoresearch.adapters.git.store import GitStore
from autoresearch.domain.errors import UsageError


def apply_branch(
    repository: Repository,
    store: GitStore,
    branch: str,
    base_commit: str,
    commits: Sequence[tuple[str, str]],
    *,
    force: bool = False,
) -> str:
    """Make `branch` a chain of commits (tree, message) on `base_commit`; returns its head.

    A branch that holds exactly this already is left alone. Raises `UsageError` when it holds something else (unless
    `force`), is checked out somewhere, or cannot be made.
    """
    ref = f"refs/heads/{branch}"
    if attempt(["check-ref-format", ref], cwd=repository.top).returncode:
        raise UsageError(f"{branch!r} is no name for a branch: choose letters, digits, '-' and '_'")
    if branch.startswith("autoresearch/"):
        refuse_branch_clash(repository)
    start = base(repository, base_commit)
    head = _head(repository, ref)
    if head and _holds(repository, start.commit, head, commits):
        return head
    if head and not force:
        raise UsageError(f"the branch {branch} exists with other commits: rename or delete it, or apply with --force")
    if place := _checked_out(repository, ref):
        raise UsageError(f"the branch {branch} is checked out in {place}: switch to another branch there first")
    _copy(repository, store, start.tree, [tree for tree, _ in commits])
    new = start.commit
    for tree, message in commits:
        new = _commit(repository, tree, new, message)
    arguments = ["update-ref", "-m", "autoresearch: apply", ref, new, head or "0" * len(new)]
    done = attempt(arguments, cwd=repository.top, env=_identity(repository))
    if done.returncode:
        raise UsageError(f"the branch {branch} could not be made: {words(done)}")
    return new


def paths_touched(store: GitStore, old: str, new: str) -> tuple[str, ...]:
    """Every path at which two trees differ."""
    return store.paths_touched(old, new)


def _head(repository: Repository, ref: str) -> str | None:
    done = attempt(["rev-parse", "--verify", "--quiet", ref], cwd=repository.top)
    return done.stdout.decode().strip() or None


def _holds(repository: Repository, start: str, head: str, commits: Sequence[tuple[str, str]]) -> bool:
    """Whether the branch is exactly these commits on the base."""
    chain = head
    for tree, message in reversed(commits):
        raw = git(["cat-file", "commit", chain], cwd=repository.top)
        top, _, text = raw.partition(b"\n\n")
        parents = re.findall(rb"^parent ([0-9a-f]+)$", top, re.MULTILINE)
        if f"tree {tree}".encode() not in top.splitlines() or text != _message(message) or len(parents) != 1:
            return False
        chain = parents[0].decode()
    return chain == start


def _checked_out(repository: Repository, ref: str) -> str | None:
    """The work tree that has the branch checked out."""
    listing = git(["worktree", "list", "--porcelain"], cwd=repository.top).decode("utf-8", "replace")
    for block in listing.split("\n\n"):
        if f"branch {ref}" in block.splitlines():
            return block.splitlines()[0].removeprefix("worktree ")
    return None


def _copy(repository: Repository, store: GitStore, base_tree: str, trees: Sequence[str]) -> None:
    """Bring the objects that the base does not hold into the user's repository."""
    missing: dict[str, None] = {}
    for tree in trees:
        _gather(store.objects, base_tree, tree, missing)
    if missing:
        listing = "".join(f"{oid}\n" for oid in missing).encode()
        packed = git(["pack-objects", "-q", "--stdout", "--threads=1"], cwd=store.path, own=True, data=listing)
        git(["unpack-objects", "-q"], cwd=repository.top, data=packed)


def _gather(objects: Objects, old: str | None, new: str, found: dict[str, None]) -> None:
    """The objects below the tree `new` that lie not at the same place of `old`."""
    if old == new or new in found:
        return
    found[new] = None
    before = objects.tree(old) if old else {}
    for name, entry in objects.tree(new).items():
        was = before.get(name)
        if was == entry or entry.mode == GITLINK:
            continue
        if entry.mode == TREE:
            _gather(objects, was.oid if was and was.mode == TREE else None, entry.oid, found)
        else:
            found[entry.oid] = None


def _message(message: str) -> bytes:
    return (message.strip("\n").replace("\0", " ") + "\n").encode("utf-8", "replace")


def _commit(repository: Repository, tree: str, parent: str, message: str) -> str:
    raw = git(
        ["commit-tree", tree, "-p", parent],
        cwd=repository.top,
        data=_message(message),
        env=_identity(repository),
        settings=["commit.gpgSign=false"],
    )
    return raw.decode().strip()


def _identity(repository: Repository) -> dict[str, str]:
    """Nothing when git knows who the user is, else a stand-in."""
    known = (attempt(["var", f"GIT_{role}_IDENT"], cwd=repository.top) for role in ("AUTHOR", "COMMITTER"))
    if all(done.returncode == 0 for done in known):
        return {}
    fallback = {"NAME": "autoresearch", "EMAIL": "autoresearch@localhost"}
    return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in fallback.items()}
