"""Confirmation: which of the kept changes hold up, from trees in which they are toggled together.

Pure functions from counts and readings to designs, effects and outcomes; nothing here has seen a reading that the
search used. A cell is one tree: the last confirmed tree plus the atoms that are on. Every run measures all atoms (Box,
Hunter & Hunter, Statistics for Experimenters, ch. 5), so a round costs about the same however many they are.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, inf, isinf, sqrt
from typing import Any

from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import Standing
from autoresearch.domain.stats import Difference, Noise, benjamini_hochberg, interval, t_tail, z_quantile

Cell = tuple[bool, ...]
"""One tree of a design: for each atom, whether it is on."""

TRIES = 48
"""Random balanced designs drawn, of which the most informative is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomEffect:
    """What the full tree gains by having these atoms, estimated from their removal."""

    atoms: tuple[int, ...]
    """Indices into the cells; more than one when crashes show that they cannot be told apart."""
    effect: float
    error: float
    """Standard error; infinite when no surviving run tells (then `needed` may say why)."""
    needed: bool = False
    """Every tree without these atoms crashed: they cannot be dropped alone, and stay wherever anything later stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """All effects of one round, with the noise they were judged by."""

    effects: tuple[AtomEffect, ...]
    sigma: float
    dof: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomOutcome:
    """The outcome of one atom (or of atoms that only stand together), with a 95 % interval."""

    atoms: tuple[int, ...]
    standing: Standing
    """CONFIRMED, REFUTED or UNDECIDED."""
    effect: float
    low: float
    high: float
    p: float
    """One-sided probability of such an effect if the atom gave nothing."""
    needed: bool = False


def off_share(atoms: int) -> float:
    """Share of runs in which one atom is off: half for a single atom, towards a fifth for many."""
    return 0.2 + 0.6 / (max(atoms, 1) + 1)


def design(*, atoms: int, runs: int, seed: int) -> tuple[Cell, ...]:
    """`runs` cells of `atoms` random toggles, mostly on: every atom off equally often, no two always together.

    Of `TRIES` balanced draws the one with the smallest largest variance is taken (minimax over the atoms).
    Raises `UsageError` when fewer than `least_runs(atoms)` runs are given: the effects would not be separable.
    """
    if atoms < 1:
        raise UsageError("nothing to confirm: a design needs at least one atom")
    if runs < least_runs(atoms):
        least = least_runs(atoms)
        raise UsageError(f"{runs} runs cannot separate {atoms} atoms: give confirmation at least {least} runs")
    chance = random.Random(seed)
    drawn = [_balanced(atoms, runs, chance) for _ in range(TRIES)]
    return min(drawn, key=_worst_variance)


def least_runs(atoms: int) -> int:
    """Fewest runs whose cells can separate `atoms` effects and still leave something to see noise by."""
    return max(4, atoms + 2, 2 * min(atoms, 3))


def runs_needed(*, atoms: int, ratio: float, level: float = 0.02, power: float = 0.8) -> int:
    """Runs with which one effect of `ratio` sigma is found at one-sided `level` with `power` (normal approximation)."""
    if ratio <= 0.0:
        raise UsageError(f"an effect of {ratio} sigma can never be confirmed: give the least effect that matters")
    share = off_share(atoms)
    reach = z_quantile(1 - level) + z_quantile(power)
    return max(least_runs(atoms), ceil((reach / ratio) ** 2 / (share * (1 - share))) + 1 + atoms // 2)


def estimate(*, cells: Sequence[Cell], gains: Sequence[float | None], noise: Noise) -> Effects:
    """Least-squares effects of all atoms; None is a crashed cell.

    Crashes are explained first (`_explain`): atoms without which every tree crashed are `needed`, two atoms of which
    one fails without the other become one. The residual variance is pooled with `noise` by degrees of freedom.
    """
    if not cells or len(cells) != len(gains):
        raise UsageError(f"{len(cells)} cells, {len(gains)} gains: every cell needs its gain, None if it crashed")
    atoms = len(cells[0])
    needed, merged = _explain(cells, gains)
    groups = _groups(atoms, merged)
    rows, values = _usable(cells, gains, groups)
    free = [group for group in groups if not needed.intersection(group)]
    fitted, sigma, dof = _fit(rows, values, free, noise)
    missing = [AtomEffect(atoms=g, effect=0.0, error=inf, needed=True) for g in groups if needed.intersection(g)]
    return Effects(effects=tuple(sorted([*fitted, *missing], key=lambda e: e.atoms)), sigma=sigma, dof=dof)


def judge(effects: Effects, *, level: float, min_effect: float = 0.0, refute: float = 0.1) -> tuple[AtomOutcome, ...]:
    """Outcomes at false discovery rate `level` (one-sided Benjamini-Hochberg over the atoms of the round).

    Refuted: harmful at one-sided `refute`, or, with a `min_effect`, surely smaller than what matters. An atom confirmed
    against zero whose effect lies under `min_effect` stays undecided.
    """
    tests = {e.atoms: interval(e.effect, e.error, effects.dof) for e in effects.effects}
    seen = [e.atoms for e in effects.effects if not isinf(e.error)]
    found = dict(zip(seen, benjamini_hochberg([tests[atoms].p for atoms in seen], level), strict=True))
    outcomes = []
    for e in effects.effects:
        test = tests[e.atoms]
        standing = Standing.UNDECIDED
        if found.get(e.atoms, False) and e.effect >= min_effect:
            standing = Standing.CONFIRMED
        elif e.atoms in found and (_tail(-e.effect, e.error, effects.dof) <= refute or test.high < min_effect):
            standing = Standing.REFUTED
        outcomes.append(_outcome(e, standing, test))
    return tuple(outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the budget of runs is split between search and confirmation (decision page 0003)."""

    share: float = 0.14
    """Least share of all runs that goes to confirmation."""
    most: float = 0.3
    """Largest share, taken when the effects found are small beside the noise."""
    luck: float = 0.65
    """What is left on average of the effect by which a trial was kept: selection made it too good."""
    false: float = 0.016
    """Chance that a study without any gain claims something, over all its rounds together (2 % with a margin)."""
    headline: int = 2
    """Fresh runs of the base and of the confirmed-only tree each, at the end."""
    early: int = 12
    """Unconfirmed atoms at which an interim round may be held."""


