"""What past trials say of an untried move: a Gaussian process over the coordinates of the constants.

It is fitted on effects relative to each trial's own parent, so that a changing incumbent and its luck cancel out,
and it suggests moves of few constants from the incumbent, by expected improvement.

The prior over gains is f(x) = sum of one smooth function per constant (squared-exponential kernel on the range's
coordinate, seen through `NODES` Nyström features; Williams & Seeger 2001) + products of two constants' distances
from the base (second elementary symmetric polynomial, Duvenaud et al. 2011, eq. 11) + a bowl common to all
constants, which learns how far from the base it is worth going. An observation is f(trial) − f(parent) + noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from autoresearch.adapters.researchers.space import SWITCH, Dimension, Scale, coordinate, values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NODES = 5
WIDTH = 0.35
"""Length scale of a constant's function, in coordinates."""
CATEGORY = 0.5
"""Prior variance of a choice's own effect, beside 1 for a smooth function."""
PRODUCTS = 0.9
BOWL = 4.0
CANDIDATES = 400
SIZES = (1, 2, 2, 3)
"""How many constants a move considered has, each as likely."""
PARSIMONY = 0.8
"""A further constant must raise the expected improvement by a quarter: what is kept then has fewer and larger parts."""
STEPS = (0.08, 0.15, 0.3)
"""Standard deviations of a step, in coordinates: a factor of 1.4, 1.9 or 3.5 on a range of v/8 to v*8."""
WORST = 6.0
BEST = 10.0
"""Effects are cut to -WORST and +BEST times their typical size, so that one disaster does not drown the rest."""
SHARED = 0.5
"""Variance of the parent's own error, beside a trial's: it is common to all effects over that parent, so that a
parent kept by luck does not make every idle constant look harmful."""
LEAST = 0.1
"""Least prior variance of a move, in squares of a typical effect: nothing is known for certain to be idle."""
CRASH = 2.0
"""A crash counts as a loss of this many typical effects, and as uncertain as one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One past trial in coordinates. `effect` is a gain (positive is better); None: it crashed."""

    point: tuple[float, ...]
    parent: tuple[float, ...]
    effect: float | None
    precise: bool = False
    """Kept trials were measured more than once."""
    mixed: bool = False
    """More than constants may have changed, so the effect says less about them."""


def suggestions(
    dims: Sequence[Dimension],
    incumbent: Sequence[float],
    past: Sequence[Observation],
    *,
    noise: float | None,
    seed: int,
    bold: bool = False,
) -> "Array":
    """Moves from the incumbent as coordinates, (candidates, constants), most promising first.

    `noise` is the standard deviation of an effect. `bold` moves one constant more and ranks by mean + 2 deviations.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    here = np.array(incumbent, dtype=float)
    sizes = rng.choice(SIZES, CANDIDATES) + bold
    moves = _moves(dims, here, sizes, rng)
    if not past:
        return moves
    mean, deviation = _belief(dims, here, moves, past, noise)
    thrift = PARSIMONY ** (np.minimum(sizes, len(dims)) - 1)
    merit = mean + 2 * deviation if bold else thrift * _improvement(mean, deviation)
    return moves[np.argsort(-merit, kind="stable")]


def _improvement(mean: "Array", deviation: "Array") -> "Array":
    """Expected gain over the incumbent (Jones et al. 1998, eq. 15), the incumbent being where mean is 0."""
    import numpy as np
    from scipy.special import ndtr

    ratio = mean / deviation
    return np.asarray(deviation * (ratio * ndtr(ratio) + np.exp(-0.5 * ratio**2) / math.sqrt(2 * math.pi)))


def _belief(
    dims: Sequence[Dimension], here: "Array", moves: "Array", past: Sequence[Observation], noise: float | None
) -> tuple["Array", "Array"]:
    """Posterior mean and deviation of f(move) − f(here), in units of a typical effect."""
    import numpy as np
    from scipy.linalg import solve_triangular

    gains, doubt = _targets(past, noise)
    base = np.array([coordinate(dim, dim.base) for dim in dims])
    families = {parent: index for index, parent in enumerate(dict.fromkeys(each.parent for each in past))}
    family = np.array([families[each.parent] for each in past])
    points = _Features(dims, base, np.array([each.point for each in past]))
    parents = _Features(dims, base, np.array(list(families)))
    ahead, origin = _Features(dims, base, moves), _Features(dims, base, here[None, :])
    cross = _gram(points, parents)[:, family]
    seen = _gram(points, points) - cross - cross.T + _gram(parents, parents)[family][:, family]
    scale = max(float(np.mean(gains**2)), LEAST) / max(float(np.mean(np.diag(seen))), 1e-9)
    link = _gram(ahead, points) - _gram(origin, points)
    link = scale * (link - (_gram(ahead, parents) - _gram(origin, parents))[:, family])
    prior = scale * (ahead.variance() - 2 * _gram(ahead, origin)[:, 0] + origin.variance()[0])
    common = SHARED * float(doubt.min()) * (family[:, None] == family)
    factor = np.linalg.cholesky(scale * seen + np.diag(doubt) + common)
    half = solve_triangular(factor, link.T, lower=True, check_finite=False)
    mean = half.T @ solve_triangular(factor, gains, lower=True, check_finite=False)
    variance = prior - np.einsum("ij,ij->j", half, half)
    return mean, np.sqrt(np.maximum(variance, 1e-12 * scale))


def _targets(past: Sequence[Observation], noise: float | None) -> tuple["Array", "Array"]:
    """Effects, cut and with a number for crashes, and their errors' variances, in units of a typical effect."""
    import numpy as np

    known = [abs(each.effect) for each in past if each.effect is not None]
    typical = max(float(np.median(known)) if known else 0.0, noise or 0.0) or 1.0
    error = noise / typical if noise is not None else 0.5
    variance = error**2 + 0.05**2
    gains = [-CRASH if each.effect is None else min(BEST, max(-WORST, each.effect / typical)) for each in past]
    doubt = [1.0 if each.effect is None else variance / (2 if each.precise else 1) + float(each.mixed) for each in past]
    return np.array(gains), np.array(doubt)


