"""What `init` finds out by looking: the two known contracts without a question, suggestions for anything else."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.domain.model import Direction, Source
from autoresearch.interfaces.cli.init_detect import Detection, Kind, detect, direction_in, spec_from_detection
from autoresearch.interfaces.cli.init_pi import section
from autoresearch.spec import goal, metric, rungs

PROGRAM = """\
# autoresearch
The goal is simple: get the lowest val_bpb. Maximize what you learn.
**Timeout**: If a run exceeds 10 minutes, kill it.
commit\tval_bpb\tmemory_gb\tstatus\tdescription
"""
TRAIN = 'import kernels\nprint("---")\nprint(f"val_bpb:          {val_bpb:.6f}")\nprint(f"depth:            {DEPTH}")\n'
PREPARE = 'CACHE_DIR = os.path.join(os.path.expanduser("~"), ".cache", "autoresearch")\n'


def repository(directory: Path, files: dict[str, str], ignored: str = "", untracked: tuple[str, ...] = ()) -> Path:
    for name, text in {**files, ".gitignore": ignored}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", str(directory)], check=True)
    names = [name for name in (*files, ".gitignore") if name not in untracked]
    subprocess.run(["git", "-C", str(directory), "add", "-f", "--", *names], check=True)
    return directory


def look(directory: Path, home: Path | None = None, programs: tuple[str, ...] = ("python", "uv")) -> Detection:
    return detect(directory, home=home or directory / "nohome", which=lambda name: name if name in programs else None)


def clone(tmp_path: Path, **more: str) -> Path:
    files = {"program.md": PROGRAM, "train.py": TRAIN, "prepare.py": PREPARE, "pyproject.toml": "[tool.uv]\n", **more}
    return repository(tmp_path / "My Clone!", files, "results.tsv\nrun.log\n__pycache__/\n.venv\n")


def test_a_clone_of_karpathys_needs_no_question(tmp_path: Path) -> None:
    found = look(clone(tmp_path))
    assert (found.kind, found.name) == (Kind.KARPATHY, "my-clone")
    spec = spec_from_detection(found)
    assert spec.run.command == ("uv", "run", "train.py")
    assert (spec.metric.name, spec.metric.direction, spec.metric.source) == (
        "val_bpb",
        Direction.MINIMIZE,
        Source.STDOUT,
    )
    assert spec.workspace.editable == ("train.py",)
    assert rungs(spec)[0].budget.seconds == 600
    assert "run prepare.py once" in " ".join(found.notes)
    assert "uv sync" in " ".join(found.notes)


def test_its_environment_and_caches_become_inputs(tmp_path: Path) -> None:
    directory, home = clone(tmp_path), tmp_path / "home"
    for path in (
        home / ".cache/autoresearch",
        home / ".cache/huggingface",
        directory / ".venv/bin",
        home / ".uv/py/bin",
    ):
        path.mkdir(parents=True)
    (directory / ".venv/bin/python").touch()
    (directory / ".venv/pyvenv.cfg").write_text(f"home = {home}/.uv/py/bin\nversion = 3.11\n")
    (directory / "results.tsv").write_text("x")
    found = look(directory, home)
    assert found.answers is not None
    assert found.answers.command == (".venv/bin/python", "train.py")
    assert set(found.inputs) == {".venv", "~/.cache/autoresearch", "~/.cache/huggingface", "~/.uv/py"}
    assert found.notes == ()
    assert spec_from_detection(found).run.inputs == found.inputs


def test_without_uv_it_is_python(tmp_path: Path) -> None:
    directory = clone(tmp_path)
    assert look(directory, programs=("python",)).answers == look(directory, programs=("python",)).answers
    answers = look(directory, programs=("python",)).answers
    assert answers is not None
    assert answers.command == ("python", "train.py")
    other = look(directory, programs=()).answers
    assert other is not None
    assert other.command == ("python3", "train.py")


def test_a_descendant_with_another_metric_and_limit(tmp_path: Path) -> None:
    program = (
        "get the highest score. If a run exceeds 6 minutes, kill it.\ncommit\tscore\tsharpe\tstatus\tdescription\n"
    )
    found = look(clone(tmp_path, **{"program.md": program, "train.py": 'print(f"score:   {s}")\n'}))
    assert found.answers is not None
    assert (found.answers.metric, found.answers.direction, found.answers.budget) == ("score", Direction.MAXIMIZE, "6m")


def test_the_three_files_without_a_summary_are_no_clone(tmp_path: Path) -> None:
    found = look(clone(tmp_path, **{"program.md": "# plan", "train.py": "pass\n"}))
    assert (found.kind, found.answers) == (Kind.OTHER, None)
    with pytest.raises(ValueError, match="no known contract"):
        spec_from_detection(found)


PROMPT = """\
# Autoresearch: speed
## Objective
Make it fast.
## Metrics
- **Primary**: total_µs (µs, lower is better)
## How to Run
`./.auto/measure.sh`
## Files in Scope
- `src/lib.c`: the parser
- `src/tables` (generated)
- `src/secret.c` is not
- `.auto/measure.sh` neither, nor `nowhere.c`
## Off Limits
- `src/secret.c`
## Constraints
"""
LOG = (
    '{"type":"config","name":"old","metricName":"x","bestDirection":"higher"}\n{"run":1}\n'
    '{"type":"config","name":"parse\\nfaster","metricName":"total_µs","metricUnit":"µs","bestDirection":"lower"}\ntorn'
)


def pi(tmp_path: Path, **changes: str | None) -> Path:
    files: dict[str, str | None] = {
        ".auto/prompt.md": PROMPT, ".auto/measure.sh": "echo METRIC total_µs=3\n", ".auto/log.jsonl": LOG,
        "src/lib.c": "", "src/tables/t.c": "", "src/secret.c": "", "README.md": "",
    }  # fmt: skip
    files |= changes
    return repository(tmp_path / "pi", {name: text for name, text in files.items() if text is not None})


def test_the_files_of_pi_autoresearch_need_no_question(tmp_path: Path) -> None:
    found = look(pi(tmp_path))
    assert found.kind is Kind.PI
    spec = spec_from_detection(found)
    assert spec.run.command == ("bash", ".auto/measure.sh")
    assert (metric(spec).name, metric(spec).direction, goal(spec)) == ("total_µs", Direction.MINIMIZE, "parse faster")
    assert spec.workspace.editable == ("src/lib.c", "src/tables/**")
    assert spec.study.program == ".auto/prompt.md"
    assert (rungs(spec)[0].budget.seconds, spec.stop.trials) == (600, 100)


def test_checks_fail_the_run_and_print_no_metric(tmp_path: Path) -> None:
    directory = pi(tmp_path, **{".auto/checks.sh": "echo METRIC total_µs=1; exit $CODE\n"})
    spec = spec_from_detection(look(directory))
    assert rungs(spec)[0].budget.seconds == 900
    for code, measured in (("0", True), ("3", False)):
        done = subprocess.run(
            spec.run.command,
            cwd=directory,
            env={"CODE": code, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
        )
        assert (done.returncode == 0) is measured
        assert done.stdout.decode() == "METRIC total_µs=3\nchecks: METRIC total_µs=1\n"


def test_a_failing_measurement_runs_no_checks(tmp_path: Path) -> None:
    directory = pi(tmp_path, **{".auto/checks.sh": "echo here\n", ".auto/measure.sh": "echo METRIC a=1; exit 2\n"})
    done = subprocess.run(
        spec_from_detection(look(directory)).run.command, cwd=directory, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"here" not in done.stdout


def test_the_legacy_layout_without_log_or_scope(tmp_path: Path) -> None:
    files = {
        "autoresearch.sh": "echo METRIC ops=3\n", "autoresearch.md": "## Metrics\n- Primary: ops (higher is better)\n",
        "autoresearch.config.json": '{"maxIterations": 40}', "src/a.c": "", "main.c": "", "docs/x.md": "",
    }  # fmt: skip
    spec = spec_from_detection(look(repository(tmp_path, files)))
    assert spec.run.command == ("bash", "autoresearch.sh")
    assert (spec.metric.name, spec.metric.direction, spec.stop.trials) == ("ops", Direction.MAXIMIZE, 40)
    assert spec.workspace.editable == ("docs/**", "main.c", "src/**")


def test_any_file_in_auto_selects_the_new_layout(tmp_path: Path) -> None:
    files = {".auto/ideas.md": "x", "autoresearch.sh": "echo METRIC a=1\n", "a.c": ""}
    found = look(repository(tmp_path, files))
    assert (found.kind, found.answers) == (Kind.PI, None), (
        "no measure script in the new layout: its command must be asked"
    )


def test_a_working_directory_below(tmp_path: Path) -> None:
    files = {
        "autoresearch.config.json": '{"workingDir": "sub dir"}',
        "sub dir/autoresearch.sh": "echo METRIC a=$(ls | wc -l)\n", "sub dir/a.c": "", "b.c": "",
    }  # fmt: skip
    directory = repository(tmp_path, files)
    found = look(directory)
    command = spec_from_detection(found).run.command
    assert subprocess.run(command, cwd=directory, capture_output=True, check=True).stdout == b"METRIC a=2\n"
    assert look(repository(tmp_path, {"autoresearch.config.json": '{"workingDir": "../.."}'})).answers is None


def test_scripts_that_git_does_not_know_become_inputs(tmp_path: Path) -> None:
    files = {"autoresearch.sh": "echo METRIC a=1\n", "a.c": ""}
    found = look(repository(tmp_path, files, untracked=("autoresearch.sh",)))
    assert found.answers is not None
    assert found.answers.inputs == ("autoresearch.sh",)


def test_suggestions_for_anything_else(tmp_path: Path) -> None:
    files = {
        "main.py": 'import transformers\nprint(f"accuracy: {x}")\n', "lib/core.py": "", "tests/test_a.py": "",
        "setup.py": "", "score.py": "", "Makefile": "bench: main.py\nCC := gcc\nall:\n", "bench.sh": "",
        "package.json": json.dumps({"scripts": {"test": "x", "lint": "y"}}),
    }  # fmt: skip
    directory = repository(
        tmp_path / "repo", files, "data/\n.venv/\n.env\n*.npz\n*.pem\nbuild/\n.mypy_cache/\n__pycache__/\n"
    )
    for name in ("data/x", ".venv/x", ".env", "w.npz", "k.pem", "build/x", ".mypy_cache/x", "lib/__pycache__/x"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).touch()
    (tmp_path / "home/.cache/huggingface").mkdir(parents=True)
    found = look(directory, tmp_path / "home")
    assert (found.kind, found.answers, found.name) == (Kind.OTHER, None, "repo")
    assert found.commands == (
        ("python", "main.py"), ("sh", "bench.sh"), ("make", "bench"), ("npm", "run", "test"),
    )  # fmt: skip
    assert found.editable == ("main.py", "bench.sh", "lib/core.py")
    assert found.metrics == ("accuracy",)
    assert set(found.inputs) == {"data", ".venv", "w.npz", "~/.cache/huggingface"}, "nothing that may hold a secret"


def test_looking_writes_nothing(tmp_path: Path) -> None:
    directory = clone(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    look(directory)
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def test_a_directory_that_is_no_repository(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found.commands, found.editable, found.inputs) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "name", "direction"),
    [("higher is better", "loss", Direction.MAXIMIZE), ("maximize use", "val_loss", Direction.MINIMIZE),
     ("please maximise it", "x", Direction.MAXIMIZE), ("", "accuracy", Direction.MAXIMIZE),
     ("", "x", Direction.MINIMIZE)],
)  # fmt: skip
def test_directions(text: str, name: str, direction: Direction) -> None:
    assert direction_in(text, name) is direction


def test_sections_of_a_prompt() -> None:
    assert section("# A\n## Files in Scope (few)\nx\n### more\ny\n", "files in scope") == "\nx\n"
    assert section("nothing", "metrics") == ""


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_any_content_is_looked_at_without_failing(
    tmp_path_factory: pytest.TempPathFactory, a: bytes, b: bytes, c: bytes
) -> None:
    directory = tmp_path_factory.mktemp("any")
    (directory / ".auto").mkdir()
    scope = b"## Files in Scope\n- `main.py`\n- `" + a + b"`\n"
    files = {".auto/prompt.md": scope, ".auto/config.json": b, ".auto/log.jsonl": c, "package.json": b, "Makefile": c,
             ".auto/measure.sh": b"METRIC a=1", "main.py": a}  # fmt: skip
    for name, content in files.items():
        (directory / name).write_bytes(content)
    found = look(directory)
    if found.answers is not None:
        assert spec_from_detection(found).metric.name == "a"


@given(st.text(max_size=12), st.sampled_from(["lower", "higher", "sideways", 3]), st.integers(-2, 10**12))
def test_any_configuration_of_pi_gives_a_spec(
    tmp_path_factory: pytest.TempPathFactory, name: str, direction: object, iterations: int
) -> None:
    directory = tmp_path_factory.mktemp("pi")
    (directory / "a.c").touch()
    (directory / "autoresearch.sh").write_text("METRIC a=1")
    (directory / "autoresearch.md").write_text("## Files in scope\n- a.c\n")
    (directory / "autoresearch.config.json").write_text(json.dumps({"maxIterations": iterations}))
    config = {"type": "config", "metricName": name, "bestDirection": direction, "name": name}
    (directory / "autoresearch.jsonl").write_text(json.dumps(config))
    assert spec_from_detection(look(directory)).workspace.editable == ("a.c",)
