"""The user's repository: looked at, never changed (`apply` alone adds a branch to it).

No hook, filter or monitor that it names is run, no lock is taken, no index refreshed.
"""

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.adapters.git.command import attempt, command, environment, git, machine, words
from autoresearch.adapters.git.freeze import shown
from autoresearch.adapters.git.store import GitStore
from autoresearch.domain.errors import InfraError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The commit a study starts from."""

    commit: str
    tree: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where the user's repository lies."""

    top: Path
    """Top of the work tree."""
    common: Path
    """The git directory that all its work trees share."""
    object_format: str

    @property
    def state(self) -> Path:
        """Where all state of all studies of this repository lies."""
        return self.common / "autoresearch"


def find(start: Path) -> Repository:
    """The repository that `start` lies in. Raises `UsageError` when there is none that could be used."""
    done = attempt(["rev-parse", "--is-bare-repository", "--show-object-format", "--git-common-dir"], cwd=start)
    if done.returncode:
        said = words(done)
        if "dubious ownership" in said:
            raise UsageError(f"{start}: git does not trust this repository's owner: {said}")
        raise UsageError(f"{start} is not in a git repository: run `git init` there and commit the files first")
    bare, object_format, *_ = done.stdout.decode().split()
    top = attempt(["rev-parse", "--show-toplevel"], cwd=start)
    if bare == "true" or top.returncode:
        raise UsageError(f"{start} has no work tree (a bare repository, or its git directory): go to a checkout of it")
    common = git(["rev-parse", "--git-common-dir"], cwd=start)
    return Repository(
        top=Path(_line(top.stdout)), common=(start / _line(common)).resolve(), object_format=object_format
    )


def base(repository: Repository, commit: str = "HEAD") -> Base:
    """The commit that `commit` names. Raises `UsageError` when there is none."""
    found = []
    for suffix in ("^{commit}", "^{tree}"):
        arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", commit + suffix]
        done = attempt(arguments, cwd=repository.top)
        if done.returncode and commit == "HEAD":
            raise UsageError(f"{repository.top} has no commit yet: commit the files a study is to start from")
        if done.returncode:
            raise UsageError(f"{repository.top} has no commit {commit!r}: name one that `git log` shows")
        found.append(_line(done.stdout))
    return Base(commit=found[0], tree=found[1])


def refuse_branch_clash(repository: Repository) -> None:
    """Raise `UsageError` when a branch named ``autoresearch`` keeps ``autoresearch/<study>`` from being made."""
    arguments = ["show-ref", "--verify", "--quiet", "refs/heads/autoresearch"]
    if attempt(arguments, cwd=repository.top).returncode == 0:
        raise UsageError(
            f"{repository.top} has a branch named 'autoresearch', so no branch 'autoresearch/<study>' can be made: "
            "rename it with `git branch -m autoresearch autoresearch-old`"
        )


def dirty(repository: Repository) -> tuple[str, ...]:
    """Tracked files with uncommitted changes, staged or not; untracked files do not count."""
    safe = _unfiltered(repository)
    staged = git(["diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD", "--"], cwd=repository.top,
                 settings=safe)  # fmt: skip
    found = {os.fsdecode(path) for path in staged.split(b"\0") if path}
    raw = git(["diff-files", "--raw", "--no-abbrev", "--ignore-submodules=dirty", "-z"], cwd=repository.top,
              settings=safe)  # fmt: skip
    fields = raw.split(b"\0")
    for meta, path in zip(fields[::2], fields[1::2], strict=False):
        mode, _, oid, *_ = meta[1:].split(b" ")
        if not _same(repository, os.fsdecode(path), mode, oid.decode(), safe):
            found.add(os.fsdecode(path))
    return tuple(shown(path) for path in sorted(found))


def ignored(repository: Repository) -> tuple[str, ...]:
    """What git ignores, directories (with a final slash) not entered: candidates for a run's inputs."""
    arguments = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    raw = git(arguments, cwd=repository.top, settings=_unfiltered(repository))
    return tuple(sorted(os.fsdecode(path) for path in raw.split(b"\0") if path))


def untracked(repository: Repository) -> tuple[str, ...]:
    """New files that git neither tracks nor ignores."""
    raw = git(
        ["ls-files", "--others", "--exclude-standard", "-z"], cwd=repository.top, settings=_unfiltered(repository)
    )
    return tuple(sorted(os.fsdecode(path) for path in raw.split(b"\0") if path))


def submodules(repository: Repository, tree: str) -> tuple[str, ...]:
    """Paths of submodules: empty directories in every workspace."""
    return tuple(path for mode, path in _listed(repository, tree) if mode == b"160000")


