"""From a spec to the domain's own nouns.

Pure: what the engine decides with (`Metric`, `Rung`, `Guard`, `Stop`), and what makes measurements comparable.
"""

import json

from autoresearch.domain.model import Budget, Clock, Direction, Guard, Metric, Rung, Stop
from autoresearch.spec.schema import Spec
from autoresearch.spec.units import Span

TRIALS = 100
"""Trials of a study that names no number of trials or runs and no hours."""


def metric(spec: Spec) -> Metric:
    """The number that decides."""
    section = spec.metric
    return Metric(
        name=section.name,
        direction=section.direction,
        min_effect=section.min_effect,
        implausible=section.implausible,
        source=section.source,
    )


def goal(spec: Spec) -> str:
    """What the study is after, in one line; made from the metric where the spec is silent."""
    least = "lowest" if spec.metric.direction is Direction.MINIMIZE else "highest"
    return spec.study.goal or f"{least} {spec.metric.name} within the run budget"


def rungs(spec: Spec) -> tuple[Rung, ...]:
    """The levels at which trees are measured, at least one."""
    if not spec.rung:
        return (Rung(name="base", budget=budget(spec, spec.run.budget), env=_pairs(spec.run.env)),)
    return tuple(
        Rung(name=each.name, budget=budget(spec, each.budget or spec.run.budget), env=_pairs(spec.run.env | each.env))
        for each in spec.rung
    )


def budget(spec: Spec, time: Span) -> Budget:
    """All hard limits of a run that may take `time`."""
    run = spec.run
    return Budget(
        seconds=time.seconds,
        clock=time.clock,
        wall_guard=run.wall if time.clock is Clock.CPU else None,
        memory=run.memory,
        processes=run.processes,
        disk=run.disk,
        log=run.log,
    )


def threads(spec: Spec) -> int:
    """Threads told to OpenMP and BLAS in a run; 0 leaves them alone."""
    if spec.run.threads is not None:
        return spec.run.threads
    return 1 if rungs(spec)[0].budget.clock is Clock.CPU else 0


def guards(spec: Spec) -> tuple[Guard, ...]:
    """The secondary metrics that must not regress."""
    return tuple(
        Guard(metric=each.metric, max_increase=each.max_increase, max_decrease=each.max_decrease) for each in spec.guard
    )


def stop(spec: Spec) -> Stop:
    """When the study ends by itself."""
    section = spec.stop
    open_end = section.hours is not None or section.runs is not None
    return Stop(
        trials=section.trials or (None if open_end else TRIALS),
        runs=section.runs,
        hours=section.hours,
        cost_usd=section.cost_usd,
        target=section.target,
        patience=section.patience,
    )


def measurement_fingerprint_parts(spec: Spec) -> dict[str, str]:
    """What a measurement depends on, by name, as text; a change of any of it opens a new epoch.

    Contents of inputs, the scorer's code, the machine and the interpreter are the caller's to add.
    """
    rung, score = rungs(spec)[0], spec.score
    parts = {
        "run.command": spec.run.command,
        "run.env": rung.env,
        "run.inputs": spec.run.inputs,
        "run.artifacts": spec.run.artifacts,
        "run.network": spec.run.network,
        "run.threads": threads(spec),
        "budget": (rung.budget.seconds, rung.budget.clock, rung.budget.wall),
        "limits": (rung.budget.memory, rung.budget.processes, rung.budget.disk, rung.budget.log),
        "metric": (spec.metric.name, spec.metric.direction, spec.metric.source),
        "workspace.hidden": spec.workspace.hidden,
        "score": (score.command, score.budget, score.holdout) if score else (),
        "score.predict": (score.predict, score.predict_budget.seconds, score.predict_budget.clock)
        if score and score.predict
        else (),
    }
    return {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}


def spec_text(spec: Spec) -> str:
    """The text the spec was read from, as the record keeps it."""
    return spec.text


def _pairs(env: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(env.items()))