class _Features:
    """Points seen through the prior: `smooth` features, `offset` from the base and `bowl` of each."""

    def __init__(self, dims: Sequence[Dimension], base: "Array", points: "Array") -> None:
        import numpy as np

        columns = []
        self.offset = points - base
        for index, dim in enumerate(dims):
            at = points[:, index, None]
            if dim.categorical:
                columns.append(math.sqrt(CATEGORY) * (at == np.arange(len(dim.choices))))
                self.offset[:, index] = 0.3 * (points[:, index] != base[index])
            else:
                nodes, root = _nystrom()
                columns.append(np.exp(-0.5 * ((at - nodes) / WIDTH) ** 2) @ root)
        self.smooth = np.hstack(columns)
        self.bowl = np.sum(self.offset**2, axis=1)

    def variance(self) -> "Array":
        """Prior variance of each point: the diagonal of its Gram matrix."""
        import numpy as np

        square = self.offset**2
        products = np.sum(square, axis=1) ** 2 - np.sum(square**2, axis=1)
        return np.asarray(np.sum(self.smooth**2, axis=1) + PRODUCTS / 2 * products + BOWL * self.bowl**2)


def _gram(one: _Features, other: _Features) -> "Array":
    """Prior covariances, (points of one, points of the other)."""
    import numpy as np

    products = (one.offset @ other.offset.T) ** 2 - (one.offset**2) @ (other.offset**2).T
    bowls = BOWL * one.bowl[:, None] * other.bowl
    return np.asarray(one.smooth @ other.smooth.T + PRODUCTS / 2 * products + bowls)


@lru_cache(maxsize=1)
def _nystrom() -> tuple["Array", "Array"]:
    """The nodes and the inverse square root of their kernel matrix."""
    import numpy as np

    nodes = np.linspace(0.0, 1.0, NODES)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * ((nodes[:, None] - nodes) / WIDTH) ** 2) + 1e-6 * np.eye(NODES))
    return nodes, (vectors / np.sqrt(values)) @ vectors.T


# ---------------------------------------------------------------- moves


def _moves(dims: Sequence[Dimension], here: "Array", sizes: "Array", rng: "np.random.Generator") -> "Array":
    """Random moves, each of as many constants as `sizes` says."""
    import numpy as np

    moves = np.tile(here, (len(sizes), 1))
    chosen = np.argsort(rng.random(moves.shape), axis=1) < sizes[:, None]
    for index, dim in enumerate(dims):
        rows = np.flatnonzero(chosen[:, index])
        moves[rows, index] = _steps(dim, float(here[index]), len(rows), rng)
    return moves


def _steps(dim: Dimension, here: float, count: int, rng: "np.random.Generator") -> "Array":
    import numpy as np

    grid = _grid(dim)
    if dim.categorical:
        others = np.array([index for index in range(len(dim.choices)) if index != here], dtype=float)
        return rng.choice(others, count) if len(others) else np.full(count, here)
    drawn = here + rng.normal(0.0, 1.0, count) * rng.choice(STEPS, count)
    if dim.scale is Scale.SWITCHED:
        return _switched(here, drawn, rng)
    if grid is None:
        return np.asarray(np.clip(drawn, 0.0, 1.0))
    nearest = np.abs(drawn[:, None] - grid).argmin(axis=1)
    stay = np.abs(grid - here).argmin()
    moved = np.where(nearest == stay, stay + np.where(drawn >= here, 1, -1), nearest)
    moved = np.where(moved < 0, 1, np.where(moved >= len(grid), len(grid) - 2, moved))
    return np.asarray(grid[moved])


def _switched(here: float, drawn: "Array", rng: "np.random.Generator") -> "Array":
    """Steps on a range that can be off: from off to anywhere on, from on mostly nearby and sometimes off."""
    import numpy as np

    if here < SWITCH / 2:
        return rng.uniform(SWITCH, 1.0, len(drawn))
    return np.where(rng.random(len(drawn)) < 0.15, 0.0, np.clip(drawn, SWITCH, 1.0))


@lru_cache(maxsize=512)
def _grid(dim: Dimension) -> "Array | None":
    """Coordinates of a coarse range's values, ascending; None for a fine one."""
    import numpy as np

    values = None if dim.categorical or dim.scale is Scale.SWITCHED else values_of(dim, limit=24)
    return None if values is None or len(values) < 2 else np.sort([coordinate(dim, each) for each in values])
