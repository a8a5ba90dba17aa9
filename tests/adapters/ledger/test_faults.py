"""Kills, races, a full disk, a read-only file: nothing is lost, doubled or half recorded."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.adapters.ledger import SqlLedger, open_ledger, open_record
from autoresearch.adapters.ledger.database import Database
from autoresearch.domain.errors import InfraError, LedgerError
from autoresearch.domain.events import Purpose, RunsRequested
from autoresearch.testing.ledger_cases import KEY, discarded, opened, ready, run_of, study_created

HERE = Path(__file__).parent


def program(name: str, *arguments: object) -> list[str]:
    return [sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]


def test_killed_while_recording(tmp_path: Path) -> None:
    done = subprocess.run(program("killed", tmp_path, 120, 7), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    kills, places = re.findall(r"\d+", done.stdout)
    assert (int(kills), int(places) > 60) == (120, True)  # the kills were spread over the work


def test_no_step_is_performed_twice(tmp_path: Path) -> None:
    path, steps = tmp_path / "ledger.db", 500
    with open_ledger(path, KEY, create=True) as ledger:
        keys = tuple(run_of(number) for number in range(1, steps + 1))
        ledger.record([study_created(), RunsRequested(purpose=Purpose.CALIBRATE, runs=keys)])
    workers = [
        subprocess.Popen(
            program("racing", path, f"w{n}", steps), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    performed = [number for worker in workers for number in worker.communicate("go\n", timeout=60)[0].split()]
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0]
    assert sorted(map(int, performed)) == list(range(1, steps + 1))
    with open_ledger(path, KEY) as ledger:
        assert ledger.totals().runs_measured == steps
        assert ledger.verify() == []
        assert ledger.verify_projection() == []


LIMITED = """
import resource, sys
from pathlib import Path
from autoresearch.adapters.ledger import open_ledger
from autoresearch.domain.errors import InfraError
from autoresearch.testing.ledger_cases import KEY, discarded, ready, study_created
path = Path(sys.argv[1])
with open_ledger(path, KEY, create=True) as ledger:
    ledger.record([study_created()])
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    number = 0
    try:
        while number := number + 1:
            ledger.record([*ready(number), discarded(number)])
    except InfraError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert ledger.totals().trials == number - 1
    assert ledger.record([*ready(number), discarded(number)]) is not None
    assert ledger.verify() == ledger.verify_projection() == []
"""


def test_no_room_is_an_infra_error_and_undoes_the_record(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "ledger.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "ledger.db cannot be used" in done.stdout
    assert "free some space" in done.stdout or "free space" in done.stdout


FULL = """
import sys
from pathlib import Path
from autoresearch.adapters.ledger import open_ledger
from autoresearch.domain.errors import InfraError
from autoresearch.testing.ledger_cases import KEY, discarded, opened, ready, study_created
path = Path("/full/study/ledger.db")
with open_ledger(path, KEY, create=True) as ledger:
    ledger.record([study_created()])
    with Path("/full/ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            pass
    for number in range(1, 11):
        assert ledger.record([*ready(number), discarded(number)]) is not None, number
    assert not path.with_suffix(".reserve").exists()
    try:
        for number in range(11, 10_000):
            ledger.record([*ready(number), discarded(number)])
    except InfraError as error:
        print(error)
    last = ledger.last()
    Path("/full/ballast").unlink()
    assert ledger.record([opened(ledger.totals().trials + 1)]) == last + 1
    assert ledger.verify() == ledger.verify_projection() == []
with open_ledger(path, KEY) as ledger:
    assert path.with_suffix(".reserve").exists()
"""


@pytest.mark.sandbox
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap for a small file system of its own")
def test_a_full_disk_leaves_room_to_finish(tmp_path: Path) -> None:
    small = ["bwrap", "--dev-bind", "/", "/", "--size", str(4 << 20), "--tmpfs", "/full", "--dir", "/full/study"]
    done = subprocess.run([*small, sys.executable, "-c", FULL], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "the disk is full; free some space and resume" in done.stdout


def test_read_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(path, KEY, create=True) as ledger:
        ledger.record([study_created()])
    with SqlLedger(Database(path, read_only=True), KEY) as ledger:
        assert ledger.last() == 1
        with pytest.raises(InfraError, match=r"ledger\.db cannot be used .*read-only"):
            ledger.record([opened(1)])


def test_reading_beside_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(path, KEY, create=True) as ledger:
        ledger.record([study_created()])
        with open_record(path) as record:
            assert record.last() == 1
            ledger.record([*ready(1), discarded(1)])
            assert record.last() == 7
            row = record.trial(1)
            assert row is not None
            assert [each.seq for each in record.events_of(1)] == [2, 3, 4, 7]


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with open_ledger(tmp_path / "state" / "ledger.db", KEY, create=True) as ledger:
            ledger.record([study_created()])
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "state").iterdir()}
    finally:
        os.umask(umask)
    assert modes.keys() >= {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.reserve"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"no ledger at .*ledger\.db"):
        open_ledger(tmp_path / "ledger.db", KEY)
    with pytest.raises(LedgerError, match="no ledger"):
        open_record(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "ledger.db").touch()
    with pytest.raises(LedgerError, match="empty"):
        open_ledger(tmp_path / "ledger.db", KEY)
    with pytest.raises(LedgerError, match="empty"):
        open_record(tmp_path / "ledger.db")


def test_a_backup_is_whole_while_others_write(tmp_path: Path) -> None:
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    with open_ledger(path, KEY, create=True) as ledger, open_ledger(path, KEY) as other:
        ledger.record([study_created(), *ready(1)])
        other.backup(copy)
        ledger.record([discarded(1)])
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with open_ledger(copy, KEY) as ledger:
        assert ledger.last() == 6
        assert ledger.verify() == []
        assert ledger.verify_projection() == []
    assert not list(tmp_path.glob(".copy*"))


def test_the_write_ahead_log_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(path, KEY, create=True) as ledger, open_record(path) as record:
        ledger.record([study_created()])
        for number in range(1, 400):
            ledger.record([*ready(number), discarded(number)])
            record.trials(newest=True, limit=20)
        assert path.with_name("ledger.db-wal").stat().st_size < 6 << 20
    assert not path.with_name("ledger.db-wal").exists()
