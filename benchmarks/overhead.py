"""What a trial costs beside its own work: time, CPU, disk, memory, resuming; beside bare sandbox starts and a peer.

    python benchmarks/overhead.py [--trials 100 1000 10000] [--peer | --no-peer] [--json FILE]

One study grows from nothing through the given numbers of trials, in this process, with one worker and no live view.
Each figure is followed by the goal it is held against. Ratios count: on a shared machine absolute times move.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trivial
from peer_openevolve import VERSION as PEER
from peer_openevolve import measure_peer

from autoresearch.adapters.execution.choose import best_sandbox

LONGEST = 360.0
"""Seconds the peer may need for one of its studies."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10000], help="sizes, ascending")
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True, help=f"measure {PEER} as well")
    parser.add_argument("--peer-trials", type=int, nargs="+", default=[100, 1000], help="sizes of the peer's studies")
    parser.add_argument("--json", type=Path, help="file for the raw figures")
    parser.add_argument("--place", type=Path, help="directory for the study; default: a temporary one, removed")
    given = parser.parse_args()
    place = given.place or Path(tempfile.mkdtemp(prefix="autoresearch-overhead-"))
    try:
        figures: dict[str, Any] = {"machine": machine(), "ours": measure_ours(place / "study", sorted(given.trials))}
        if given.peer:
            figures["peer"] = measure_peer(place / "peer", given.peer_trials, longest=LONGEST)
    finally:
        if given.place is None:
            shutil.rmtree(place, ignore_errors=True)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(table(figures))
    return 0


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sandbox": best_sandbox().name,
        "fdatasync_ms": round(flush_time() * 1e3, 2),
    }


def flush_time() -> float:
    """Seconds of one small write that waits for the disk."""
    with tempfile.NamedTemporaryFile(prefix="autoresearch-") as file:
        began = time.perf_counter()
        for _ in range(50):
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
        return (time.perf_counter() - began) / 50


# ---------------------------------------------------------------- our own study


def measure_ours(path: Path, sizes: list[int]) -> list[dict[str, Any]]:
    """One row for each size of the growing study."""
    place = trivial.make_study(path)
    state = place.of(trivial.NAME)
    runs = place.runs(trivial.NAME)
    before = size_of(state) - size_of(runs)
    rows = []
    for size in sizes:
        began = time.perf_counter()
        reached = trivial.work_to(place, size)
        took = time.perf_counter() - began
        counts = {str(key): value for key, value in reached.counts.items()}
        if reached.next_trial - 1 != size or sum(counts.values()) != size or counts.get("discarded") != size:
            raise RuntimeError(f"{size} trials were to be discarded; the study came to {counts}: {reached.reason}")
        logs = size_of(runs)
        rows.append(
            {
                "trials": size,
                "stage_seconds": round(took, 1),
                **book(size),
                "resume_seconds": min(resume_time(path) for _ in range(3)),
                "disk_kb_per_trial": (size_of(state) - logs - before) / size / 1024,
                "files": sum(len(names) for _, _, names in os.walk(state)),
                "log_kb_per_trial": logs / size / 1024,
                "rss_mb": memory("VmRSS"),
                "peak_rss_mb": memory("VmHWM"),
            }
        )
        print(f"{size} trials: {json.dumps(rows[-1])}", file=sys.stderr, flush=True)
    return rows


