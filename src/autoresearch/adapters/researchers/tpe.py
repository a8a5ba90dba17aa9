"""Optuna's tree-structured Parzen estimator on a few constants at a time, the others fixed to the incumbent.

Asked and told through a study in memory, rebuilt from the observations: nothing is stored, nothing is logged.
"""

import random
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from autoresearch.adapters.researchers.space import Dimension
from autoresearch.adapters.researchers.surrogate import SIZES, Observation

if TYPE_CHECKING:
    from optuna.study import Study

ATTEMPTS = 20
STARTUP = 8
"""Observations before the estimator is believed; random draws until then."""


def draws(
    dims: Sequence[Dimension], here: Sequence[float], past: Sequence[Observation], *, seed: int, bold: bool = False
) -> Iterator[list[float]]:
    """Points that differ from `here` in few coordinates, at most `ATTEMPTS` of them."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = random.Random(seed)
    spread = {dim.id: _distribution(dim) for dim in dims}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32, multivariate=False, n_startup_trials=STARTUP)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        _tell(study, dims, spread, past)
        for _ in range(ATTEMPTS):
            free = set(rng.sample(range(len(dims)), min(len(dims), rng.choice(SIZES) + bold)))
            fixed = {dim.id: _parameter(dim, here[at]) for at, dim in enumerate(dims) if at not in free}
            study.sampler = optuna.samplers.PartialFixedSampler(fixed, sampler)
            trial = study.ask(spread)
            yield [float(trial.params[dim.id]) if at in free else here[at] for at, dim in enumerate(dims)]
            study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _tell(study: "Study", dims: Sequence[Dimension], spread: dict[str, Any], past: Sequence[Observation]) -> None:
    """Tell the observations: effect plus what is known of the parent's own level; a crash is a failed trial."""
    from optuna.trial import TrialState, create_trial

    levels: dict[tuple[float, ...], float] = {}
    for each in past:
        level = levels.get(each.parent, 0.0)
        params = {dim.id: _parameter(dim, at) for dim, at in zip(dims, each.point, strict=True)}
        if each.effect is None:
            study.add_trial(create_trial(params=params, distributions=spread, state=TrialState.FAIL))
        else:
            levels.setdefault(each.point, level + each.effect)
            study.add_trial(create_trial(params=params, distributions=spread, value=level + each.effect))


def _distribution(dim: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    return CategoricalDistribution(range(len(dim.choices))) if dim.categorical else FloatDistribution(0.0, 1.0)


def _parameter(dim: Dimension, at: float) -> int | float:
    return max(0, int(at)) if dim.categorical else min(1.0, max(0.0, at))