def pointers(repository: Repository) -> tuple[str, ...]:
    """Tracked files kept by a content filter (Git LFS): a workspace shows their pointers, not their contents."""
    listing = git(["ls-files", "-z"], cwd=repository.top)
    raw = git(["check-attr", "-z", "--stdin", "filter"], cwd=repository.top, data=listing)
    fields = raw.split(b"\0")
    triples = zip(fields[::3], fields[2::3], strict=False)
    return tuple(os.fsdecode(path) for path, value in triples if value not in (b"unspecified", b"unset", b""))


def import_base(repository: Repository, store: GitStore, commit: str) -> str:
    """Copy the tree of `commit` into the trusted store and return it. Raises `UsageError` when parts are not here."""
    tree = base(repository, commit).tree
    if store.holds(tree):
        return tree
    target = store.path / "objects" / "pack"
    with machine(f"copying {commit} into {store.path}"):
        target.mkdir(parents=True, exist_ok=True)
        packing = ["pack-objects", "--revs", "--quiet", "--window=0", "--threads=1", "--delta-base-offset", "--stdout"]
        source = subprocess.Popen(
            command(packing, settings=_unfiltered(repository)),
            cwd=repository.top,
            env=environment(own=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert source.stdin
        assert source.stderr
        source.stdin.write(f"{tree}\n".encode())
        source.stdin.close()
        taken = subprocess.run(
            command(["index-pack", "--stdin", "--keep=base", "--threads=1"]),
            cwd=store.path,
            env=environment(own=True),
            stdin=source.stdout,
            capture_output=True,
            check=False,
        )
        said = " ".join(source.stderr.read().decode("utf-8", "replace").split())[:500]
        source.stderr.close()
        assert source.stdout
        source.stdout.close()
    if source.wait():
        raise UsageError(
            f"{repository.top}: the tree of {commit} is not complete here (a partial clone, or damaged: {said}): "
            "fetch all of it with `git fetch --refetch --no-filter`, or run `git fsck`"
        )
    if taken.returncode:
        raise InfraError(f"the base could not be written to {store.path}: {words(taken)}")
    return tree


# ---------------------------------------------------------------- details


def _line(raw: bytes) -> str:
    """One line of git's output, which may be a path with spaces or line feeds in it."""
    return os.fsdecode(raw.removesuffix(b"\n"))


def _listed(repository: Repository, tree: str) -> Iterator[tuple[bytes, str]]:
    raw = git(["ls-tree", "-r", "-z", "--full-tree", tree], cwd=repository.top)
    for line in raw.split(b"\0"):
        if line:
            meta, path = line.split(b"\t", 1)
            yield meta.split(b" ")[0], os.fsdecode(path)


def _unfiltered(repository: Repository) -> Sequence[str]:
    """Settings that switch off every content filter that the repository or the user has set up."""
    raw = git(["config", "--list", "--name-only", "-z"], cwd=repository.top)
    keys = [os.fsdecode(key) for key in raw.split(b"\0") if key.lower().startswith(b"filter.")]
    names = sorted({key[len("filter.") : key.rindex(".")] for key in keys if key.count(".") >= 2})
    if odd := [name for name in names if "=" in name]:
        raise UsageError(f"{repository.top}: the filter {odd[0]!r} cannot be switched off: take the '=' from its name")
    settings = []
    for name in names:
        settings += [f"filter.{name}.{verb}=" for verb in ("clean", "smudge", "process")]
        settings.append(f"filter.{name}.required=false")
    return settings


def _same(repository: Repository, path: str, mode: bytes, oid: str, safe: Sequence[str]) -> bool:
    """Whether the file at `path` is the blob `oid`: byte for byte, or once its line ends are those git stores."""
    place = repository.top / path
    try:
        status = place.lstat()
        if mode == b"120000" and stat.S_ISLNK(status.st_mode):
            return _named(repository, os.fsencode(place.readlink())) == oid
        if mode not in (b"100644", b"100755") or not stat.S_ISREG(status.st_mode):
            return False
        if bool(status.st_mode & stat.S_IXUSR) != (mode == b"100755"):
            return False
        if _named(repository, place.read_bytes()) == oid:
            return True
    except OSError:
        return False
    done = attempt(["hash-object", "--", path], cwd=repository.top, settings=safe)
    return done.returncode == 0 and _line(done.stdout) == oid


def _named(repository: Repository, data: bytes) -> str:
    """The object name of `data` as a blob."""
    return hashlib.new(repository.object_format, b"blob %d\0%s" % (len(data), data)).hexdigest()
