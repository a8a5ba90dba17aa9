"""Commands to begin with: `init`, `check`, `demo`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from autoresearch.adapters.execution.choose import best_sandbox, how_to_get_it
from autoresearch.adapters.git.repository import find
from autoresearch.bootstrap.place import locate
from autoresearch.domain.errors import UsageError
from autoresearch.interfaces.cli import checking
from autoresearch.interfaces.cli.asking import Given, answers_for
from autoresearch.interfaces.cli.context import Json, here
from autoresearch.interfaces.cli.output import emit, number, say, warn
from autoresearch.interfaces.cli.specs import spec_here
from autoresearch.interfaces.cli.work import Seed, Workers, begin, conclude, perform, reopen
from autoresearch.spec import FILE, parse_spec, render_toml

TEMPLATES = ("tinylm",)
DEMO = (
    ('budget = "20s cpu"', 'budget = "2s cpu"'),
    ('predict_budget = "10s cpu"', 'predict_budget = "4s cpu"'),
    ("workers = 1 ", "workers = 2 "),
    ("trials = 100 ", "trials = 40\nruns = 100 "),
)
"""What `demo` changes in the spec of `tinylm`: the small rung."""


def init(
    template: Annotated[str | None, Parameter(help=f"A packaged study: {', '.join(TEMPLATES)}.")] = None,
    directory: Annotated[Path | None, Parameter(help="Where to put the template; default: its name.")] = None,
    *,
    goal: Annotated[str | None, Parameter(help="One line: what the study is after.")] = None,
    command: Annotated[str | None, Parameter(help="The command of one run.")] = None,
    metric: Annotated[str | None, Parameter(help="Name of the metric.")] = None,
    direction: Annotated[str | None, Parameter(help="minimize or maximize.")] = None,
    editable: Annotated[list[str] | None, Parameter(help="Glob of files that may change; repeatable.")] = None,
    budget: Annotated[str | None, Parameter(help="Time of one run: 60s, 5m, '20s cpu'.")] = None,
    inputs: Annotated[
        list[str] | None, Parameter(name="--input", help="Data or .venv a run needs; repeatable.")
    ] = None,
    score: Annotated[
        str | None, Parameter(help="Command of a scorer; without one the metric is self-reported.")
    ] = None,
    yes: Annotated[
        bool, Parameter(name=("--yes", "-y"), negative="", help="Ask nothing; take what was found.")
    ] = False,
    force: Annotated[bool, Parameter(negative="", help=f"Write over an existing {FILE}.")] = False,
) -> int:
    """Make a study: in a git repository by asking a few questions, or from a packaged template."""
    flags = (goal, command, metric, direction, editable, budget, inputs, score)
    if template is not None or not (_in_repository() or any(flags)):
        return _from_template(template or TEMPLATES[0], directory)
    place = here()
    target = place.top / FILE
    if target.exists() and not force:
        raise UsageError(f"{target} is there already: edit it, or write it anew with --force")
    given = Given(
        goal=goal,
        command=command,
        metric=metric,
        direction=direction,
        editable=tuple(editable or ()),
        budget=budget,
        inputs=tuple(inputs or ()),
        score=score,
    )
    text = render_toml(answers_for(place.top, given, ask=not yes and sys.stdin.isatty()))
    parse_spec(text, str(target))
    target.write_text(text, encoding="utf-8")
    say(f"wrote {target}")
    say("next: autoresearch check    (runs the base in the sandbox, measures the noise)")
    say("then: autoresearch run")
    return 0


def _in_repository() -> bool:
    try:
        find(Path.cwd())
    except UsageError:
        return False
    return True


def _from_template(template: str, directory: Path | None) -> int:
    target = directory or Path(template)
    copy_template(template, target)
    say(f"made {target}, a git repository with the study {template}")
    say(f"next: cd {target} && autoresearch check && autoresearch run")
    return 0


def copy_template(template: str, target: Path, changes: Sequence[tuple[str, str]] = ()) -> None:
    """Copy a packaged study to a new directory and commit it there. Raises `UsageError`."""
    if template not in TEMPLATES:
        raise UsageError(f"there is no template {template!r}: use one of {', '.join(TEMPLATES)}")
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} is there already and not empty: name another directory")
    with as_file(files("autoresearch.templates") / template) as source:
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    spec = target / FILE
    text = spec.read_text(encoding="utf-8")
    for old, new in changes:
        if old not in text:
            raise UsageError(f"the template {template} has no line with {old!r}: this installation is damaged")
        text = text.replace(old, new)
    spec.write_text(text, encoding="utf-8")
    name = ["-c", "user.name=autoresearch", "-c", "user.email=autoresearch@localhost"]
    plain = ["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", f"The study {template}"]):
        done = subprocess.run(["git", *name, *plain, *words], cwd=target, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(f"git {words[0]} failed in {target}: {done.stderr.strip()}")


def demo(
    directory: Annotated[Path, Parameter(help="Where the demo study is made.")] = Path("autoresearch-demo"),
    *,
    workers: Workers = None,
    seed: Seed = None,
    json: Json = False,
) -> int:
    """A real small language-model study from start to report in a few minutes: no key, no GPU, no network."""
    if not (directory / FILE).exists():
        copy_template("tinylm", directory, DEMO)
    sandbox = best_sandbox()
    if not json:
        say(f"tinylm, small rung, in {directory}: a byte-level language model on the Python standard library's sources")
        say(f"sandbox: {sandbox.name}" + ("" if sandbox.safe else f". {how_to_get_it()}"))
    place = locate(directory)
    if place.top.resolve() != directory.resolve():
        raise UsageError(f"{directory} holds half a demo (it is no git repository): remove it, then run demo again")
    spec = spec_here(place)
    count = workers or min(spec.search.workers, os.cpu_count() or 1)
    with begin(place, spec, seed=seed) as session:
        reopen(session)
        status = perform(session, slots=count, spawn=count - 1, quiet=json)
    conclude(place, spec.study.name, json=json)
    return status


def check(*, json: Json = False) -> int:
    """Look before the night: spec, sandbox, one run of the base, the noise, what it will cost.

    Its A/A runs are recorded: `run` does not repeat them. Exit status 1 when the base does not run.
    """
    place = here()
    spec = spec_here(place)
    with begin(place, spec) as session:
        reopen(session, anyway=True)
        found = checking.check(session, tell=(lambda line: None) if json else say)
    if json:
        emit(found)
    elif not found["ok"]:
        warn(f"{found['of']} does not run here: {found['problem']}")
        for hint in found["hints"]:
            warn(f"  {hint}")
    else:
        _say_findings(found)
    return 0 if found["ok"] else 1


def _say_findings(found: dict[str, Any]) -> None:
    noise, unit = found["noise"], found["metric"]
    say(f"\n{unit} of {found['of']}: {number(found['value'])} (mean of {found['runs']} runs)")
    share = f" ({noise / abs(found['value']):.2%})" if found["value"] else ""
    say(f"noise of one run: {number(noise, 3)}{share}; {found['seed']}")
    say(
        f"smallest effect one can hope to see: {number(found['smallest_effect'], 3)}; "
        f"you asked for {found['min_effect']}"
    )
    say(f"one run: {found['seconds']:.1f} s; the whole study: about {found['duration']}")
    say("ready: autoresearch run")
