"""What `init` can find out by looking at a directory, so that it need not ask.

Nothing is run but `git ls-files`, nothing is written, and what is read is bounded. Where the contract of
karpathy/autoresearch or of pi-autoresearch is there, no question is left; else there are suggestions for each question.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from autoresearch.domain.model import Direction
from autoresearch.interfaces.cli.init_pi import PiFiles, pi_files
from autoresearch.spec import Answers, Spec, parse_spec, render_toml

MOST_FILES = 200
"""Source files looked into."""
LARGEST_FILE = 256 << 10
"""Bytes of each."""


class Kind(StrEnum):
    """Which contract the directory follows."""

    KARPATHY = "karpathy/autoresearch"
    PI = "pi-autoresearch"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What was found. Suggestions come with the likeliest first."""

    kind: Kind
    name: str
    """For the study: from the directory's."""
    answers: Answers | None = None
    """All answers, when no question is left."""
    commands: tuple[tuple[str, ...], ...] = ()
    editable: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Remarks for the user: what was found, and what is still to be done."""


def detect(
    directory: Path, *, home: Path | None = None, which: Callable[[str], str | None] = shutil.which
) -> Detection:
    """Look at `directory`. `home` is where caches are looked for, `which` says where a program is, or None."""
    place = _look(directory, home or Path.home(), which)
    if (files := pi_files(directory)) is not None:
        return _pi(place, files)
    return _karpathy(place) or _other(place)


def spec_from_detection(detection: Detection) -> Spec:
    """The spec of a directory that needs no configuration file. Raises `ValueError` where questions are left."""
    if detection.answers is None:
        raise ValueError("this directory follows no known contract: its spec has to be asked for")
    return parse_spec(render_toml(detection.answers), f"<{detection.kind}>")


# ---------------------------------------------------------------- looking


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A directory, as far as the questions need it."""

    directory: Path
    home: Path
    which: Callable[[str], str | None]
    tracked: tuple[str, ...]
    ignored: tuple[str, ...]

    def text(self, path: str) -> str:
        """The beginning of a file of it as text; empty where there is none."""
        return read_text(self.directory / path)

    def has(self, *paths: str) -> bool:
        """Whether all of these files are there."""
        return all((self.directory / path).is_file() for path in paths)

    @property
    def name(self) -> str:
        """A study's name made from the directory's."""
        plain = re.sub(r"[^a-z0-9_-]+", "-", self.directory.resolve().name.lower()).strip("-_")[:40]
        return plain or "study"


def _look(directory: Path, home: Path, which: Callable[[str], str | None]) -> _Place:
    ignored = _git_files(directory, "--others", "--ignored", "--exclude-standard", "--directory")
    return _Place(
        directory=directory, home=home, which=which, tracked=_git_files(directory), ignored=tuple(sorted(ignored))
    )


def _git_files(directory: Path, *options: str) -> tuple[str, ...]:
    """What `git ls-files` lists, which reads the index and writes nothing; empty outside a repository."""
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "ls-files", "-z", *options]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(path for path in done.stdout.decode(errors="replace").split("\0") if path)


