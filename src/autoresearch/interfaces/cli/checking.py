"""What `check` does: a first run that names what is missing, the A/A test, and what the study will take.

The A/A runs are the study's own calibration; only the first look, a second run on the same seed, is not recorded.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from autoresearch.adapters.execution.choose import how_to_get_it
from autoresearch.bootstrap.study import Session
from autoresearch.bootstrap.workers import own_name
from autoresearch.domain import events as e
from autoresearch.domain.confirmation import SCHEDULE, noise_of
from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.factorial import reserve
from autoresearch.domain.model import BASE, Bound, RunKey, RunResult
from autoresearch.domain.plan import CALIBRATION, Limits
from autoresearch.domain.seeds import pool_seed
from autoresearch.domain.state import Control, StudyState
from autoresearch.domain.stats import detectable, mean
from autoresearch.engine import measuring
from autoresearch.engine.worker import Worker
from autoresearch.interfaces.cli.output import duration, number, safe

RUNS_PER_TRIAL = 1.6
"""Runs that a trial takes on average: most end with one, the better ones are raced (decision page 0003)."""


def check(session: Session, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """Everything `check` finds out, as JSON values; `tell` hears what goes on."""
    sandbox = session.sandbox
    protects = [{"what": sentence, "held": held} for sentence, held in sandbox.protects()]
    found: dict[str, Any] = {
        "study": session.study.name,
        "metric": session.study.metric.name,
        "self_reported": session.study.metric.source == "stdout",
        "sandbox": {"name": sandbox.name, "safe": sandbox.safe, "protects": protects, "how_to_get": how_to_get_it()},
    }
    tell(f"sandbox: {sandbox.name}" + ("" if sandbox.safe else f". {how_to_get_it()}"))
    for sentence, held in sandbox.protects():
        tell(f"  {'yes' if held else 'NO '}  {sentence}")
    if found["self_reported"]:
        tell("metric: self-reported, read from what the run prints. A scorer of yours ([score]) would seal it")
    found["of"] = incumbent_of(session.state())
    tell(f"first run of {found['of']}…")
    first = look(session)
    if first["problem"]:
        return {**found, **first, "ok": False}
    tell(f"it runs: {session.study.metric.name} {number(first['value'])} in {first['seconds']:.1f} s. A/A test…")
    state = calibrate(session)
    given = {name for each in state.readings_of(state.incumbent_trial.tree) for name in each.metrics}
    found["guards_missing"] = [guard.metric for guard in state.study.guards if given and guard.metric not in given]
    for name in found["guards_missing"]:
        known = ", ".join(sorted(given - {session.study.metric.name}))
        tell(f"the guard {name!r} is on a metric that the base does not give (known: {known})")
    if state.control is Control.PAUSED:
        return {**found, "ok": False, "problem": safe(state.reason, 1000), "hints": []}
    return {**found, **first, "ok": True, **_figures(session, state, first)}


def incumbent_of(state: StudyState) -> str:
    """What is run: the base, or what was kept since."""
    return "the base" if state.incumbent == BASE else f"trial {state.incumbent}, the incumbent"


def look(session: Session) -> dict[str, Any]:
    """One run of the incumbent on the first seed of the pool, not recorded: its value, or what was wrong."""
    desk, study = session.desk, session.study
    state = session.state()
    tree, seed = state.incumbent_trial.tree, pool_seed(study.seed, 0)
    run = RunKey(tree=tree, rung=study.rung.name, seed=seed, epoch=state.epoch, repeat=1)
    ended = measuring.execute(desk, run)
    result = ended.result
    try:
        if not result.status.ok:
            hints = diagnose(result, session)
            return {"problem": f"{result.status}: {safe(result.reason, 400)}", "hints": hints, "tail": result.tail}
        event = measuring.score(desk, state, run, None)
    except ScoreRefused as refused:
        return {"problem": safe(str(refused), 1000), "hints": [], "tail": result.tail}
    finally:
        measuring.put_away(desk, run)
    if not isinstance(event, e.RunMeasured):
        return {"problem": safe(event.reason, 1000), "hints": diagnose(result, session), "tail": result.tail}
    value = event.scores.metrics[study.metric.name]
    return {"problem": "", "hints": [], "value": value, "seconds": result.wall, "cpu": result.cpu, "first": value}


def calibrate(session: Session) -> StudyState:
    """Let the study's own calibration runs be performed, and nothing else."""
    worker = Worker(session.desk, own_name(), limits=lambda state: Limits(slots=0, new_trials=False))
    worker.work()
    return session.state()


