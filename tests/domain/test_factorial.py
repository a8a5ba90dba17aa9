"""Confirmation's statistics: designs, effects, crashes, outcomes, and the schedule."""

import random
from collections.abc import Sequence
from math import inf, isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.domain.errors import UsageError
from autoresearch.domain.factorial import (
    AtomEffect,
    AtomOutcome,
    Cell,
    Effects,
    Schedule,
    design,
    due,
    estimate,
    final_size,
    interim_size,
    judge,
    least_runs,
    level,
    off_share,
    owed,
    reserve,
    round_size,
    runs_needed,
)
from autoresearch.domain.model import Standing
from autoresearch.domain.stats import Noise

NOISE = Noise(sigma=1.0, dof=20.0)
EXACT = Noise(sigma=0.0, dof=3.0)
SCHEDULE = Schedule()


def gains(cells: Sequence[Cell], effects: Sequence[float], chance: random.Random | None = None) -> list[float]:
    """Readings of additive atoms; exact without `chance`."""
    own = [sum(effect for effect, on in zip(effects, cell, strict=True) if on) for cell in cells]
    return [gain + (chance.gauss(0, 1) if chance else 0.0) for gain in own]


def outcomes(effects: Sequence[float], *, runs: int, seed: int, at: float = 0.02) -> tuple[AtomOutcome, ...]:
    cells = design(atoms=len(effects), runs=runs, seed=seed)
    found = estimate(cells=cells, gains=list(gains(cells, effects, random.Random(seed))), noise=NOISE)
    return judge(found, level=at)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 14), st.integers(0, 30), st.integers(0, 10**6))
def test_designs_are_balanced_mostly_on_and_separable(atoms: int, extra: int, seed: int) -> None:
    runs = least_runs(atoms) + extra
    cells = design(atoms=atoms, runs=runs, seed=seed)
    assert len(cells) == runs
    columns = list(zip(*cells, strict=True))
    assert len({column.count(False) for column in columns}) == 1
    assert columns[0].count(False) == max(1, round(off_share(atoms) * runs))
    exact = [float(atom + 1) for atom in range(atoms)]
    found = estimate(cells=cells, gains=list(gains(cells, exact)), noise=EXACT).effects
    if extra >= 4:
        assert all(isclose(e.effect, value, abs_tol=1e-6) for e, value in zip(found, exact, strict=True))


def test_the_same_seed_gives_the_same_design() -> None:
    assert design(atoms=6, runs=20, seed=9) == design(atoms=6, runs=20, seed=9) != design(atoms=6, runs=20, seed=10)


def test_one_atom_is_off_half_the_time_and_many_a_quarter_or_less() -> None:
    assert off_share(1) == 0.5
    assert 0.2 < off_share(20) < 0.25


def test_designs_that_cannot_work_are_refused_with_the_number_needed() -> None:
    with pytest.raises(UsageError, match="at least 12 runs"):
        design(atoms=10, runs=8, seed=1)
    with pytest.raises(UsageError, match="at least one atom"):
        design(atoms=0, runs=8, seed=1)
    with pytest.raises(UsageError, match="every cell needs its gain"):
        estimate(cells=[(True,)], gains=[], noise=NOISE)


def test_effects_and_errors_on_draws_are_honest() -> None:
    truth, hits, total = (2.0, 0.0, -1.0, 0.5), 0, 0
    for seed in range(300):
        for outcome, value in zip(outcomes(truth, runs=24, seed=seed), truth, strict=True):
            hits += outcome.low <= value <= outcome.high
            total += 1
    assert 0.93 <= hits / total <= 0.97


def test_null_atoms_are_rarely_confirmed_and_real_ones_usually() -> None:
    null = sum(any(o.standing is Standing.CONFIRMED for o in outcomes((0.0,) * 4, runs=24, seed=s)) for s in range(400))
    assert null / 400 <= 0.04
    real = [o.standing for s in range(100) for o in outcomes((2.0, 2.0, 2.0), runs=24, seed=s)]
    assert real.count(Standing.CONFIRMED) / len(real) > 0.9
    harmful = [o.standing for s in range(100) for o in outcomes((-1.5, 0.0), runs=24, seed=s)[:1]]
    assert harmful.count(Standing.REFUTED) / len(harmful) > 0.85


def test_runs_needed_give_the_power_they_promise() -> None:
    runs = runs_needed(atoms=1, ratio=1.0)
    found = [outcomes((1.0,), runs=runs, seed=s)[0].standing for s in range(400)]
    assert 0.74 <= found.count(Standing.CONFIRMED) / 400 <= 0.9
    with pytest.raises(UsageError, match="least effect that matters"):
        runs_needed(atoms=1, ratio=0.0)


def test_a_deterministic_metric_is_judged_exactly() -> None:
    cells = design(atoms=3, runs=6, seed=1)
    found = estimate(cells=cells, gains=list(gains(cells, (0.1, 0.0, -0.1))), noise=EXACT)
    assert [o.standing for o in judge(found, level=0.01)] == [
        Standing.CONFIRMED,
        Standing.UNDECIDED,
        Standing.REFUTED,
    ]


def test_lack_of_fit_is_not_diluted_by_the_calibration() -> None:
    cells = design(atoms=4, runs=24, seed=2)
    tangled = [4.0 * (cell[0] == cell[1]) + 4.0 * (cell[2] == cell[3]) for cell in cells]
    found = estimate(cells=cells, gains=tangled, noise=Noise(sigma=0.1, dof=500.0))
    assert found.sigma > 1.0
    assert found.dof == 24 - 5


