"""What measurements depend on, as a fingerprint: when it changes, a new epoch begins.

Parts are hashed one by one, so that a change can be named.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from autoresearch.spec import Spec, measurement_fingerprint_parts

MOST_FILES = 20_000
"""Files of one input that are looked at one by one; beyond them only the directory's own entry counts."""


def fingerprint(spec: Spec, inputs: Sequence[Path], sandbox: str, base: str) -> dict[str, str]:
    """Short hashes by part: spec, contents of inputs, machine, sandbox, tree of the base commit."""
    parts = dict(measurement_fingerprint_parts(spec))
    parts["sandbox"] = sandbox
    parts["base commit"] = base
    parts["hardware"] = hardware()
    parts["interpreter"] = sys.version
    for path in inputs:
        parts[f"input {path}"] = "\n".join(_entries(path))
    return {
        name: hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12] for name, text in parts.items()
    }


def written(parts: dict[str, str]) -> str:
    """A fingerprint as the record keeps it."""
    return json.dumps(parts, sort_keys=True)


def changed(old: str, new: dict[str, str]) -> list[str]:
    """Names of the parts that differ."""
    before: dict[str, str] = json.loads(old) if old else {}
    return sorted(name for name in before.keys() | new.keys() if before.get(name) != new.get(name))


def hardware() -> str:
    """The class of machine that numbers may be compared on: processor model, architecture, cards."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return ", ".join([f"{model} ({platform.system()} {platform.machine()})", *_cards()])


def _cards() -> list[str]:
    """Models of NVIDIA cards, as their driver tells them."""
    found = []
    for told in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = told.read_text(errors="replace").splitlines()
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]
    return found


def _entries(path: Path) -> Iterator[str]:
    """One line per file: relative name, size, time of change. Contents are not read: inputs can be large."""
    if not path.is_dir():
        yield _line(path, path.name)
        return
    count = 0
    for directory, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            count += 1
            if count > MOST_FILES:
                return
            yield _line(Path(directory) / name, os.path.relpath(Path(directory) / name, path))


def _line(path: Path, name: str) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{name} ?"
    return f"{name} {status.st_size} {status.st_mtime_ns}"
