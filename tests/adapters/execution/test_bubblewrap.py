"""What a program under bubblewrap can and cannot reach."""

import os
import socket
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoresearch.adapters.execution.bubblewrap import Bubblewrap
from autoresearch.adapters.execution.front import overlay_supported
from autoresearch.adapters.execution.masks import expand_masks, stdlib_dirs
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import Budget, RunStatus
from autoresearch.ports import Mount

from .conftest import Bench, Directory

pytestmark = pytest.mark.sandbox

TRY = """
import sys
def attempt(name, action):
    try: print(name, 'SUCCEEDED', action())
    except Exception as error: print(name, 'failed', type(error).__name__)
"""


def test_only_the_allowed_paths_exist(safe: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    places = [
        str(secret),
        str(tmp_path),
        str(Path.home() / ".bashrc"),
        "/etc/shadow",
        "/home",
        "/var",
        "/sys",
        "/run",
        "/mnt",
    ]
    result = safe.python(
        f"import os; print([x for x in {places} if os.path.exists(x)]); print(sorted(os.listdir('/')))"
    )
    assert result.tail.startswith("[]\n")
    top = set(eval(result.tail.splitlines()[1]))
    allowed = {
        "autoresearch",
        "bin",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "nix",
        "gnu",
        "proc",
        "sbin",
        "tmp",
        "usr",
    }
    assert top - allowed <= {Path(sys.prefix).parts[1], Path(sys.base_prefix).parts[1]}


def test_nothing_but_its_own_places_can_be_written(safe: Bench) -> None:
    text = (
        TRY + "for place in ('/', '/usr', '/etc', '/dev', '/proc', '/autoresearch', '/proc/sys/kernel/core_pattern', "
    )
    text += f"'/proc/sys/vm/drop_caches', '/proc/sysrq-trigger', {sys.prefix!r}, {sys.base_prefix!r}):\n"
    text += " path = place if place.count('/') > 2 and place.startswith('/proc') else place + '/x'\n"
    text += " attempt(place, lambda: open(path, 'a'))\n"
    text += "for place in ('/tmp', '/dev/shm', '/autoresearch/home', '.', '/autoresearch/out'): open(place + '/x', 'a')"
    result = safe.python(text)
    assert result.status is RunStatus.OK, result.tail
    assert "SUCCEEDED" not in result.tail


def test_everything_private_is_empty_at_first(safe: Bench) -> None:
    text = "ls -A /tmp /dev/shm $HOME; touch /tmp/left $HOME/left"
    assert "left" not in safe.shell(text)
    assert "left" not in safe.shell(text)


def test_a_program_is_nobody_without_rights(safe: Bench) -> None:
    text = TRY + "import os, ctypes\nprint(os.getuid(), os.getgid())\n"
    text += "print([x.split()[1] for x in open('/proc/self/status') if x.startswith('Cap')])\n"
    text += "attempt('setuid', lambda: os.setuid(0))\n"
    text += "libc = ctypes.CDLL(None, use_errno=True)\n"
    text += "print([libc.unshare(flag) for flag in (0x10000000, 0x00020000)], "
    text += "libc.mount(b'x', b'/tmp', b'tmpfs', 0, None))\n"
    text += "print(libc.umount2(b'/autoresearch/out', 2), libc.chroot(b'/tmp'))"
    lines = safe.python(text).tail.splitlines()
    assert lines[0] == "65534 65534"
    assert set(eval(lines[1])) == {"0" * 16}
    assert lines[2] == "setuid failed PermissionError" or lines[2] == "setuid failed OSError"
    assert lines[3] == "[-1, -1] -1"
    assert lines[4] == "-1 -1"


def test_no_network(safe: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = TRY + f"import socket\nattempt('host', lambda: socket.create_connection(('127.0.0.1', {port}), 1))\n"
        text += "attempt('world', lambda: socket.create_connection(('1.1.1.1', 53), 1))\n"
        text += "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), 1)\n"
        text += "print('own loopback')"
        lines = safe.python(text).tail.splitlines()
        assert [line.split()[1] for line in lines[:2]] == ["failed", "failed"]
        assert lines[2] == "own loopback"
        granted = safe.python(
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 1); print('in')", network=True
        )
        assert granted.tail == "in"


def test_abstract_sockets_of_the_host_are_out_of_reach(safe: Bench) -> None:
    name = f"\0autoresearch-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        text = TRY + f"import socket\nattempt('abstract', lambda: socket.socket(socket.AF_UNIX).connect({name!r}))"
        assert "failed" in safe.python(text).tail


def test_processes_of_the_host_are_invisible(safe: Bench) -> None:
    text = "import os; print(sorted(int(x) for x in os.listdir('/proc') if x.isdigit()))\n"
    text += "print(open('/proc/1/comm').read())"
    first, second = safe.python(text).tail.splitlines()
    assert first in ("[1, 2]", "[1, 3]")
    assert second == "sh"
    text = (
        TRY
        + f"import os\nattempt('signal', lambda: os.kill({os.getpid()}, 0))\n"
        + "attempt('keeper', lambda: os.kill(1, 9))\nprint('on')"
    )
    assert safe.python(text).tail.splitlines()[-1] == "on"


def test_the_environment_is_an_allow_list(safe: Bench) -> None:
    os.environ["SECRET_TOKEN"] = "canary"
    try:
        log = safe.shell("env; cat /proc/*/environ | tr '\\0' '\\n'", env={"GIVEN": "1"}, threads=2)
    finally:
        del os.environ["SECRET_TOKEN"]
    names = {line.split("=", 1)[0] for line in log.splitlines() if "=" in line}
    ours = {
        "AUTORESEARCH_BUDGET",
        "AUTORESEARCH_OUT",
        "AUTORESEARCH_METRICS",
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "PWD",
        "GIVEN",
    }
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"}
    assert names - {"OLDPWD", "SHLVL", "_"} == ours | threads
    assert "canary" not in log


def test_no_descriptor_of_ours_is_inherited(safe: Bench) -> None:
    with Path("/etc/hostname").open() as held:
        os.set_inheritable(held.fileno(), True)
        log = safe.shell("ls -l /proc/self/fd")
    targets = {line.split(" -> ")[1] for line in log.splitlines() if " -> " in line}
    assert all(each == "/dev/null" or each.startswith(("pipe:", "/proc/")) for each in targets), log
    assert len([each for each in targets if each.startswith("pipe:")]) == 1


def test_the_interpreter_is_found_under_both_names(safe: Bench) -> None:
    text = f"import sys; print(sys.version_info[:2] == {tuple(sys.version_info[:2])}, sys.prefix)"
    for name in ("python", "python3"):
        assert safe.run(name, "-c", text).tail == f"True {sys.prefix}"


def test_a_virtual_environment_among_the_inputs_goes_first(safe: Bench, tmp_path: Path) -> None:
    place = tmp_path / "their" / ".venv"
    venv.create(place, symlinks=True)
    (next(place.glob("lib/python*/site-packages")) / "theirs.py").write_text("x = 'theirs'")
    text = "import theirs, sys; print(theirs.x, sys.prefix)"
    assert safe.python(text, mounts=(Mount(source=place),)).tail == f"theirs {place}"
    inside = safe.python(text, mounts=(Mount(source=place, target=".venv"),))
    assert inside.tail == "theirs /autoresearch/work/.venv"


def test_inputs_are_read_only_where_they_are_wanted(safe: Bench, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "x").write_text("input")
    log = safe.shell("cat data/x; echo no > data/x; echo no > data/y", mounts=(Mount(source=data, target="data"),))
    assert log.startswith("input")
    assert log.count("Read-only file system") == 2
    assert safe.shell(f"cat {data}/x", mounts=(Mount(source=data),)) == "input"
    assert sorted(each.name for each in data.iterdir()) == ["x"]


def test_a_workspace_can_be_read_only(safe: Bench) -> None:
    safe.work.write("train.py", "code")
    log = safe.shell("cat train.py; echo > train.py; touch new", writable_workspace=False)
    assert log.startswith("code")
    assert log.count("Read-only file system") == 2
    assert safe.work.files() == ["train.py"]


def test_without_a_workspace_there_is_an_empty_one(safe: Bench) -> None:
    assert safe.shell("pwd; ls -A; touch x && ls", workspace=None) == "/autoresearch/work\nx\n"


def test_links_lead_nowhere(safe: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    (safe.work.root / "link").symlink_to(tmp_path / "secret")
    assert "canary" not in safe.shell("cat link ../../secret /proc/1/root/etc/shadow /proc/1/cwd/secret")


def test_hidden_files_and_directories_are_empty(safe: Bench, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep" / "holdout").mkdir(parents=True)
    (data / "deep" / "holdout" / "y").write_text("canary")
    (data / "labels").write_text("canary")
    (data / "open").write_text("seen")
    (data / "link").symlink_to("labels")
    mounts = (Mount(source=data), Mount(source=data / "deep", target="deep"), Mount(source=data, target="/elsewhere"))
    masked = (data / "link", data / "deep" / "holdout")
    text = f"for d in {data} /elsewhere; do cat $d/labels $d/link $d/open; stat -c %F $d/labels; "
    text += "ls -A $d/deep/holdout; done"
    log = safe.shell(text + f"; ls -A deep/holdout; grep -r canary /elsewhere {data} .", mounts=mounts, masked=masked)
    assert log == "seenregular empty file\n" * 2
    assert (data / "labels").read_text() == "canary"


def test_hiding_a_directory_hides_what_is_mounted_from_it(safe: Bench, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    (hidden / "inner").mkdir(parents=True)
    (hidden / "inner" / "x").write_text("canary")
    log = safe.shell("ls -A inner", mounts=(Mount(source=hidden / "inner", target="inner"),), masked=(hidden,))
    assert log == ""


def test_files_of_the_workspace_can_be_hidden(safe: Bench) -> None:
    safe.work.write("score.py", "canary")
    assert safe.shell("cat score.py", masked=(safe.work.root / "score.py",)) == ""


@pytest.mark.parametrize("more", [(), ("{stdlib}/email/*.py", "{stdlib}/wave*", "{stdlib}/wsgiref/**")])
def test_standard_library_modules_are_hidden_with_their_bytecode(safe: Bench, more: tuple[str, ...]) -> None:
    masked = expand_masks(("{stdlib}/mailbox.py", *more))
    places = [str(each) for each in stdlib_dirs()]
    text = f"""
import glob, os
names = ('mailbox.py', '__pycache__/mailbox.*', 'email/parser.py')
found = [p for d in {places} for n in names for p in glob.glob(d + '/' + n)]
sizes = [sum(os.path.getsize(p) for p in found if module in p) for module in ('mailbox', 'email')]
print(sizes[0], sizes[1] > 0)
import base64, json, argparse
"""
    result = safe.python(text, masked=masked)
    assert result.status is RunStatus.OK, result.tail
    assert result.tail == f"0 {not more}"


def test_bytecode_written_later_is_hidden_too(safe: Bench, tmp_path: Path) -> None:
    names = expand_masks(("{stdlib}/mailbox.py",))
    tag = sys.implementation.cache_tag
    assert any(each.name == f"mailbox.{tag}.opt-2.pyc" for each in names)


def test_an_input_that_is_not_there_is_named(safe: Bench) -> None:
    with pytest.raises(InfraError, match="/no/such/thing"):
        safe.start("true", mounts=(Mount(source=Path("/no/such/thing")),))


def test_a_sandbox_that_cannot_stand_says_why(safe: Bench) -> None:
    with pytest.raises(InfraError, match="could not be set up"):
        safe.start("true", mounts=(Mount(source=safe.out, target="/proc/impossible"),))


def test_temporary_files_count_as_memory(safe: Bench) -> None:
    text = "head -c 300M /dev/zero > /tmp/x; sleep 5"
    assert safe.run("sh", "-c", text, budget=Budget(seconds=20, memory=128 << 20)).status is not RunStatus.TIMEOUT
    text = "(head -c 100M /dev/zero > /tmp/x; head -c 100M /dev/zero > /dev/shm/x; sleep 5)"
    assert safe.run("sh", "-c", text, budget=Budget(seconds=20, memory=128 << 20)).status is RunStatus.MEMORY


def test_files_without_a_name_count(safe: Bench) -> None:
    text = "import time\nfiles = []\nfor i in range(4):\n f = open(f'x{i}', 'wb'); files.append(f)\n"
    text += " import os; os.unlink(f'x{i}')\n for _ in range(24): f.write(bytes(1 << 20))\n f.flush()\ntime.sleep(5)"
    assert safe.python(text, budget=Budget(seconds=20, disk=48 << 20)).status is RunStatus.DISK


@pytest.fixture
def layered(tmp_path: Path) -> Iterator[Bench]:
    """A bench with a workspace in layers; in shared memory where temporary files lie in an overlay themselves."""
    with tempfile.TemporaryDirectory(dir=tmp_path if overlay_supported(tmp_path) else "/dev/shm") as name:
        place = Path(name)
        if not overlay_supported(place.parent):
            pytest.skip("overlay file systems cannot be mounted here")
        bench = Bench(place, Bubblewrap())
        lower = place / "lower"
        (lower / "sub").mkdir(parents=True)
        (lower / "train.py").write_text("old")
        (lower / "sub" / "data").write_text("data")
        bench.work = Directory(place / "root", lower)
        yield bench


def test_writes_to_a_workspace_in_layers_go_to_its_upper_layer(layered: Bench) -> None:
    log = layered.shell(
        "cat train.py sub/data; echo new > train.py; rm -r sub; mkdir sub; echo x > sub/y; cat train.py; ls sub"
    )
    assert log == "olddatanew\ny\n"
    assert layered.work.files() == ["sub/y", "train.py"]
    assert layered.work.read("train.py") == "new\n"
    assert os.getxattr(layered.work.root / "sub", "user.overlay.opaque") == b"y"
    lower = layered.place / "lower"
    assert ((lower / "train.py").read_text(), (lower / "sub" / "data").read_text()) == ("old", "data")
    assert str(layered.place) not in Path("/proc/self/mounts").read_text()
    assert layered.shell("cat train.py") == "new\n"


def test_a_workspace_in_layers_can_be_read_only_and_hold_inputs(layered: Bench, tmp_path: Path) -> None:
    log = layered.shell("cat train.py; echo > train.py", writable_workspace=False)
    assert log.startswith("old")
    assert "Read-only" in log
    assert layered.work.files() == []
    (tmp_path / "in").write_text("input")
    mounts = (Mount(source=tmp_path / "in", target="given/in"),)
    assert layered.shell("cat given/in train.py", mounts=mounts, writable_workspace=False) == "inputold"


def test_files_in_the_lower_layer_can_be_hidden(layered: Bench) -> None:
    lower = layered.place / "lower"
    masked = (lower / "train.py", lower / "sub")
    assert layered.shell("cat train.py; ls -A sub", masked=masked) == ""


def test_layers_and_many_masks_together(layered: Bench) -> None:
    masked = expand_masks(("{stdlib}/email/*.py",))
    text = "import os; print(sum(os.path.getsize(p) for p in {}), open('train.py').read())"
    paths = [str(each) for each in masked if each.exists() and each.is_relative_to(sys.base_prefix)]
    assert layered.python(text.format(paths), masked=masked).tail == "0 old"