def reserve(schedule: Schedule, *, total: int, atoms: int = 0, ratio: float = 0.0, spent: int = 0) -> int:
    """Runs of a study of `total` runs to hold back now for the next last round and the headline; at most half.

    `atoms` are kept and unsettled, `ratio` is their mean effect at their verdicts in sigma (ignored without atoms),
    `spent` the runs of earlier rounds. Enough to find such effects with a power of 0.8, within `share` and `most`.
    """
    size = max(round_size(schedule, atoms=atoms, ratio=ratio), schedule.share * total - spent)
    size = max(least_runs(max(atoms, 1)), min(size, schedule.most * total - spent))
    return min(total // 2, round(size) + 2 * schedule.headline)


def owed(schedule: Schedule, *, search: int, atoms: int = 0, ratio: float = 0.0) -> int:
    """Runs that confirmation and headline deserve after a search of `search` runs, where no cap on runs says it."""
    least, most = (share / (1 - share) * search for share in (schedule.share, schedule.most))
    size = min(max(round_size(schedule, atoms=atoms, ratio=ratio), least), most)
    return round(size) + 2 * schedule.headline


def round_size(schedule: Schedule, *, atoms: int, ratio: float) -> int:
    """Runs that find the effects to be expected of kept atoms with a power of 0.8 (see `reserve`)."""
    expected = min(2.0, max(0.6, schedule.luck * ratio)) if atoms else 1.2
    return runs_needed(atoms=max(atoms, 1), ratio=expected)


def due(schedule: Schedule, *, atoms: int, used: int, spent: int) -> bool:
    """Whether an interim round is due: enough atoms, and confirmation is owed the runs of one.

    `used`: all runs so far; `spent`: those of earlier rounds.
    """
    unspent = schedule.share * used - spent
    return atoms >= schedule.early and unspent >= interim_size(schedule, atoms=atoms)


def interim_size(schedule: Schedule, *, atoms: int) -> int:
    """Runs of an interim round: enough to see an effect of one sigma."""
    return runs_needed(atoms=atoms, ratio=1.0, level=schedule.false / 2, power=0.5)


def final_size(schedule: Schedule, *, atoms: int, left: int) -> int:
    """Runs of the last round when `left` runs remain in all, headline included; 0 if they cannot separate the atoms."""
    size = left - 2 * schedule.headline
    return size if atoms > 0 and size >= least_runs(atoms) else 0


def level(schedule: Schedule, *, spent: float, confirmed: int, last: bool) -> float:
    """Error level of the next round; the caller adds it to `spent` afterwards.

    Before the first claim the levels of all rounds sum to less than `schedule.false`: a quarter of what is left for an
    interim round, all of it for the last. Once something is confirmed, a study without gains is out of the question and
    every round may use the full rate (batch BH: Zrnic, Jiang, Ramdas & Jordan 2020).
    """
    if confirmed > 0:
        return schedule.false
    rest = max(0.0, schedule.false - spent)
    return rest if last else rest / 4


def _outcome(e: AtomEffect, standing: Standing, test: Difference) -> AtomOutcome:
    return AtomOutcome(
        atoms=e.atoms, standing=standing, effect=e.effect, low=test.low, high=test.high, p=test.p, needed=e.needed
    )


def _tail(effect: float, error: float, dof: float) -> float:
    if error == 0.0:
        return 0.0 if effect > 0 else 1.0
    return t_tail(effect / error, dof)


def _balanced(atoms: int, runs: int, chance: random.Random) -> tuple[Cell, ...]:
    """Each atom off in the same number of random runs."""
    off = min(runs - 1, max(1, round(off_share(atoms) * runs)))
    columns = []
    for _ in range(atoms):
        gone = set(chance.sample(range(runs), off))
        columns.append([run not in gone for run in range(runs)])
    return tuple(zip(*columns, strict=True))


def _worst_variance(cells: tuple[Cell, ...]) -> float:
    """Largest variance of an atom's effect, in sigma squared; infinite when columns are aliased."""
    import numpy as np

    x = _matrix(cells, [(atom,) for atom in range(len(cells[0]))])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return inf
    return float(np.linalg.inv(x.T @ x).diagonal()[1:].max())


def _matrix(cells: Sequence[Cell], groups: Sequence[tuple[int, ...]]) -> Any:
    """(runs, 1 + groups) float array: the full tree, then 1 where a group is off."""
    import numpy as np

    return np.array([[1.0, *(0.0 if cell[group[0]] else 1.0 for group in groups)] for cell in cells])


def _fit(
    rows: Sequence[Cell], values: Sequence[float], groups: Sequence[tuple[int, ...]], noise: Noise
) -> tuple[list[AtomEffect], float, float]:
    """Effects, pooled sigma and its degrees of freedom; a group that the rows cannot separate has an infinite error."""
    import numpy as np

    seen = [group for group in groups if len({row[group[0]] for row in rows}) == 2]
    blind = [AtomEffect(atoms=group, effect=0.0, error=inf) for group in groups if group not in seen]
    if not rows:
        return blind, noise.sigma, noise.dof
    x, y = _matrix(rows, seen), np.asarray(values)
    inverse = np.linalg.pinv(x.T @ x)
    beta = inverse @ x.T @ y
    grain = 1e-9 * float(np.abs(y).max())
    beta[np.abs(beta) < grain] = 0.0
    residual = float(((y - x @ beta) ** 2).sum())
    free = len(rows) - int(np.linalg.matrix_rank(x))
    sigma, dof = _pooled(0.0 if sqrt(residual) < grain else residual, free, noise)
    separable = np.isclose((inverse @ x.T @ x).diagonal(), 1.0)
    errors = [
        sigma * sqrt(max(0.0, float(v))) if ok else inf for v, ok in zip(inverse.diagonal(), separable, strict=True)
    ]
    fitted = [AtomEffect(atoms=g, effect=-float(beta[i]), error=errors[i]) for i, g in enumerate(seen, start=1)]
    return [*fitted, *blind], sigma, dof


def _pooled(residual: float, free: int, noise: Noise) -> tuple[float, float]:
    """Sigma and degrees of freedom of the effects.

    A residual variance three standard deviations (of a chi-square over its degrees of freedom) above the known one is
    lack of fit: atoms that interact. It is then not diluted by pooling.
    """
    if free > 0 and residual / free > noise.sigma**2 * (1 + 3 * sqrt(2 / free)):
        return sqrt(residual / free), float(free)
    dof = noise.dof + free
    return (sqrt((residual + noise.sigma**2 * noise.dof) / dof), dof) if dof > 0 else (inf, dof)


def _explain(cells: Sequence[Cell], gains: Sequence[float | None]) -> tuple[set[int], list[tuple[int, int]]]:
    """Single atoms, then pairs, that account for crashes: (atoms needed in every tree, pairs that stand together).

    Two crashes show a pair, or one that only this pair can explain where the full tree never crashed.
    """
    atoms = range(len(cells[0]))
    alive = [cell for cell, gain in zip(cells, gains, strict=True) if gain is not None]
    dead = [cell for cell, gain in zip(cells, gains, strict=True) if gain is None]
    needed = {a for a in atoms if sum(not c[a] for c in dead) >= 2 and all(c[a] for c in alive)}
    dead = [cell for cell in dead if all(cell[a] for a in needed)]
    merged: list[tuple[int, int]] = []
    flaky = any(all(cell) for cell in dead)
    while dead:
        blame = {pair: count for pair in combinations(atoms, 2) if (count := _blame(pair, dead, alive))}
        best = max(blame, key=lambda pair: blame[pair], default=None)
        if best is None or (blame[best] < 2 and (flaky or len(blame) > 1)):
            break
        merged.append(best)
        dead = [cell for cell in dead if cell[best[0]] == cell[best[1]]]
    return needed, merged


def _blame(pair: tuple[int, int], dead: Sequence[Cell], alive: Sequence[Cell]) -> int:
    """Crashes explained by one of the pair failing without the other; 0 when a surviving tree contradicts it."""
    a, b = pair
    counts = []
    for on, off in ((a, b), (b, a)):
        contradicted = any(cell[on] and not cell[off] for cell in alive)
        counts.append(0 if contradicted else sum(cell[on] and not cell[off] for cell in dead))
    return max(counts)


def _groups(atoms: int, merged: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Atoms joined by merged pairs, smallest first."""
    leader = list(range(atoms))
    for a, b in merged:
        old, new = max(leader[a], leader[b]), min(leader[a], leader[b])
        leader = [new if x == old else x for x in leader]
    return [tuple(a for a in range(atoms) if leader[a] == x) for x in sorted(set(leader))]


def _usable(
    cells: Sequence[Cell], gains: Sequence[float | None], groups: Sequence[tuple[int, ...]]
) -> tuple[list[Cell], list[float]]:
    """Surviving cells in which every group is wholly on or wholly off."""
    rows, values = [], []
    for cell, gain in zip(cells, gains, strict=True):
        if gain is not None and all(len({cell[a] for a in group}) == 1 for group in groups):
            rows.append(cell)
            values.append(gain)
    return rows, values
