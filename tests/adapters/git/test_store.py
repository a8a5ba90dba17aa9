"""The store keeps what it was given: packed, chained, across power failures and several processes."""

import multiprocessing
import os
import subprocess
import time
from pathlib import Path

import pytest

from autoresearch.adapters.git.repository import Repository
from autoresearch.adapters.git.store import CHAIN, GitStore
from autoresearch.domain.errors import InfraError

from .conftest import fsck


def trial(store: GitStore, tree: str, number: int) -> str:
    """One trial of a single edited line."""
    with store.workspace(tree) as space:
        space.write("train.py", space.read("train.py").replace("0.001", f"0.{number:09}"))
        frozen = store.freeze(space, editable=["train.py"], hidden=[])
    store.keep_alive(frozen.tree, message=f"trial {number}")
    return frozen.tree


def loose(store: GitStore) -> int:
    return sum(1 for path in (store.path / "objects").glob("??/*"))


def packs(store: GitStore) -> int:
    return len(list((store.path / "objects/pack").glob("*.pack")))


def test_every_recorded_tree_survives_a_collection(store: GitStore, tree: str) -> None:
    trees = [trial(store, tree, number) for number in range(1, 6)]
    subprocess.run(["git", "gc", "-q", "--prune=now"], cwd=store.path, check=True)
    head = subprocess.run(["git", "log", "--format=%T %s", CHAIN], cwd=store.path, capture_output=True, check=True)
    lines = [f"{tree} trial {number}" for number, tree in enumerate(trees, start=1)]
    assert head.stdout.decode().splitlines() == lines[::-1]
    assert trial(store, tree, 6) not in trees
    assert store.read(trees[0], "train.py").startswith(b"LR = 0.000000001\n")
    fsck(store)


def test_keeping_the_same_tree_twice_adds_nothing(store: GitStore, tree: str) -> None:
    store.keep_alive(tree, message="once")
    head = store.chain()
    store.keep_alive(tree, message="again")
    assert store.chain() == head


def test_packing_loses_nothing_and_joins_packs(store: GitStore, tree: str) -> None:
    trees = []
    for number in range(1, 41):
        trees.append(trial(store, tree, number))
        if number % 2 == 0:
            assert store.pack() == 6
    assert loose(store) == 0
    assert packs(store) < 14
    assert all(store.read(one, "train.py").split()[2] == f"0.{n:09}".encode() for n, one in enumerate(trees, start=1))
    fsck(store)


def test_an_unreachable_tree_is_packed_too(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        space.write("train.py", "unreachable = 1\n")
        frozen = store.freeze(space, editable=["train.py"], hidden=[])
    assert store.pack() == 2
    store.close()
    assert store.read(frozen.tree, "train.py") == b"unreachable = 1\n"


def test_a_power_failure_takes_nothing_that_was_promised(repository: Repository, store: GitStore, tree: str) -> None:
    kept = trial(store, tree, 1)
    head = store.chain()
    store.objects.close()
    files = [path for path in (store.path / "objects").glob("??/*") if path.is_file()]
    assert len(files) == 3
    files[0].unlink()
    for path in files[1:]:
        path.chmod(0o600)
        path.write_bytes(b"\0" * path.stat().st_size if path is files[1] else b"")
    (store.path / CHAIN).write_text("")
    with GitStore(repository.state) as again:
        assert again.read(kept, "train.py").startswith(b"LR = 0.000000001")
        assert again.chain() == head
        fsck(again)
    with GitStore(repository.state) as third:
        assert list((third.path / "autoresearch-journal").iterdir()) == []


def test_a_torn_journal_gives_its_whole_records(repository: Repository, store: GitStore, tree: str) -> None:
    kept = trial(store, tree, 1)
    store.objects.close()
    (journal,) = (store.path / "autoresearch-journal").iterdir()
    with journal.open("ab") as file:
        file.write(b"\0\0\1\0torn")
    with GitStore(repository.state) as again:
        assert again.read(kept, "train.py").startswith(b"LR")


def test_a_missing_object_is_named_with_its_place(store: GitStore) -> None:
    with pytest.raises(InfraError, match=r"0{40} is missing from .*store\.git"):
        store.read("0" * 40, "x")
    with pytest.raises(InfraError, match="is missing"), store.workspace("1" * 40):
        pass


def test_the_reader_comes_back_after_its_death(store: GitStore, tree: str) -> None:
    store.objects.tree(tree)
    process = store.objects._contents._process
    assert process
    process.kill()
    process.wait()
    with pytest.raises(InfraError, match="died"):
        store.objects._contents.read(tree, "tree")
    assert store.objects._contents.read(tree, "tree")


def test_a_full_disk_is_the_machines_fault(store: GitStore, tree: str) -> None:
    with store.workspace(tree) as space:
        space.write("train.py", "x = 1\n")
        frozen = store.freeze(space, editable=["train.py"], hidden=[])
        (space.root / "train.py").write_text("x = 2\n")
        blocked = store.path / "objects" / store.objects.name("blob", b"x = 2\n")[:2]
        if not blocked.exists():
            blocked.write_text("in the way")
            with pytest.raises(InfraError, match="freezing"):
                store.freeze(space, editable=["train.py"], hidden=[])
            blocked.unlink()
        assert store.freeze(space, editable=["train.py"], hidden=[]).tree != frozen.tree


def work(state: Path, tree: str, first: int) -> None:
    with GitStore(state) as store:
        for number in range(first, first + 12):
            trial(store, tree, number)
            if number % 4 == 0:
                store.pack()


def test_several_processes_share_a_store(repository: Repository, store: GitStore, tree: str) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(repository.state, tree, 100 * n)) for n in (1, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    count = subprocess.run(["git", "rev-list", "--count", CHAIN], cwd=store.path, capture_output=True, check=True)
    assert int(count.stdout) == 36
    assert [path.name for path in (repository.state / "work").iterdir()] == [".lock"]
    fsck(store)


def test_killed_anywhere_nothing_is_left_behind(repository: Repository, store: GitStore, tree: str) -> None:
    context = multiprocessing.get_context("spawn")
    for delay in (0.02, 0.05, 0.09):
        head = store.chain()
        worker = context.Process(target=work, args=(repository.state, tree, int(delay * 1000) * 1000))
        worker.start()
        while store.chain() == head and worker.is_alive():
            time.sleep(0.005)
        time.sleep(delay)
        worker.kill()
        worker.join()
        with GitStore(repository.state) as again:
            again.sweep()
            trial(again, tree, int(delay * 10_000))
            fsck(again)
    assert [path.name for path in (repository.state / "work").iterdir()] == [".lock"]


def test_a_forked_process_reads_on_its_own(store: GitStore, tree: str) -> None:
    store.objects.tree(tree)
    child = os.fork()
    if child == 0:
        entries = store.objects._contents.read(tree, "tree")
        store.close()
        os._exit(0 if entries else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.objects._contents.read(tree, "tree")


def test_the_wrong_object_format_is_refused(repository: Repository, store: GitStore) -> None:
    with pytest.raises(InfraError, match="sha256"):
        GitStore(repository.state, object_format="sha256")


def test_a_diff_is_a_unified_diff(store: GitStore, tree: str) -> None:
    new = trial(store, tree, 1)
    assert "-LR = 0.001\n+LR = 0.000000001\n" in store.diff(tree, new)
    assert store.diff(tree, tree) == ""
    assert "train.py" in store.files(tree)