def read_text(path: Path) -> str:
    """The beginning of a file as text; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE).decode(errors="replace")
    except OSError:
        return ""


# ---------------------------------------------------------------- karpathy/autoresearch

_SUMMARY = re.compile(r"""print\(\s*f?["']([A-Za-z_]\w*):\s*\{""")
_TSV_METRIC = re.compile(r"^commit\t([A-Za-z_]\w*)\t", re.MULTILINE)
_KILL_AFTER = re.compile(r"exceeds\s+(\d{1,3})\s+minutes", re.IGNORECASE)
_SAID = re.compile(r"(higher|larger|lower|smaller)\s+is\s+better|get\s+the\s+(highest|lowest)\b", re.IGNORECASE)
_HINTED = re.compile(r"(maxim|minim)i[sz]e", re.IGNORECASE)
_FALLING = ("loss", "bpb", "ppl", "perplexity", "err", "latency", "_ms", "seconds")
_RISING = ("acc", "score", "reward", "f1", "auc", "throughput", "per_s", "sharpe", "rate")


def _karpathy(place: _Place) -> Detection | None:
    """program.md, prepare.py and a train.py that prints a summary of ``name: value`` lines."""
    if not place.has("program.md", "prepare.py", "train.py"):
        return None
    program = place.text("program.md")
    printed = tuple(dict.fromkeys(_SUMMARY.findall(place.text("train.py") + place.text("prepare.py"))))
    logged = _TSV_METRIC.search(program)
    metric = logged[1] if logged else "val_bpb" if "val_bpb" in printed else printed[0] if printed else ""
    if not metric or (metric not in printed and metric not in place.text("train.py")):
        return None
    minutes = _KILL_AFTER.search(program)
    inputs = _inputs(place)
    answers = Answers(
        name=place.name,
        command=_python(place, "train.py"),
        metric=metric,
        direction=direction_in(program, metric),
        editable=("train.py",),
        budget=f"{minutes[1]}m" if minutes and int(minutes[1]) else "10m",
        memory="64GiB",
        inputs=inputs,
        notes=(
            "Found the contract of karpathy/autoresearch: program.md, prepare.py (fixed), train.py (editable).",
            "The budget is the limit at which a run is ended; training itself keeps the time that prepare.py sets.",
        ),
    )
    return Detection(kind=Kind.KARPATHY, name=place.name, answers=answers, inputs=inputs, notes=_missing(place, inputs))


def direction_in(text: str, metric: str) -> Direction:
    """Which way is better: as the text says it, else as the metric's name suggests, else as it hints, else lower."""
    if said := _SAID.search(text):
        word = (said[1] or said[2]).lower()
        return Direction.MAXIMIZE if word in ("higher", "larger", "highest") else Direction.MINIMIZE
    if any(word in metric.lower() for word in _FALLING):
        return Direction.MINIMIZE
    hinted = _HINTED.search(text)
    rising = hinted[1].lower() == "maxim" if hinted else any(word in metric.lower() for word in _RISING)
    return Direction.MAXIMIZE if rising else Direction.MINIMIZE


def _missing(place: _Place, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """What a fresh clone still needs before its first run."""
    notes: list[str] = []
    if not any(each.rstrip("/").endswith("venv") for each in inputs) and place.has("pyproject.toml"):
        notes.append("There is no .venv here yet: install the project's packages first (uv sync).")
    wanted = [name for name in _caches(place.text("prepare.py")) if not (place.home / ".cache" / name).is_dir()]
    notes += [f"~/.cache/{name} is not there yet: run prepare.py once, outside of the study." for name in wanted]
    return tuple(notes)


def _python(place: _Place, script: str) -> tuple[str, ...]:
    """How to run a script: the project's own interpreter, which needs no network, else uv, else python."""
    for venv in (".venv", "venv"):
        if (place.directory / venv / "bin" / "python").exists():
            return (f"{venv}/bin/python", script)
    uv_project = place.has("uv.lock") or "[tool.uv" in place.text("pyproject.toml")
    if uv_project and place.which("uv"):
        return ("uv", "run", script)
    return ("python" if place.which("python") else "python3", script)


# ---------------------------------------------------------------- pi-autoresearch


def _pi(place: _Place, files: PiFiles) -> Detection:
    """A measure script that prints METRIC lines; checks after it, whose failure fails the run."""
    own = [path for path in (files.measure, files.checks) if path]
    inputs = _inputs(place)
    inputs += tuple(path for path in own if path not in place.tracked and path.split("/")[0] not in inputs)
    editable = files.scope or _everything_else(place, files)
    notes = [f"Found the files of pi-autoresearch ({files.layout} layout)."]
    if not files.scope:
        notes.append("No files in scope are named there, so all tracked files but its own are editable: narrow this.")
    if files.checks:
        notes.append("The checks run after each measurement; when they fail the run fails, so it is never kept.")
    complete = bool(files.measure and files.metric and editable)
    answers = Answers(
        name=place.name,
        goal=files.goal,
        program=files.prompt or "program.md",
        command=files.command,
        metric=files.metric,
        direction=files.direction or direction_in(files.metrics_text, files.metric),
        editable=editable,
        budget="15m" if files.checks else "10m",
        inputs=inputs,
        trials=files.iterations or 100,
        notes=tuple(notes),
    )
    return Detection(
        kind=Kind.PI,
        name=place.name,
        answers=answers if complete else None,
        commands=(files.command,) if files.measure else _commands(place),
        editable=editable,
        metrics=(files.metric,) if files.metric else (),
        inputs=inputs,
        notes=tuple(notes),
    )


def _everything_else(place: _Place, files: PiFiles) -> tuple[str, ...]:
    """Globs of all tracked files but those of the contract, dot files and what is off limits."""
    tops: dict[str, None] = {}
    for path in place.tracked:
        top, slash, _ = path.partition("/")
        banned = any(path == each or path.startswith(f"{each.rstrip('/*')}/") for each in files.off_limits)
        if not top.startswith((".", "autoresearch.")) and not banned:
            whole = not any(each.startswith(f"{top}/") for each in (*files.off_limits, files.measure, files.checks))
            tops[f"{top}/**" if slash and whole else path] = None
    return tuple(tops)[:MOST_FILES]


# ---------------------------------------------------------------- anything else

_SCRIPTS = ("train.py", "main.py", "run.py", "benchmark.py", "bench.py", "experiment.py")
_SHELL = ("run.sh", "bench.sh", "benchmark.sh", "train.sh", "measure.sh")
_TARGETS = ("train", "bench", "benchmark", "run", "eval", "test")
_CODE = frozenset(
    {".c", ".cc", ".cpp", ".cu", ".go", ".h", ".hpp", ".java", ".jl", ".js", ".py", ".rs", ".sh", ".sql", ".ts", ".zig"}
)
_FIXED = re.compile(r"(?:^|/)(?:tests?|docs?|\.[^/]+)/|(?:^|/)(?:setup|conftest|prepare|score|eval\w*|test_\w*)\.\w+$")
_METRIC_LINE = re.compile(r"""(?:METRIC\s+([\w.]+)=|print\(\s*f?["']([A-Za-z_]\w*)\s*[:=]\s*[{%])""")


def _other(place: _Place) -> Detection:
    """Suggestions for every question."""
    commands = _commands(place)
    scripts = [word for command in commands[:1] for word in command if place.has(word)]
    sources = [path for path in place.tracked if Path(path).suffix in _CODE and not _FIXED.search(path)]
    return Detection(
        kind=Kind.OTHER,
        name=place.name,
        commands=commands,
        editable=tuple(dict.fromkeys([*(each for each in scripts if each in sources), *sources]))[:20],
        metrics=_metrics(place),
        inputs=_inputs(place),
    )


def _commands(place: _Place) -> tuple[tuple[str, ...], ...]:
    """Commands that this directory suggests."""
    found = [_python(place, script) for script in _SCRIPTS if place.has(script)]
    found += [("sh", script) for script in _SHELL if place.has(script)]
    targets = set(re.findall(r"^([\w-]+)\s*:(?!=)", place.text("Makefile"), re.MULTILINE))
    found += [("make", target) for target in _TARGETS if target in targets]
    found += [("npm", "run", name) for name in _npm_scripts(place.text("package.json")) if name in _TARGETS]
    if place.has("Cargo.toml"):
        found.append(("cargo", "run", "--release", "--offline"))
    return tuple(found)


def _npm_scripts(text: str) -> tuple[str, ...]:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    scripts = package.get("scripts") if isinstance(package, dict) else None
    return tuple(scripts) if isinstance(scripts, dict) else ()


def _metrics(place: _Place) -> tuple[str, ...]:
    """Names that the code seems to print with a number behind."""
    names: dict[str, None] = {}
    for text in _sources(place):
        names |= dict.fromkeys(first or second for first, second in _METRIC_LINE.findall(text))
    return tuple(names)[:20]


def _sources(place: _Place) -> Iterator[str]:
    paths = [path for path in place.tracked if Path(path).suffix in _CODE and path.count("/") <= 2]
    return (place.text(path) for path in paths[:MOST_FILES])


# ---------------------------------------------------------------- inputs

_JUNK = re.compile(
    r"(?:^|/)(?:__pycache__|\.?[a-z]+_cache|\.git|\.hg|\.idea|\.vscode|\.ipynb_checkpoints|\.hypothesis|\.tox|\.nox|\.env"
    r"|\.cache|build|dist|out|logs?|runs|wandb|outputs?|htmlcov|site|tmp|temp|[^/]+\.egg-info|autoresearch-demo)/?$"
    r"|(?:^|/)__pycache__/"
)
_DATA = frozenset(
    {".arrow", ".bin", ".csv", ".db", ".gz", ".h5", ".json", ".jsonl", ".npy", ".npz", ".parquet", ".pt",
     ".safetensors", ".sqlite", ".tar", ".tsv", ".txt", ".zip", ".zst"}
)  # fmt: skip
_OWN_LOGS = frozenset({"results.tsv", "autoresearch.jsonl", "run.log"})
_CACHE = re.compile(r"""\.cache["']?\s*[/,]\s*["']?([A-Za-z][\w.-]*)""")
_HUB = re.compile(r"^\s*(?:from|import)\s+(?:datasets|transformers|huggingface_hub|kernels|diffusers)\b", re.MULTILINE)
_TORCH_HUB = re.compile(r"torch\.hub\.|torchvision\.models|torchaudio\.pipelines")


def _inputs(place: _Place) -> tuple[str, ...]:
    """Git-ignored data, environments, and caches in the home directory that the code names: what a checkout lacks."""
    found = [path for path in place.ignored if _is_data(path)]
    found += [venv for venv in (".venv", "venv") if (place.directory / venv).is_dir() and f"{venv}/" not in found]
    found = [path.rstrip("/") for path in found]
    caches = dict.fromkeys(name for text in _sources(place) for name in _caches(text))
    found += [f"~/.cache/{name}" for name in caches if (place.home / ".cache" / name).exists()]
    return tuple(dict.fromkeys([*found, *_interpreters(place)]))[:40]


def _is_data(path: str) -> bool:
    """Whether an ignored path looks like something a run reads. Never what may hold a secret."""
    if _JUNK.search(path) or path.count("/") > 3 or path in _OWN_LOGS:
        return False
    return path.endswith("/") or Path(path).suffix in _DATA


def _caches(text: str) -> Iterable[str]:
    """Names of directories below ~/.cache that a source text uses."""
    hub = ["huggingface"] if _HUB.search(text) else []
    torch = ["torch"] if _TORCH_HUB.search(text) else []
    return dict.fromkeys([*_CACHE.findall(text), *hub, *torch])


def _interpreters(place: _Place) -> Iterator[str]:
    """The installation behind a virtual environment, where no sandbox would show it anyway (as uv's own Pythons)."""
    for venv in (".venv", "venv"):
        match = re.search(r"^home\s*=\s*(/.+)$", place.text(f"{venv}/pyvenv.cfg"), re.MULTILINE)
        if match and not match[1].startswith(("/usr/", "/bin")):
            prefix = Path(match[1].strip()).parent
            inside = prefix.is_relative_to(place.home)
            yield f"~/{prefix.relative_to(place.home)}" if inside else str(prefix)
