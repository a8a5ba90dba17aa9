"""Small statistics shared by acceptance, confirmation and `check`.

Plain functions of numbers: SciPy is imported only where a t distribution is needed, never on the path of a decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt
from statistics import NormalDist

from autoresearch.domain.errors import UsageError

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much a measurement moves when only the seed changes."""

    sigma: float
    """Standard deviation of one reading, in the metric's unit; 0.0 means the metric is deterministic."""
    dof: float
    """Degrees of freedom behind `sigma` (A/A runs - 1, and one for every further repeat)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Bounded sufficient statistics of repeats: squared deviations from their group's mean, and degrees of freedom."""

    squares: float = 0.0
    dof: int = 0

    def __add__(self, other: "Scatter") -> "Scatter":
        return Scatter(squares=self.squares + other.squares, dof=self.dof + other.dof)

    def noise(self) -> Noise:
        """The pooled noise; `UsageError` when nothing was ever repeated."""
        if self.dof < 1:
            raise UsageError("noise is unknown: no tree was run twice; run `autoresearch check` (at least 4 A/A runs)")
        return Noise(sigma=sqrt(self.squares / self.dof), dof=float(self.dof))


def scatter(group: Sequence[float]) -> Scatter:
    """Scatter of repeats of one tree. Leave out the reading that selected it: that is not a draw like the others."""
    if len(group) < 2:
        return Scatter()
    middle = mean(group)
    return Scatter(squares=fsum((x - middle) ** 2 for x in group), dof=len(group) - 1)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of at least one value; of equal values exactly that value, so they have no scatter."""
    first = values[0]
    return first + fsum(x - first for x in values) / len(values)


def z_quantile(p: float) -> float:
    """Normal quantile of probability `p` in (0, 1)."""
    return NORMAL.inv_cdf(p)


def t_quantile(p: float, dof: float) -> float:
    """Exact quantile of Student's t with `dof` > 0 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, p))


def t_tail(t: float, dof: float) -> float:
    """P(T >= t) for Student's t with `dof` > 0 degrees of freedom."""
    from scipy.special import stdtr

    return float(stdtr(dof, -t))


def inflated(z: float, dof: float) -> float:
    """The t quantile that has the tail of normal `z`, approximately and cheaply.

    Three terms of the Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5).
    """
    nu = max(dof, 1.0)
    cube = z * z * z
    first = (cube + z) / 4
    second = (5 * cube * z * z + 16 * cube + 3 * z) / 96
    third = (3 * cube * cube * z + 19 * cube * z * z + 17 * cube - 15 * z) / 384
    return z + first / nu + second / nu**2 + third / nu**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better one tree is than another, with a two-sided interval and P(no better) of a one-sided test."""

    effect: float
    low: float
    high: float
    p: float


def difference(better: Sequence[float], worse: Sequence[float], *, noise: Noise, level: float = 0.95) -> Difference:
    """Mean gain of `better` over `worse` under pooled noise; both need at least one reading."""
    own = scatter(better) + scatter(worse)
    dof = own.dof + noise.dof
    effect = mean(better) - mean(worse)
    sigma = sqrt((own.squares + noise.sigma**2 * noise.dof) / dof) if dof else inf
    error = sigma * sqrt(1 / len(better) + 1 / len(worse))
    return interval(effect, error, dof, level=level)


def interval(effect: float, error: float, dof: float, *, level: float = 0.95) -> Difference:
    """A t interval around `effect` with standard error `error`; an error of 0 is exact."""
    if error == 0.0:
        return Difference(effect=effect, low=effect, high=effect, p=0.0 if effect > 0 else 1.0)
    if error == inf or dof <= 0:
        return Difference(effect=effect, low=-inf, high=inf, p=1.0)
    reach = t_quantile(0.5 + level / 2, dof) * error
    return Difference(effect=effect, low=effect - reach, high=effect + reach, p=t_tail(effect / error, dof))


def benjamini_hochberg(p_values: Sequence[float], level: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected at false discovery rate `level` (Benjamini & Hochberg 1995)."""
    count = len(p_values)
    bound = 0.0
    for rank, p in enumerate(sorted(p_values), start=1):
        if p <= level * rank / count:
            bound = p
    return tuple(p <= bound and p <= level for p in p_values)


def detectable(
    noise: Noise, *, runs: int, base_runs: int | None = None, level: float = 0.02, power: float = 0.8
) -> float:
    """Smallest true effect that `runs` runs (against `base_runs`, by default as many) show at `level` with `power`."""
    others = runs if base_runs is None else base_runs
    if runs < 1 or others < 1:
        raise UsageError(f"an effect cannot be seen with {runs} and {others} runs: at least one of each is needed")
    dof = noise.dof + runs + others - 2
    reach = t_quantile(1 - level, dof) + t_quantile(power, dof)
    return noise.sigma * reach * sqrt(1 / runs + 1 / others)
