"""The files of pi-autoresearch in a directory, read for what a spec needs.

Any file below ``.auto/`` selects the new layout; the legacy one keeps ``autoresearch.*`` files beside the code.
"""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoresearch.domain.model import Direction

LARGEST = 8 << 20
"""Bytes read of each file."""

NEW = {
    "prompt": ".auto/prompt.md",
    "measure": ".auto/measure.sh",
    "log": ".auto/log.jsonl",
    "checks": ".auto/checks.sh",
    "config": ".auto/config.json",
}
LEGACY = {
    "prompt": "autoresearch.md",
    "measure": "autoresearch.sh",
    "log": "autoresearch.jsonl",
    "checks": "autoresearch.checks.sh",
    "config": "autoresearch.config.json",
}

_METRIC = re.compile(r"METRIC\s+([A-Za-z0-9_.µ]+)=")
_PRIMARY = re.compile(r"primary[^A-Za-z0-9_µ]+([A-Za-z0-9_.µ]+)", re.IGNORECASE)
_QUOTED = re.compile(r"`([^`\s]+)`")
_BULLET = re.compile(r"^\s*(?:[-*|]|\d+\.)\s*([\w.*/-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PiFiles:
    """What those files say. Paths are relative to the directory; empty means not said."""

    layout: str
    prompt: str
    measure: str
    checks: str
    working: str
    goal: str
    metric: str
    direction: Direction | None
    metrics_text: str
    scope: tuple[str, ...]
    off_limits: tuple[str, ...]
    iterations: int | None

    @property
    def command(self) -> tuple[str, ...]:
        """Measure, then check. What the checks print is marked, so that it can never pass for a metric."""
        measure, checks = (shlex.quote(self._inside(path)) for path in (self.measure, self.checks))
        enter = f"cd {shlex.quote(self.working)} && " if self.working else ""
        if self.checks:
            marked = f"bash {checks} 2>&1 | sed 's/^/checks: /'"
            return ("bash", "-c", f"set -o pipefail; {enter}bash {measure} && {marked}")
        return ("bash", "-c", f"{enter}bash {measure}") if enter else ("bash", self.measure)

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.working}/") if self.working else path


def pi_files(directory: Path) -> PiFiles | None:
    """The files in `directory`, or None where there are none."""
    new = (directory / ".auto").is_dir() and any(path.is_file() for path in (directory / ".auto").iterdir())
    names = NEW if new else LEGACY
    legacy = any((directory / LEGACY[key]).is_file() for key in ("measure", "log", "config"))
    if not new and not legacy:
        return None
    config = _object(_read(directory / names["config"]))
    working = _working(config, directory)
    paths = {key: f"{working}/{name}" if working else name for key, name in names.items()}
    there = {key: path if (directory / path).is_file() else "" for key, path in paths.items()}
    prompt, measure = (_read(directory / there[key]) if there[key] else "" for key in ("prompt", "measure"))
    told = _last_config(_read(directory / there["log"])) if there["log"] else {}
    metrics_text = section(prompt, "metrics")
    named = _METRIC.search(measure) or _PRIMARY.search(metrics_text)
    off_limits = _paths(section(prompt, "off limits"), directory)
    iterations = config.get("maxIterations")
    return PiFiles(
        layout="new" if new else "legacy",
        prompt=there["prompt"],
        measure=there["measure"],
        checks=there["checks"],
        working=working,
        goal=" ".join(_string(told, "name").split())[:200],
        metric=_name(_string(told, "metricName")) or (named[1] if named else ""),
        direction={"lower": Direction.MINIMIZE, "higher": Direction.MAXIMIZE}.get(_string(told, "bestDirection")),
        metrics_text=metrics_text,
        scope=_scope(section(prompt, "files in scope"), directory, (*off_limits, *paths.values())),
        off_limits=off_limits,
        iterations=iterations if type(iterations) is int and 0 < iterations <= 10**9 else None,
    )


def section(markdown: str, title: str) -> str:
    """The text below the heading that begins with `title`, up to the next heading; empty where there is none."""
    pattern = rf"^#+\s*{re.escape(title)}.*?$(.*?)(?=^#|\Z)"
    match = re.search(pattern, markdown, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode(errors="replace")
    except OSError:
        return ""


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _string(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _name(text: str) -> str:
    """A metric's name as its METRIC lines can give it; empty for any other text."""
    return text if re.fullmatch(r"[A-Za-z0-9_.µ]{1,100}", text) else ""


def _last_config(log: str) -> dict[str, Any]:
    """The last config line of a log: each opens a new segment."""
    configs = [_object(line) for line in log.splitlines() if '"config"' in line]
    return next((entry for entry in reversed(configs) if entry.get("type") == "config"), {})


def _working(config: dict[str, Any], directory: Path) -> str:
    """The working directory that the config names, if it lies inside; empty for the directory itself."""
    path = Path(_string(config, "workingDir") or ".")
    inside = not path.is_absolute() and ".." not in path.parts and (directory / path).is_dir()
    return path.as_posix() if inside and path != Path() else ""


def _paths(text: str, directory: Path) -> tuple[str, ...]:
    """Paths and globs that a section names, as far as they exist; a directory as itself."""
    words = dict.fromkeys([*_QUOTED.findall(text), *_BULLET.findall(text)])
    plain = [word.removeprefix("./").rstrip("/.,:;") for word in words]
    return tuple(dict.fromkeys(word for word in plain if _exists(word, directory)))


def _exists(word: str, directory: Path) -> bool:
    if not word or word.startswith(("/", "~", "-")) or ".." in word.split("/") or word == ".":
        return False
    try:
        return any(True for _ in directory.glob(word)) if "*" in word else (directory / word).exists()
    except (OSError, ValueError, NotImplementedError):
        return False


def _scope(text: str, directory: Path, taken: tuple[str, ...]) -> tuple[str, ...]:
    """The editable globs: what is in scope, less the contract's own files and what is off limits."""
    paths = [
        path for path in _paths(text, directory) if path not in taken and path.split("/")[0] not in (".git", ".auto")
    ]
    return tuple(f"{path}/**" if (directory / path).is_dir() else path for path in paths)
