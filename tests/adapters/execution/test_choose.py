"""Which sandbox is chosen, what it says of itself, and the parts that need no process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.adapters.execution import cgroup, choose
from autoresearch.adapters.execution.bare import Bare
from autoresearch.adapters.execution.bubblewrap import Bubblewrap, accelerators
from autoresearch.adapters.execution.disk import TOO_DEEP, written
from autoresearch.adapters.execution.masks import expand_masks, stdlib_dirs, zipped_copies
from autoresearch.adapters.execution.processes import Tree, read_process
from autoresearch.adapters.execution.pump import Pump, printable
from autoresearch.domain.errors import InfraError

from .conftest import Bench, Directory


@pytest.mark.sandbox
def test_bubblewrap_is_chosen_where_it_works() -> None:
    assert choose.bubblewrap_trouble() is None
    assert choose.best_sandbox().name == "bubblewrap"
    assert choose.how_to_get_it() == ""


def test_each_sandbox_says_what_it_protects() -> None:
    assert Bubblewrap().safe
    assert not Bare().safe
    assert Bare().name == "unsafe"
    assert not all(held for _, held in Bare().protects())
    for sandbox in (Bubblewrap(), Bare()):
        assert all(sentence.endswith(".") for sentence, _ in sandbox.protects())


def test_device_files_are_those_that_are_there() -> None:
    assert all(Path(each).exists() for each in accelerators())


def test_a_tool_that_is_missing_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="sandbox"):
        Bench(tmp_path, Bubblewrap(tool="/no/such/bwrap")).start("true")


def test_the_unsafe_sandbox_refuses_layers(unsafe: Bench) -> None:
    with pytest.raises(InfraError, match="layers"):
        unsafe.start("true", workspace=Directory(unsafe.work.root, unsafe.place))


def test_standard_libraries_are_found() -> None:
    assert Path(os.__file__).parent.resolve() in stdlib_dirs()
    assert all(each.is_dir() for each in stdlib_dirs())


def test_masks_name_bytecode_and_refuse_relative_patterns(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    for name in ("x.py", "__pycache__/x.cpython-39.pyc", "__pycache__/xy.cpython-39.pyc", "y.txt"):
        (tmp_path / name).touch()
    (tmp_path / "holdout").mkdir()
    found = expand_masks((f"{tmp_path}/x.py", f"{tmp_path}/holdout/**", f"{tmp_path}/*.txt", f"{tmp_path}/nothing"))
    existing = {str(each.relative_to(tmp_path)) for each in found if each.exists()}
    assert existing == {"x.py", "__pycache__/x.cpython-39.pyc", "holdout", "y.txt"}
    with pytest.raises(ValueError, match="absolute"):
        expand_masks(("holdout/**",))
    assert expand_masks(("~",)) == (Path.home(),)


def test_zipped_standard_libraries_are_told_of() -> None:
    zips = [each for directory in stdlib_dirs() for each in directory.parent.glob("python3*.zip")]
    assert bool(zipped_copies(("{stdlib}/mailbox.py",))) == bool(zips)


def test_printable_text_has_no_controls() -> None:
    assert printable("a\x1b[1;31mb\x1b]8;;http://x\x07c\x1b(Bd\r\ne\x00\u202ef") == "abcd\ne\ufffd\ufffdf"
    assert printable("open \x1b]0;never closed\nnext") == "open \nnext"


@pytest.mark.parametrize("cap", [10, 1000, 100_000])
def test_a_log_never_exceeds_its_cap(tmp_path: Path, cap: int) -> None:
    read, write = os.pipe()
    pump = Pump(read, tmp_path / "log", cap)
    for _ in range(40):
        os.write(write, b"x" * 10_000)
        while pump.turn():
            pass
    os.close(write)
    pump.close()
    assert (tmp_path / "log").stat().st_size <= cap + 80
    assert pump.truncated
    assert pump.total == 400_000


def test_what_was_there_before_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(bytes(1 << 20))
    since = (tmp_path / "old").stat().st_ctime + 0.001
    assert written(tmp_path, since, 1 << 30) < 100_000
    (tmp_path / "empty").touch()
    assert written(tmp_path, 0, 1 << 30) >= (1 << 20) + 4096


def test_directories_too_deep_to_walk_are_a_flood(tmp_path: Path) -> None:
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=place)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    assert written(tmp_path, 0, 1 << 30) == TOO_DEEP
    shutil.rmtree(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_is_read_and_one_that_is_gone_is_none() -> None:
    mine = read_process(os.getpid())
    assert mine is not None
    assert mine.parent == os.getppid()
    assert mine.own > 0
    assert read_process(1 << 22) is None
    assert Tree(root=1 << 22).sample().pids == ()


def test_a_control_group_is_an_extra_for_root(tmp_path: Path) -> None:
    group = cgroup.make(64)
    if os.geteuid() != 0 or cgroup.homes() is None:
        assert group is None
        return
    assert group is not None
    text = "import os, time\nfor _ in range(100):\n if os.fork() == 0: time.sleep(9)"
    with group.enter(), (tmp_path / "error").open("wb") as error:
        process = subprocess.Popen([sys.executable, "-c", text], stderr=error)
    group.adopt(process.pid)
    process.wait()
    assert "BlockingIOError" in (tmp_path / "error").read_text()
    assert group.cpu() >= 0
    for pid in group.members():
        os.kill(pid, 9)
    group.remove()
    assert group.members() == []


def test_groups_of_dead_controllers_are_swept_away(tmp_path: Path) -> None:
    for name in (f"autoresearch-{1 << 22}-0", f"autoresearch-{os.getpid()}-0", "autoresearch-other", "else"):
        (tmp_path / name).mkdir()
    cgroup.sweep(tmp_path)
    assert not (tmp_path / f"autoresearch-{1 << 22}-0").exists()
    assert len(list(tmp_path.iterdir())) == 3
