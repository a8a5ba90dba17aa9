"""Kills a process that records, over and over, and looks at what it left. Run as a program: FOLDER KILLS SEED.

One process without threads, so that it may fork; the children open the ledger themselves.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from autoresearch.adapters.ledger import SqlLedger, open_ledger
from autoresearch.testing.ledger_cases import KEY, discarded, ready, study_created

LIVES = 20
"""Kills that one ledger sees before the next one begins."""


def main(folder: Path, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    lasts = set()
    for number in range(kills):
        path = folder / f"{number // LIVES}.db"
        told = kill_once(path, draw.randrange(9), draw.uniform(0.0, 0.004))
        with open_ledger(path, KEY, create=True) as ledger:
            problems = [*ledger.verify(), *ledger.verify_projection()]
            if problems or ledger.last() < told:
                sys.exit(f"after kill {number}: {problems}, event {told} was promised, {ledger.last()} is the last")
            lasts.add((number // LIVES, ledger.last()))
    print(f"{kills} kills, {len(lasts)} places")


def kill_once(path: Path, records: int, seconds: float) -> int:
    """Kill a recording process `seconds` after so many records; the last sequence number it had been promised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        record_for_ever(path, writer)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as promises:
        told = [promises.read(8) for _ in range(records + 1)]  # the first says that it is at work
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            sys.exit("the process ended by itself")
        while promise := promises.read(8):
            told.append(promise)
    return int.from_bytes(told[-1], "big")


def record_for_ever(path: Path, writer: int) -> None:
    os.write(writer, bytes(8))
    with open_ledger(path, KEY, create=True) as ledger:
        if ledger.last() == 0:
            ledger.record([study_created()])
        while True:
            for event in [*ready(number := ledger.totals().trials + 1), discarded(number)]:
                tell(ledger, writer, ledger.record([event], lease=ledger.claim("step", "w1", 10)))


def tell(ledger: SqlLedger, writer: int, seq: int | None) -> None:
    """Tell what is on disk. An event that does not fit is of a trial that a kill cut short: go on with the next."""
    os.write(writer, (seq if seq is not None else ledger.last()).to_bytes(8, "big"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