def test_below_the_least_effect_nothing_is_confirmed_and_the_surely_small_is_refuted() -> None:
    found = Effects(
        effects=(
            AtomEffect(atoms=(0,), effect=3.0, error=0.1),
            AtomEffect(atoms=(1,), effect=0.9, error=0.1),
            AtomEffect(atoms=(2,), effect=0.2, error=0.1),
        ),
        sigma=1.0,
        dof=50.0,
    )
    standings = [o.standing for o in judge(found, level=0.02, min_effect=1.0)]
    assert standings == [Standing.CONFIRMED, Standing.UNDECIDED, Standing.REFUTED]


def test_an_atom_whose_removal_always_crashes_is_needed_and_claims_nothing() -> None:
    cells = design(atoms=4, runs=24, seed=3)
    values: list[float | None] = [
        gain if cell[2] else None for cell, gain in zip(cells, gains(cells, (3.0, 0.0, 5.0, 2.0)), strict=True)
    ]
    by_atom = {o.atoms: o for o in judge(estimate(cells=cells, gains=values, noise=EXACT), level=0.02)}
    assert by_atom[(2,)].needed
    assert by_atom[(2,)].standing is Standing.UNDECIDED
    assert by_atom[(2,)].high == inf
    assert by_atom[(0,)].standing is Standing.CONFIRMED


def test_an_atom_that_fails_without_another_becomes_one_with_it() -> None:
    cells = design(atoms=5, runs=30, seed=4)
    exact = gains(cells, (1.0, 2.0, 0.0, 3.0, 1.0))
    values = [None if cell[3] and not cell[1] else gain for cell, gain in zip(cells, exact, strict=True)]
    found = {o.atoms: o for o in judge(estimate(cells=cells, gains=values, noise=EXACT), level=0.02)}
    assert set(found) == {(0,), (1, 3), (2,), (4,)}
    assert isclose(found[(1, 3)].effect, 5.0, abs_tol=1e-9)


def test_one_crash_that_only_one_pair_can_explain_makes_them_one() -> None:
    """A name and its use: without the name the use fails, without the use the name is only a cost."""
    cells = [(False, True), (True, True), (True, True), (False, False), (True, False), (True, True)]
    effects = estimate(cells=cells, gains=[None, 10.0, 10.1, 1.0, -7.0, 9.9], noise=NOISE).effects
    assert [each.atoms for each in effects] == [(0, 1)]
    assert effects[0].effect == pytest.approx(9.0, abs=0.2)
    flaky = estimate(cells=cells, gains=[None, None, 10.1, 1.0, -7.0, 9.9], noise=NOISE).effects
    assert [each.atoms for each in flaky] == [(0,), (1,)]


def test_a_single_chance_crash_blames_nobody() -> None:
    cells = design(atoms=3, runs=20, seed=5)
    values: list[float | None] = list(gains(cells, (2.0, 2.0, 0.0)))
    values[next(i for i, cell in enumerate(cells) if not all(cell))] = None
    found = estimate(cells=cells, gains=values, noise=EXACT)
    assert [(e.atoms, e.needed) for e in found.effects] == [((0,), False), ((1,), False), ((2,), False)]


def test_when_every_cell_crashed_nothing_is_known() -> None:
    cells = design(atoms=2, runs=8, seed=6)
    found = judge(estimate(cells=cells, gains=[None] * 8, noise=NOISE), level=0.02)
    assert {o.standing for o in found} == {Standing.UNDECIDED}


def test_the_reserve_follows_what_was_found_within_its_bounds() -> None:
    small, large = (reserve(SCHEDULE, total=125, atoms=3, ratio=ratio) for ratio in (1.0, 4.0))
    assert round(0.14 * 125) <= large < small <= round(0.3 * 125) + 4
    assert reserve(SCHEDULE, total=10_000, atoms=3, ratio=4.0) == 1400 + 4
    assert reserve(SCHEDULE, total=20, atoms=2, ratio=1.0) == 10
    assert reserve(SCHEDULE, total=700, atoms=3, ratio=4.0, spent=60) < reserve(SCHEDULE, total=700, atoms=3, ratio=4.0)


def test_without_a_cap_confirmation_is_owed_its_share_of_the_search() -> None:
    assert owed(SCHEDULE, search=600) == round(0.14 / 0.86 * 600) + 4
    assert owed(SCHEDULE, search=40, atoms=2, ratio=1.0) == round(0.3 / 0.7 * 40) + 4
    assert round_size(SCHEDULE, atoms=2, ratio=9.0) == round_size(SCHEDULE, atoms=2, ratio=99.0)


def test_interim_rounds_wait_for_atoms_and_for_their_share() -> None:
    size = interim_size(SCHEDULE, atoms=12)
    enough = round(size / SCHEDULE.share) + 1
    assert due(SCHEDULE, atoms=12, used=enough, spent=0)
    assert not due(SCHEDULE, atoms=11, used=enough, spent=0)
    assert not due(SCHEDULE, atoms=12, used=enough, spent=size)


def test_the_last_round_takes_what_is_left_or_nothing() -> None:
    assert final_size(SCHEDULE, atoms=3, left=30) == 26
    assert final_size(SCHEDULE, atoms=10, left=12) == 0
    assert final_size(SCHEDULE, atoms=0, left=30) == 0


def test_levels_before_the_first_claim_sum_to_the_promised_rate() -> None:
    spent = 0.0
    for _ in range(20):
        spent += level(SCHEDULE, spent=spent, confirmed=0, last=False)
    spent += level(SCHEDULE, spent=spent, confirmed=0, last=True)
    assert spent <= SCHEDULE.false + 1e-12
    assert level(SCHEDULE, spent=spent, confirmed=1, last=False) == SCHEDULE.false
