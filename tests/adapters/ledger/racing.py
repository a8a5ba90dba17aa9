"""A worker that races others for the runs of a study. Run as a program: LEDGER NAME; begins when a line comes in."""

import sys
from pathlib import Path

from autoresearch.adapters.ledger import open_ledger
from autoresearch.testing.ledger_cases import KEY, ended, measured, run_of


def main(path: Path, worker: str, steps: int) -> None:
    performed = []
    with open_ledger(path, KEY) as ledger:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(1, steps + 1):
            key = run_of(number)
            if (lease := ledger.claim(f"execute:{key.id}", worker, 60)) is None:
                continue
            row = ledger.run(key)
            if row is None or row.status is not None:  # somebody was here between our look and the claim
                ledger.release(lease)
                continue
            performed.append(number)
            if ledger.record([ended(key), measured(key)], lease=lease) is None:
                sys.exit(f"run {number} was recorded by two workers")
    print(*performed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
