"""What a workspace holds becomes exactly the tree that git would write, and nothing in it is obeyed."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoresearch.adapters.git.repository import Repository, base, find, import_base
from autoresearch.adapters.git.store import GitStore
from autoresearch.domain.model import Change

from .conftest import FILES, Git, begin, fsck, write_tree

ALL = ["**"]


def statuses(changes: tuple[Change, ...]) -> dict[str, tuple[str, str]]:
    return {change.path: (change.status, change.kind) for change in changes}


def test_an_unchanged_workspace_is_the_same_tree(store: GitStore, tree: str, user: Git) -> None:
    assert tree == user("write-tree").strip()
    with store.workspace(tree) as space:
        frozen = store.freeze(space, editable=["train.py"], hidden=[])
        assert (frozen.tree, frozen.changes, frozen.dropped) == (tree, (), ())
        assert write_tree(space.root) == tree
        assert space.files() == sorted([*FILES, "run.sh"])
        assert (space.root / "outside").readlink() == Path("/etc/passwd")
    assert not space.root.exists()
    fsck(store)


def test_whatever_the_repository_is_called(odd: Path) -> None:
    begin(odd / "repo")
    repository = find(odd / "repo" / "src")
    with GitStore(repository.state) as store:
        tree = import_base(repository, store, base(repository).commit)
        with store.workspace(tree) as space:
            space.write("train.py", "LR = 1\n")
            frozen = store.freeze(space, editable=["train.py"], hidden=[])
            assert frozen.tree == write_tree(space.root)
        store.keep_alive(frozen.tree, message="kept")
        fsck(store)


def test_sha256_repositories(tmp_path: Path) -> None:
    git = begin(tmp_path / "repo", FILES, "--object-format=sha256")
    repository = find(git.top)
    with GitStore(repository.state, object_format=repository.object_format) as store:
        tree = import_base(repository, store, base(repository).commit)
        assert len(tree) == 64
        with store.workspace(tree) as space:
            space.write("train.py", "LR = 1\n")
            frozen = store.freeze(space, editable=["train.py"], hidden=[])
            assert frozen.tree == write_tree(space.root, "sha256")
        assert store.pack() > 0
        fsck(store)


def test_changes_are_reported_with_their_text(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        space.write("train.py", "LR = 2\n")
        (space.root / "run.sh").chmod(0o644)
        (space.root / "score.py").unlink()
        (space.root / "src/new.bin").write_bytes(b"\0\xff")
        frozen = store.freeze(space, editable=["train.py", "src/**"], hidden=[])
        assert frozen.tree == write_tree(space.root)
    assert statuses(frozen.changes) == {
        "run.sh": ("modified", "file"),
        "score.py": ("deleted", "file"),
        "src/new.bin": ("added", "file"),
        "train.py": ("modified", "file"),
    }
    by_path = {change.path: change for change in frozen.changes}
    assert by_path["train.py"].text == "LR = 2\n"
    assert by_path["train.py"].size == 7
    assert by_path["src/new.bin"].text is None
    assert not by_path["run.sh"].executable
    fsck(store)


def test_new_files_outside_editable_are_dropped(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        (space.root / "__pycache__").mkdir()
        (space.root / "__pycache__/x.pyc").write_bytes(b"x")
        (space.root / "run.log").write_text("log")
        (space.root / "link").symlink_to("/etc/shadow")
        (space.root / "empty").mkdir()
        (space.root / "src/lib/note.txt").write_text("n")
        frozen = store.freeze(space, editable=["train.py"], hidden=[])
    assert frozen.tree == tree
    assert frozen.dropped == ("__pycache__/", "link", "run.log", "src/lib/note.txt")


def test_hidden_files_are_absent_and_come_back(store: GitStore, tree: str) -> None:
    hidden = ["score.py", "holdout/**"]
    with store.workspace(tree, without=hidden) as space:
        assert not (space.root / "score.py").exists()
        assert not (space.root / "holdout").exists()
        assert "score.py" not in space.files()
        with pytest.raises(KeyError):
            space.read("score.py")
        (space.root / "score.py").write_text("SECRET = 0\n")
        (space.root / "holdout").mkdir()
        (space.root / "holdout/a.txt").write_text("forged")
        space.write("train.py", "LR = 3\n")
        frozen = store.freeze(space, editable=ALL, hidden=hidden)
    assert statuses(frozen.changes) == {"train.py": ("modified", "file")}
    assert frozen.dropped == ("holdout/a.txt", "score.py")
    assert store.read(frozen.tree, "score.py") == b"SECRET = 42\n"
    assert store.paths_touched(tree, frozen.tree) == ("train.py",)


def test_a_hidden_directory_may_be_named_without_stars(store: GitStore, tree: str) -> None:
    with store.workspace(tree, without=["holdout"]) as space:
        assert not (space.root / "holdout").exists()
        (space.root / "holdout").mkdir()
        assert store.freeze(space, editable=ALL, hidden=["holdout"]).dropped == ()
        (space.root / "holdout/a.txt").write_text("forged")
        frozen = store.freeze(space, editable=ALL, hidden=["holdout"])
    assert (frozen.tree, frozen.dropped) == (tree, ("holdout/",))


@pytest.mark.parametrize("make", ["link", "file"])
def test_nothing_takes_the_place_of_a_hidden_directory(store: GitStore, tree: str, make: str) -> None:
    with store.workspace(tree, without=["holdout/**"]) as space:
        if make == "link":
            (space.root / "holdout").symlink_to("/etc")
        else:
            (space.root / "holdout").write_text("x")
        frozen = store.freeze(space, editable=ALL, hidden=["holdout/**"])
    assert frozen.tree == tree
    assert frozen.dropped == ("holdout",)


def test_links_are_recorded_and_never_followed(store: GitStore, tree: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("canary")
    with store.workspace(tree) as space:
        (space.root / "train.py").unlink()
        (space.root / "train.py").symlink_to(secret / "key")
        shutil.rmtree(space.root / "src")
        (space.root / "src").symlink_to(secret)
        for path in ("train.py", "src/key", "../secret/key", "/etc/passwd", "outside", ".git/config", "", "a//b"):
            with pytest.raises(KeyError):
                space.read(path)
        with pytest.raises(KeyError):
            space.write("src/key", "overwritten")
        space.write("outside", "now a file\n")
        frozen = store.freeze(space, editable=ALL, hidden=[])
        assert frozen.tree == write_tree(space.root)
    assert statuses(frozen.changes)["train.py"] == ("modified", "symlink")
    assert statuses(frozen.changes)["src"] == ("added", "symlink")
    assert (secret / "key").read_text() == "canary"
    assert all(change.text is None or "canary" not in change.text for change in frozen.changes)
    assert Path("/etc/passwd").read_text() != "now a file\n"


def test_devices_sockets_and_pipes_are_named_and_not_stored(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        (space.root / "train.py").unlink()
        os.mkfifo(space.root / "train.py")
        server = socket.socket(socket.AF_UNIX)
        here = os.open(space.root, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/s")
        server.close()
        os.close(here)
        os.mkfifo(space.root / "pipe")
        frozen = store.freeze(space, editable=["train.py", "s"], hidden=[])
    assert statuses(frozen.changes) == {"train.py": ("modified", "other"), "s": ("added", "other")}
    assert frozen.dropped == ("pipe",)
    with pytest.raises(KeyError):
        store.read(frozen.tree, "train.py")


def test_a_planted_git_directory_is_left_out_and_never_obeyed(store: GitStore, tree: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with store.workspace(tree) as space:
        for place in (space.root, space.root / "src"):
            Git(place)("init", "-q")
            Git(place)("config", "core.fsmonitor", f"touch '{canary}'; false")
            Git(place)("config", "filter.evil.clean", f"touch '{canary}'; cat")
            for hook in ("post-checkout", "pre-commit", "post-index-change"):
                script = place / ".git/hooks" / hook
                script.parent.mkdir(exist_ok=True)
                script.write_text(f"#!/bin/sh\ntouch '{canary}'\n")
                script.chmod(0o755)
        (space.root / ".gitattributes").write_text("* filter=evil\n")
        (space.root / ".GIT").mkdir()
        space.write("train.py", "LR = 5\n")
        frozen = store.freeze(space, editable=ALL, hidden=[])
        store.diff(tree, frozen.tree)
        store.keep_alive(frozen.tree, message="x")
    assert not canary.exists()
    assert set(frozen.dropped) == {".git", ".GIT", "src/.git"}
    assert set(statuses(frozen.changes)) == {".gitattributes", "train.py"}
    fsck(store)


def test_files_closed_to_us_are_read_all_the_same(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        (space.root / "train.py").write_text("LR = 9\n")
        (space.root / "train.py").chmod(0)
        (space.root / "src/lib").chmod(0)
        frozen = store.freeze(space, editable=["train.py"], hidden=[])
        (space.root / "src/lib").chmod(0)
        (space.root / "src").chmod(0o500)
    assert store.read(frozen.tree, "train.py") == b"LR = 9\n"
    assert not space.root.parent.exists()


def test_the_same_size_and_time_do_not_hide_a_change(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        before = (space.root / "train.py").stat()
        text = space.read("train.py")
        (space.root / "train.py").write_text(text.replace("0.001", "0.002"))
        os.utime(space.root / "train.py", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert store.freeze(space, editable=["train.py"], hidden=[]).tree != tree


def test_names_that_are_no_text(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        (space.root / os.fsdecode(b"bad\xff.py")).write_bytes(b"x = 1\n")
        frozen = store.freeze(space, editable=["*.py"], hidden=[])
        assert frozen.tree == write_tree(space.root)
    assert [change.path for change in frozen.changes] == ["bad\\xff.py"]
    with store.workspace(frozen.tree) as space:
        assert store.freeze(space, editable=[], hidden=[]).tree == frozen.tree
        assert os.fsdecode(b"bad\xff.py") in space.files()


def test_large_files_and_deep_directories(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        with (space.root / "big.bin").open("wb") as file:
            for index in range(9):
                file.write(bytes([index]) * (1 << 20))
        place = space.root
        for _ in range(100):
            place = place / "d"
            place.mkdir()
        (place / "x.txt").write_text("deep")
        frozen = store.freeze(space, editable=ALL, hidden=[])
        assert frozen.tree == write_tree(space.root)
        at = os.open(place, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=at)
            inner = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = inner
        os.close(at)
        deep = store.freeze(space, editable=ALL, hidden=[])
        assert deep.tree == frozen.tree
        assert len(deep.dropped) == 1
    assert not space.root.exists()
    with store.workspace(frozen.tree) as space:
        assert (space.root / "big.bin").stat().st_size == 9 << 20
    fsck(store)


def test_many_dropped_files_are_counted(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        for index in range(1100):
            (space.root / f"f{index:04}.log").touch()
        dropped = store.freeze(space, editable=["train.py"], hidden=[]).dropped
    assert len(dropped) == 1001
    assert dropped[-1] == "… and 100 more"


def test_submodules_stay_what_they_are(tmp_path: Path) -> None:
    inner = begin(tmp_path / "inner", {"x": "x\n"})
    git = begin(tmp_path / "repo")
    git("submodule", "add", "-q", str(inner.top), "sub")
    git("commit", "-q", "-m", "with submodule")
    repository = find(git.top)
    with GitStore(repository.state) as store:
        tree = import_base(repository, store, "HEAD")
        with store.workspace(tree) as space:
            assert list((space.root / "sub").iterdir()) == []
            (space.root / "sub/new.txt").write_text("x")
            frozen = store.freeze(space, editable=["**"], hidden=[])
            assert (frozen.tree, frozen.dropped) == (tree, ("sub/",))
            shutil.rmtree(space.root / "sub")
            assert store.freeze(space, editable=["**"], hidden=[]).tree == tree
            (space.root / "sub").write_text("now a file")
            assert statuses(store.freeze(space, editable=["**"], hidden=[]).changes) == {"sub": ("modified", "file")}


NAMES = st.sampled_from(["a", "b", "c.py", "train.py", "src", "ü"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
STEPS = st.lists(st.tuples(st.sampled_from(["write", "delete", "link", "chmod", "mkdir"]), PATHS), max_size=12)


def perform(root: Path, steps: list[tuple[str, str]]) -> None:
    """What a program might do to its directory; impossible steps are left out."""
    for verb, path in steps:
        place = root / path
        try:
            if verb == "delete":
                place.unlink() if place.is_symlink() or place.is_file() else shutil.rmtree(place)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if verb == "write":
                place.write_text(f"{path}\n")
            elif verb == "link":
                place.symlink_to("a")
            elif verb == "mkdir":
                place.mkdir()
            elif not place.is_symlink():
                place.chmod(0o755)
        except OSError:
            continue


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, more=STEPS)
def test_any_edit_gives_the_tree_that_git_writes(
    store: GitStore, tree: str, steps: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    with store.workspace(tree) as space:
        perform(space.root, steps)
        frozen = store.freeze(space, editable=ALL, hidden=[])
        assert frozen.tree == write_tree(space.root)
    assert {change.path for change in frozen.changes} == set(store.paths_touched(tree, frozen.tree))
    with store.workspace(frozen.tree) as space:
        assert store.freeze(space, editable=ALL, hidden=[]).tree == frozen.tree
        perform(space.root, more)
        assert store.freeze(space, editable=ALL, hidden=[]).tree == write_tree(space.root)


def test_the_store_is_closed_to_others(repository: Repository, store: GitStore) -> None:
    assert repository.state.stat().st_mode & 0o777 == 0o700
    assert store.path.parent == repository.state
