"""Large trees: a kept checkout below, an empty layer above, and the freeze that reads the upper layer only."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.adapters.git.places import KEPT, OVERLAID_FILES, PLAIN_BYTES, locked
from autoresearch.adapters.git.repository import find, import_base
from autoresearch.adapters.git.store import GitStore
from autoresearch.adapters.git.workspace import Checkout

from .conftest import FILES, begin, fsck, write_tree
from .test_freeze import perform, statuses

MANY = FILES | {f"many/{index % 20}/f{index}.txt": f"{index}\n" for index in range(OVERLAID_FILES)}
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
HIDDEN = ["score.py", "holdout/**"]


def opened(place: Path, *, overlay: bool = True) -> tuple[GitStore, str]:
    begin(place / "repo", MANY)
    repository = find(place / "repo")
    store = GitStore(repository.state, overlay=overlay)
    return store, import_base(repository, store, "HEAD")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitStore, str]]:
    """One large repository for the tests that only make workspaces of it."""
    store, tree = opened(tmp_path_factory.mktemp("shared"))
    with store:
        yield store, tree


def mounted(space: Checkout, script: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script in the merged view of a workspace, and copy that view to ``merged`` beside it."""
    assert space.lower
    home = space.root.parent
    (home / "mnt").mkdir(exist_ok=True)
    (home / "script.py").write_text(textwrap.dedent(script))
    shutil.rmtree(home / "merged", ignore_errors=True)
    shell = (
        f"mount -t overlay -o 'lowerdir={space.lower},upperdir={space.root},workdir={home}/work,userxattr' o mnt "
        f"&& cd mnt && '{sys.executable}' ../script.py && cd .. && cp -a mnt merged"
    )
    return subprocess.run([*UNSHARE, "sh", "-c", shell], cwd=home, capture_output=True, text=True, check=False)


def can_mount() -> bool:
    options = "lowerdir=l,upperdir=u,workdir=w,userxattr"
    with tempfile.TemporaryDirectory() as place:
        shell = f"mkdir l u w m && mount -t overlay -o {options} o m"
        return subprocess.run([*UNSHARE, "sh", "-c", shell], cwd=place, capture_output=True).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="overlays cannot be mounted here")


def test_one_kept_checkout_serves_the_base_and_its_trials(tmp_path: Path) -> None:
    store, tree = opened(tmp_path)
    with store, store.workspace(tree, without=HIDDEN) as space:
        assert space.lower is not None
        assert list(space.root.iterdir()) == []
        assert space.files() == sorted(path for path in [*MANY, "run.sh"] if not path.startswith(("score", "holdout/")))
        assert store.freeze(space, editable=["train.py"], hidden=HIDDEN).tree == tree
        assert space.read("train.py") == FILES["train.py"]
        space.write("train.py", "LR = 7\n")
        assert space.read("train.py") == "LR = 7\n"
        frozen = store.freeze(space, editable=["train.py"], hidden=HIDDEN)
        assert statuses(frozen.changes) == {"train.py": ("modified", "file")}
        with store.workspace(frozen.tree, without=HIDDEN) as trial:
            assert trial.lower == space.lower
            assert trial.read("train.py") == "LR = 7\n"
            assert store.freeze(trial, editable=[], hidden=HIDDEN).tree == frozen.tree
        assert store.read(frozen.tree, "holdout/a.txt") == b"label a\n"
        fsck(store)


def test_deleting_in_either_layer(tmp_path: Path) -> None:
    store, tree = opened(tmp_path)
    with store, store.workspace(tree) as space:
        space.delete("train.py")
        space.write("fresh/new.txt", "x")
        space.delete("fresh/new.txt")
        space.delete("many/1/f1.txt")
        for path in ("train.py", "fresh/new.txt", "never", "many"):
            with pytest.raises(KeyError):
                space.delete(path)
        assert "train.py" not in space.files()
        with pytest.raises(KeyError):
            space.read("train.py")
        frozen = store.freeze(space, editable=["**"], hidden=[])
        assert statuses(frozen.changes) == {"train.py": ("deleted", "file"), "many/1/f1.txt": ("deleted", "file")}
        space.write("train.py", "back\n")
        assert space.read("train.py") == "back\n"
        with store.workspace(frozen.tree) as trial:
            assert trial.lower == space.lower
            assert "train.py" not in trial.files()
            assert store.freeze(trial, editable=[], hidden=[]).changes == ()


SCRIPTS = {
    "edit and delete": "open('train.py','a').write('x = 1\\n'); os.unlink('run.sh'); os.chmod('score.py', 0o755)",
    "whole directory gone": "shutil.rmtree('src')",
    "directory made anew": "shutil.rmtree('src'); os.makedirs('src/lib'); open('src/lib/other.py','w').write('o')",
    "deep directory made anew": "shutil.rmtree('src/lib'); os.makedirs('src/lib'); open('src/lib/z','w').write('o')",
    "directory becomes file": "shutil.rmtree('src'); open('src','w').write('file')",
    "file becomes directory": "os.unlink('train.py'); os.mkdir('train.py'); open('train.py/x','w').write('x')",
    "renamed file": "os.rename('train.py','src/train2.py')",
    "moved directory": "shutil.move('src','src2')",
    "deleted and written again": "os.unlink('train.py'); open('train.py','w').write('new')",
    "link": "os.unlink('train.py'); os.symlink('/etc/passwd','train.py')",
    "empty directory": "os.makedirs('a/b/c')",
}


