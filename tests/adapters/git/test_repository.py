"""The user's repository is looked at and stays, byte for byte, what it was; nothing it names is run."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.adapters.git.apply import apply_branch, paths_touched
from autoresearch.adapters.git.repository import (
    Repository,
    base,
    dirty,
    find,
    ignored,
    import_base,
    pointers,
    refuse_branch_clash,
    submodules,
    untracked,
)
from autoresearch.adapters.git.store import GitStore
from autoresearch.domain.errors import InfraError, UsageError

from .conftest import Git, begin


def fingerprint(top: Path, *, refs: bool = True) -> dict[str, str]:
    """Everything of the user's: tracked and untracked files, HEAD, index, configuration, refs and their logs."""
    found = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if name.startswith((".git/autoresearch", ".git/objects")) or path.is_dir():
            continue
        if not refs and name.startswith((".git/refs/heads/autoresearch", ".git/logs/refs/heads/autoresearch")):
            continue
        data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()  # noqa: PTH115
        found[name] = f"{path.lstat().st_mode:o} {hashlib.sha256(data).hexdigest()}"
    return found


def booby_trap(git: Git, canary: Path) -> None:
    """Every way a repository has of running something."""
    run = f"touch '{canary}'"
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit", "post-commit",
                 "pre-auto-gc", "update", "post-update", "fsmonitor-watchman"):  # fmt: skip
        script = git.top / ".git/hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{run}\n")
        script.chmod(0o755)
    settings = {
        "core.fsmonitor": f"{run}; false",
        "core.pager": run,
        "core.editor": run,
        "diff.external": run,
        "gpg.program": str(git.top / ".git/hooks/update"),
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "filter.a b.clean": f"{run}; cat",
        "filter.a b.smudge": f"{run}; cat",
        "filter.lfs.process": run,
        "filter.lfs.required": "true",
        "diff.evil.textconv": f"{run}; cat",
    }
    for key, value in settings.items():
        git("config", key, value)
    attributes = "*.py filter=lfs diff=evil\n*.txt filter=lfs diff=evil\n"
    (git.top / ".git/info").mkdir(exist_ok=True)
    (git.top / ".git/info/attributes").write_text(attributes)