def book(size: int) -> dict[str, Any]:
    """The figures of the first `size` trials, milliseconds per trial; medians where noise of the machine matters."""
    kept = trivial.BOOK
    wall, cpu = list(kept.wall[:size]), list(kept.cpu[:size])
    parts = {part: list(kept.part_cpu[part][:size]) for part in trivial.PARTS}
    bare = [seconds for trial, seconds in kept.bare if trial <= size]
    decide = [whole - sum(parts[part][at] for part in trivial.PARTS) for at, whole in enumerate(cpu)]
    with_store = [each + parts["store"][at] for at, each in enumerate(decide)]
    tenth = max(1, size // 10)
    late = [seconds for trial, seconds in kept.bare if size - tenth < trial <= size]
    early = [seconds for trial, seconds in kept.bare if trial <= tenth]
    return {
        "wall_ms": middle(wall),
        "wall_mean_ms": 1e3 * statistics.fmean(wall),
        "cpu_ms": middle(cpu),
        "cpu_decide_ms": middle(decide),
        "cpu_with_store_ms": middle(with_store),
        "cpu_execute_ms": middle(parts["execute"]),
        "cpu_score_ms": middle(parts["score"]),
        "wall_parts_ms": {part: middle(list(kept.part_wall[part][:size])) for part in trivial.PARTS},
        "two_bare_ms": middle(bare),
        "two_bare_mean_ms": 1e3 * statistics.fmean(bare) if bare else None,
        "tenths_wall": middle(wall[-tenth:]) / middle(wall[:tenth]),
        "tenths_cpu": middle(cpu[-tenth:]) / middle(cpu[:tenth]),
        "tenths_decide": middle(decide[-tenth:]) / middle(decide[:tenth]),
        "tenths_bare": middle(late) / middle(early) if late and early else None,
        "last_tenth": {
            "wall_ms": middle(wall[-tenth:]),
            "cpu_decide_ms": middle(decide[-tenth:]),
            "cpu_with_store_ms": middle(with_store[-tenth:]),
            "two_bare_ms": middle(late) if late else None,
        },
    }


def middle(values: list[float]) -> float:
    """The median in milliseconds."""
    return 1e3 * statistics.median(values) if values else float("nan")


def resume_time(path: Path) -> float:
    """Seconds from the start of a fresh interpreter until the next step is planned and the process has ended."""
    began = time.perf_counter()
    subprocess.run([sys.executable, trivial.__file__, str(path)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def size_of(path: Path) -> int:
    """Bytes on the disk, in whole blocks, directories included."""
    total = 0
    for directory, _, names in os.walk(path):
        for name in ("", *names):
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


def memory(field: str) -> float:
    """MB of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


# ---------------------------------------------------------------- the table

ROWS: tuple[tuple[str, str, str], ...] = (
    ("own CPU, decide and record", "cpu_decide_ms", "≤ 5 ms"),
    ("own CPU, with workspace and freeze", "cpu_with_store_ms", "≤ 15 ms"),
    ("own CPU, all of it (starting and watching two sandboxes too)", "cpu_ms", ""),
    ("wall per trial", "wall_ms", ""),
    ("two bare sandbox starts, same run", "two_bare_ms", ""),
)
TENTHS: tuple[tuple[str, str, str], ...] = (
    ("wall", "tenths_wall", "≤ 1.2"),
    ("own CPU", "tenths_cpu", "≤ 1.2"),
    ("decide and record", "tenths_decide", "≤ 1.2"),
    ("bare starts (what the machine did)", "tenths_bare", ""),
)


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    ours = figures["ours"]
    on = ", ".join(f"{key} {value}" for key, value in figures["machine"].items())
    lines = [f"On: {on}. Medians over trials.", ""]
    lines.append("| per trial | " + " | ".join(f"at {row['trials']:,}" for row in ours) + " | goal |")
    lines.append("|---" * (len(ours) + 2) + "|")
    for name, key, goal in ROWS:
        lines.append(f"| {name} | " + " | ".join(f"{row[key]:.1f} ms" for row in ours) + f" | {goal} |")
    ratios = [f"{row['wall_ms'] / row['two_bare_ms']:.2f}" for row in ours]
    lines.append("| wall ÷ two bare starts | " + " | ".join(ratios) + " | ≤ 1.3, flat |")
    tails = [f"{row['last_tenth']['wall_ms'] / row['last_tenth']['two_bare_ms']:.2f}" for row in ours]
    lines.append("| the same, last tenth | " + " | ".join(tails) + " | ≤ 1.3 |")
    for name, key, goal in TENTHS:
        told = [f"{row[key]:.2f}" if row[key] is not None else "–" for row in ours]
        lines.append(f"| last tenth ÷ first tenth, {name} | " + " | ".join(told) + f" | {goal} |")
    lines.append("| resume, fresh process | " + " | ".join(f"{row['resume_seconds']:.2f} s" for row in ours)
                 + " | ≤ 1 s at 1,000, ≤ 5 s at 10,000 |")  # fmt: skip
    lines.append("| disk beside logs | " + " | ".join(f"{row['disk_kb_per_trial']:.1f} KB" for row in ours)
                 + " | ≤ 12 KB |")  # fmt: skip
    lines.append("| controller memory, peak | " + " | ".join(f"{row['peak_rss_mb']:.0f} MB" for row in ours)
                 + " | ≤ 100 MB, flat |")  # fmt: skip
    return "\n".join(lines + beside(figures)) + "\n"


def beside(figures: dict[str, Any]) -> list[str]:
    """The peer's rows."""
    peer = figures.get("peer")
    if peer is None:
        return []
    if "skipped" in peer:
        return ["", f"{PEER}: not measured: {peer['skipped']}"]
    rows, ours = peer["rows"], {row["trials"]: row for row in figures["ours"]}
    lines = ["", f"Beside it {PEER}, evaluator in process and without a sandbox, its model server on loopback:", ""]
    lines.append("| | " + " | ".join(f"{PEER} at {row['trials']:,}" for row in rows) + " | ours ÷ its, in order |")
    lines.append("|---" * (len(rows) + 2) + "|")

    def line(name: str, key: str, unit: str, own: str) -> str:
        ratios = [ours[row["trials"]][own] / row[key] for row in rows if row["trials"] in ours and row[key]]
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        return f"| {name} | " + " | ".join(f"{row[key]:.1f} {unit}" for row in rows) + f" | {told} |"

    lines += [
        line("CPU of its processes per trial", "cpu_ms", "ms", "cpu_ms"),
        line("CPU of its controller per trial", "controller_cpu_ms", "ms", "cpu_ms"),
        line("wall per trial", "wall_ms", "ms", "wall_ms"),
        line("last tenth ÷ first tenth, wall", "tenths_wall", "", "tenths_wall"),
        line("resume", "resume_seconds", "s", "resume_seconds"),
        line("disk per trial", "disk_kb_per_trial", "KB", "disk_kb_per_trial"),
        line("controller memory, peak", "peak_rss_mb", "MB", "peak_rss_mb"),
    ]
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