def _figures(session: Session, state: StudyState, first: dict[str, Any]) -> dict[str, Any]:
    study, noise = state.study, noise_of(state)
    gains = state.gains(state.incumbent_trial.tree, e.Purpose.CALIBRATE) or state.gains(state.incumbent_trial.tree)
    value = study.metric.value(mean(gains))
    rows = [row for row in session.ledger.runs(tree=state.incumbent_trial.tree) if row.ended_at is not None]
    seconds = mean([row.wall for row in rows]) if rows else float(first["seconds"])
    runs = _expected_runs(state)
    smallest = detectable(noise, runs=max(2, reserve(SCHEDULE, total=runs) // 4)) if noise.sigma else 0.0
    return {
        "value": value,
        "values": [study.metric.value(gain) for gain in gains],
        "runs": len(gains),
        "noise": noise.sigma,
        "seed": seed_sentence(state, first),
        "smallest_effect": smallest,
        "min_effect": _bound(study.metric.min_effect),
        "seconds": seconds,
        "expected_runs": runs,
        "duration": duration(runs * seconds / max(1, session.spec.search.workers)),
    }


def _expected_runs(state: StudyState) -> int:
    stop = state.study.stop
    if stop.runs is not None:
        return stop.runs
    per_trial = 1.0 if noise_of(state).sigma == 0.0 else RUNS_PER_TRIAL
    search = CALIBRATION + per_trial * (stop.trials or 100)
    return round(search / (1 - SCHEDULE.share))


def seed_sentence(state: StudyState, first: dict[str, Any]) -> str:
    """Whether the program obeys its seed, as far as two runs on one seed and several on others show it."""
    study = state.study
    same = [
        measured.metrics[study.metric.name]
        for measured in state.readings_of(state.incumbent_trial.tree)
        if measured.run.seed == pool_seed(study.seed, 0) and not measured.failure
    ]
    if noise_of(state).sigma == 0.0:
        return "all runs gave the same number: the metric is deterministic, or the program ignores its seed"
    if not same:
        return "whether the seed is obeyed is not known: no recorded run has the seed of the first one"
    if same[0] == first["first"]:
        return "the seed is obeyed: two runs on one seed gave the same number"
    if abs(same[0] - float(first["first"])) < 0.3 * noise_of(state).sigma:
        return "two runs on one seed differ little: the seed is obeyed up to timing"
    return "two runs on one seed differ as much as others: the seed is ignored, or timing moves the result"


def _bound(bound: Bound) -> str:
    return f"{bound.value:.3g}" if not bound.relative else f"{bound.value:.2%}"


INPUT = "is not in the sandbox: commit it, or add it to run.inputs"
HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"No module named '?([\w.]+)"),
        'the module {0} is missing: if it is in .venv, add ".venv" to run.inputs and run .venv/bin/python',
    ),
    (re.compile(r"FileNotFoundError: .*?'([^']+)'"), f"the file {{0}} {INPUT}"),
    (re.compile(r"(?:can't open file|cannot access|No such file or directory:?) '?([^'\n]+)'?"), f"{{0}} {INPUT}"),
    (
        re.compile(r"command not found"),
        "{command} is not on the sandbox's PATH: use a program of /usr/bin, or of a .venv named in run.inputs",
    ),
    (
        re.compile(r"Permission denied: '([^']+)'|Read-only file system: '([^']+)'"),
        "{0} cannot be written: write to the directory named in AUTORESEARCH_OUT",
    ),
    (
        re.compile(r"gaierror|Name or service not known|Temporary failure in name resolution|Network is unreachable"),
        "the network is off: put what is downloaded into run.inputs, or set run.network = true",
    ),
    (re.compile(r"No CUDA GPUs|CUDA driver|libcuda"), "no GPU is visible to the run on this machine"),
)
"""What a failed base run usually lacks, and what to do."""


def diagnose(result: RunResult, session: Session) -> list[str]:
    """What the base lacked, in sentences, and the end of its log."""
    command = " ".join(session.spec.run.command)
    hints = []
    for pattern, sentence in HINTS:
        if match := pattern.search(f"{result.reason}\n{result.tail}"):
            groups: Sequence[str] = [group for group in match.groups() if group] or [""]
            hints.append(safe(sentence.format(*groups, command=repr(command)), 300))
    if result.status == "timeout":
        hints.append("the run does not end within its budget: raise run.budget, or let it heed AUTORESEARCH_BUDGET")
    if result.status == "memory":
        hints.append("raise run.memory, or make the program smaller")
    hints += [f"| {safe(line)}" for line in result.tail.splitlines()[-8:]]
    return hints