def test_nothing_changes_and_nothing_is_run(user: Git, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    booby_trap(user, canary)
    (user.top / "notes.txt").write_text("untracked\n")
    (user.top / "train.py").touch()
    (user.top / "src/lib/util.py").write_text("changed = 1\n")
    before = fingerprint(user.top)
    repository = find(user.top)
    start = base(repository)
    assert dirty(repository) == ("src/lib/util.py",)
    assert ignored(repository) == ()
    assert untracked(repository) == ("notes.txt",)
    assert pointers(repository)
    with GitStore(repository.state) as store:
        tree = import_base(repository, store, start.commit)
        with store.workspace(tree) as space:
            space.write("train.py", "LR = 4\n")
            frozen = store.freeze(space, editable=["train.py"], hidden=[])
        assert fingerprint(user.top) == before
        head = apply_branch(repository, store, "autoresearch/s", start.commit, [(frozen.tree, "LR to 4")])
        assert fingerprint(user.top, refs=False) == before
        assert not canary.exists()
    user("config", "--unset", "core.fsmonitor")
    assert user("rev-parse", "autoresearch/s").strip() == head
    assert user("fsck", "--strict") == ""


def test_where_it_lies(user: Git) -> None:
    repository = find(user.top / "src/lib")
    assert repository.top == user.top
    assert repository.state == user.top / ".git/autoresearch"
    user("worktree", "add", "-q", str(user.top.parent / "other"))
    other = find(user.top.parent / "other")
    assert other.top == user.top.parent / "other"
    assert other.state == repository.state


def no_commit(place: Path) -> object:
    Git(place)("init", "-q")
    return base(find(place))


def bare(place: Path) -> object:
    Git(place)("init", "-q", "--bare")
    return find(place)


def inside(place: Path) -> object:
    return find(begin(place / "r").top / ".git")


def clash(place: Path) -> object:
    git = begin(place / "r")
    git("branch", "autoresearch")
    refuse_branch_clash(find(git.top))
    return None


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "not a repository": (find, "not in a git repository.*git init"),
    "no such directory": (lambda place: find(place / "none"), "no such directory"),
    "no commit": (no_commit, "no commit yet"),
    "bare": (bare, "no work tree"),
    "in its git directory": (inside, "no work tree"),
    "unknown commit": (lambda place: base(find(begin(place / "r").top), "v9"), "no commit 'v9'"),
    "option as a commit": (lambda place: base(find(begin(place / "r").top), "--all"), "no commit '--all'"),
    "branch in the way": (clash, "git branch -m autoresearch"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_has_its_message(tmp_path: Path, name: str) -> None:
    call, words = MISTAKES[name]
    with pytest.raises(UsageError, match=words):
        call(tmp_path)


def test_surroundings_of_another_git_call_are_ignored(
    user: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    assert dirty(find(user.top)) == ()


def test_what_counts_as_a_change(user: Git, repository: Repository) -> None:
    (user.top / "train.py").touch()
    assert dirty(repository) == ()
    (user.top / "run.sh").chmod(0o644)
    (user.top / "score.py").unlink()
    (user.top / "outside").unlink()
    (user.top / "outside").symlink_to("/etc/hosts")
    (user.top / "a b'; echo foo").write_text("edited\n")
    (user.top / "new.py").write_text("staged\n")
    user("add", "new.py")
    (user.top / "free.py").write_text("untracked\n")
    os.mkfifo(user.top / "pipe")
    (user.top / "holdout/a.txt").unlink()
    os.mkfifo(user.top / "holdout/a.txt")
    assert set(dirty(repository)) == {"run.sh", "score.py", "outside", "a b'; echo foo", "new.py", "holdout/a.txt"}


def test_line_ends_that_git_converts_are_no_change(tmp_path: Path) -> None:
    git = begin(tmp_path / "repo", {".gitattributes": "*.txt text eol=crlf\n", "a.txt": "one\r\ntwo\r\n"})
    git("rm", "-q", "--cached", "a.txt")
    git("add", "a.txt")
    os.utime(git.top / "a.txt", (1, 1))
    assert dirty(find(git.top)) == ()
    (git.top / "a.txt").write_bytes(b"one\r\nthree\r\n")
    assert dirty(find(git.top)) == ("a.txt",)


def test_ignored_directories_are_not_entered(user: Git, repository: Repository) -> None:
    (user.top / ".gitignore").write_text("data/\n.venv\n*.log\n")
    for name in ("data/raw/x", "data/y", ".venv/bin/python", "a.log"):
        (user.top / name).parent.mkdir(parents=True, exist_ok=True)
        (user.top / name).write_text("x")
    assert ignored(repository) == (".venv/", "a.log", "data/")


def test_submodules_and_incomplete_clones(user: Git, tmp_path: Path) -> None:
    user("submodule", "add", "-q", str(begin(tmp_path / "inner").top), "sub")
    user("commit", "-q", "-m", "sub")
    assert submodules(find(user.top), "HEAD") == ("sub",)
    user("config", "uploadpack.allowFilter", "true")
    clone = Git(tmp_path)
    clone("clone", "-q", "--no-checkout", "--filter=blob:none", user.top.as_uri(), "partial")
    repository = find(tmp_path / "partial")
    with GitStore(repository.state) as store, pytest.raises(UsageError, match=r"not complete here.*git fetch"):
        import_base(repository, store, "HEAD")


def test_importing_again_costs_nothing(repository: Repository, store: GitStore, tree: str) -> None:
    packs = sorted((store.path / "objects/pack").iterdir())
    assert import_base(repository, store, "HEAD") == tree
    assert sorted((store.path / "objects/pack").iterdir()) == packs


# ---------------------------------------------------------------- apply


def edit(store: GitStore, tree: str, text: str) -> str:
    with store.workspace(tree) as space:
        space.write("train.py", text)
        return store.freeze(space, editable=["train.py"], hidden=[]).tree


def test_a_branch_of_clean_commits(user: Git, repository: Repository, store: GitStore, tree: str) -> None:
    commit = base(repository).commit
    one, two = edit(store, tree, "LR = 1\n"), edit(store, tree, "LR = 2\n")
    commits = [(one, "LR to 1\n\n# effect 0.5 [0.4, 0.6]\n"), (two, "LR to 2 ü")]
    head = apply_branch(repository, store, "autoresearch/study", commit, commits)
    assert user("show", f"{head}:train.py") == "LR = 2\n"
    assert user("log", "--format=%s|%b|%T", f"{commit}..{head}").split("\n")[0] == f"LR to 2 ü||{two}"
    assert "# effect 0.5 [0.4, 0.6]" in user("log", "--format=%B", head)
    assert user("diff", "--stat", head, f"{head}~2", "--", "src") == ""
    assert paths_touched(store, tree, two) == ("train.py",)
    assert apply_branch(repository, store, "autoresearch/study", commit, commits) == head
    assert user("status", "--porcelain") == ""
    with pytest.raises(UsageError, match="exists with other commits"):
        apply_branch(repository, store, "autoresearch/study", commit, commits[:1])
    assert apply_branch(repository, store, "autoresearch/study", commit, commits[:1], force=True) != head
    user("fsck", "--strict")


def test_branches_that_cannot_be_made(user: Git, repository: Repository, store: GitStore, tree: str) -> None:
    commit = base(repository).commit
    commits = [(edit(store, tree, "LR = 1\n"), "x")]
    with pytest.raises(UsageError, match="no name for a branch"):
        apply_branch(repository, store, "autoresearch/a b..c", commit, commits)
    apply_branch(repository, store, "autoresearch/deep/er", commit, commits)
    with pytest.raises(UsageError, match="could not be made"):
        apply_branch(repository, store, "autoresearch/deep", commit, commits)
    user("checkout", "-q", "autoresearch/deep/er")
    with pytest.raises(UsageError, match="checked out in"):
        apply_branch(repository, store, "autoresearch/deep/er", commit, [], force=True)
    user("checkout", "-q", "-b", "autoresearch-other")
    user("branch", "-q", "-D", "autoresearch/deep/er")
    user("branch", "-q", "autoresearch")
    with pytest.raises(UsageError, match="branch named 'autoresearch'"):
        apply_branch(repository, store, "autoresearch/study", commit, commits)


def test_commits_name_the_user(
    user: Git, repository: Repository, store: GitStore, tree: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": tmp_path, "XDG_CONFIG_HOME": tmp_path, "GIT_CONFIG_NOSYSTEM": 1}.items():
        monkeypatch.setenv(name, str(value))
    commits = [(edit(store, tree, "LR = 1\n"), "x")]
    user("config", "user.name", "Ada L")
    user("config", "user.email", "ada@example.org")
    head = apply_branch(repository, store, "autoresearch/named", "HEAD", commits)
    assert user("log", "-1", "--format=%an <%ae>", head) == "Ada L <ada@example.org>\n"
    user("config", "--unset", "user.name")
    user("config", "--unset", "user.email")
    user("config", "user.useConfigOnly", "true")
    head = apply_branch(repository, store, "autoresearch/nameless", "HEAD", commits)
    assert user("log", "-1", "--format=%an <%ce>", head) == "autoresearch <autoresearch@localhost>\n"


def test_a_tool_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="install git"):
        find(tmp_path)


def test_what_git_says_reaches_the_reader(repository: Repository, tmp_path: Path) -> None:
    (repository.state / "store.git").mkdir(parents=True)
    (repository.state / "store.git" / "HEAD").write_text("broken")
    with pytest.raises(InfraError, match=r"store\.git: fatal: not a git repository"):
        GitStore(repository.state)
    assert subprocess.run(["git", "status"], cwd=repository.top, capture_output=True, check=False).returncode == 0