@needs_mount
@pytest.mark.parametrize("name", SCRIPTS)
def test_what_the_kernel_leaves_is_understood(shared: tuple[GitStore, str], name: str) -> None:
    store, tree = shared
    with store.workspace(tree) as space:
        done = mounted(space, f"import os, shutil\n{SCRIPTS[name]}\n")
        assert done.returncode == 0, done.stderr
        merged = space.root.parent / "merged"
        frozen = store.freeze(space, editable=["**"], hidden=[])
        assert frozen.tree == write_tree(merged)
        assert {change.path for change in frozen.changes} == set(store.paths_touched(tree, frozen.tree))
        plain = sorted(
            str(path.relative_to(merged)) for path in merged.rglob("*") if path.is_file() and not path.is_symlink()
        )
        assert space.files() == plain
        assert all(space.read(path) == (merged / path).read_text() for path in plain)
        with store.workspace(frozen.tree) as trial:
            again = mounted(trial, "")
            assert again.returncode == 0, again.stderr
            assert write_tree(trial.root.parent / "merged") == frozen.tree
    assert not space.root.parent.exists()


@needs_mount
def test_our_own_deletions_are_what_the_kernel_takes_them_for(shared: tuple[GitStore, str]) -> None:
    store, tree = shared
    with store.workspace(tree) as space:
        done = mounted(space, "import shutil; shutil.rmtree('src')")
        assert done.returncode == 0, done.stderr
        space.delete("train.py")
        space.write("src/lib/new.py", "n = 1\n")
        space.write("many/3/f3.txt", "changed\n")
        frozen = store.freeze(space, editable=["**"], hidden=[])
        assert mounted(space, "").returncode == 0
        assert write_tree(space.root.parent / "merged") == frozen.tree
        assert store.read(frozen.tree, "src/lib/new.py") == b"n = 1\n"
        with pytest.raises(KeyError):
            store.read(frozen.tree, "src/lib/util.py")


@needs_mount
def test_random_edits_in_layers(shared: tuple[GitStore, str]) -> None:
    store, tree = shared
    names = st.sampled_from(["a", "train.py", "src", "lib", "util.py", "many", "3"])
    paths = st.lists(names, min_size=1, max_size=3).map("/".join)
    verbs = st.sampled_from(["write", "delete", "link", "chmod", "mkdir"])

    @settings(max_examples=5, deadline=None)
    @given(steps=st.lists(st.tuples(verbs, paths), max_size=10))
    def check(steps: list[tuple[str, str]]) -> None:
        with store.workspace(tree) as space:
            here = Path(__file__).parent.parent.parent.parent
            script = (
                f"import sys; sys.path[:0] = [{str(here)!r}]\nfrom pathlib import Path\n"
                f"from tests.adapters.git.test_freeze import perform\nperform(Path('.'), {steps!r})\n"
            )
            done = mounted(space, script)
            assert done.returncode == 0, done.stderr
            assert store.freeze(space, editable=["**"], hidden=[]).tree == write_tree(space.root.parent / "merged")

    check()


def test_without_overlays_large_trees_are_copied(tmp_path: Path) -> None:
    begin(tmp_path / "repo", MANY | {"big": "\0" * (PLAIN_BYTES + 1)})
    repository = find(tmp_path / "repo")
    with GitStore(repository.state, overlay=False) as store:
        tree = import_base(repository, store, "HEAD")
        with store.workspace(tree) as space:
            assert space.lower is None
            assert store.freeze(space, editable=[], hidden=[]).tree == tree
            perform(space.root, [("delete", "src"), ("write", "src"), ("write", "many/1/f1.txt")])
            frozen = store.freeze(space, editable=["**"], hidden=[])
            assert frozen.tree == write_tree(space.root)
        with store.workspace(frozen.tree, without=["many/2"]) as space:
            assert not (space.root / "many/2").exists()
            assert store.freeze(space, editable=[], hidden=["many/2"]).tree == frozen.tree
        assert len([path for path in (store.state / "trees").iterdir() if path.is_dir()]) == 2


def test_kept_checkouts_in_use_stay_and_others_go(tmp_path: Path) -> None:
    store, tree = opened(tmp_path)
    kept = store.state / "trees"
    with store, store.workspace(tree, without=["a0"]) as space:
        for index in range(1, KEPT + 3):
            with store.workspace(tree, without=[f"a{index}"]):
                pass
        assert len([path for path in kept.iterdir() if path.is_dir()]) == KEPT
        assert space.lower is not None
        assert space.lower.is_dir()


def test_leftovers_of_the_dead_are_swept_and_of_the_living_are_not(tmp_path: Path) -> None:
    store, tree = opened(tmp_path)
    work = store.state / "work"
    with store, store.workspace(tree) as space:
        dead = work / "999-1"
        (dead / "upper").mkdir(parents=True)
        (dead / "owner").touch()
        (dead / "upper").chmod(0o500)
        half = work / "999-2"
        half.mkdir()
        (store.state / "trees/.half-gone").mkdir()
        assert store.sweep() == 2
        assert space.root.is_dir()
        assert sorted(path.name for path in work.iterdir()) == sorted([".lock", space.root.parent.name])
        assert not (store.state / "trees/.half-gone").exists()
        with pytest.raises(BlockingIOError), locked(space.root.parent / "owner", fcntl.LOCK_EX | fcntl.LOCK_NB):
            pass
