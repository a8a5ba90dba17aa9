"""Small statistics against SciPy, textbook examples and each other."""

import random
from math import inf, isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.domain.errors import UsageError
from autoresearch.domain.stats import (
    NORMAL,
    Noise,
    Scatter,
    benjamini_hochberg,
    detectable,
    difference,
    inflated,
    interval,
    mean,
    scatter,
    t_quantile,
    t_tail,
    z_quantile,
)


def pooled(groups: list[list[float]]) -> Noise:
    """Noise pooled over groups of repeats, each group one tree on different seeds."""
    return sum((scatter(group) for group in groups), Scatter()).noise()


P_VALUES = st.lists(st.floats(min_value=0.0, max_value=1.0), min_size=1, max_size=12)


def test_noise_is_pooled_within_groups() -> None:
    noise = pooled([[1.0, 3.0], [10.0, 10.0, 13.0], [7.0]])
    assert noise.dof == 3
    assert isclose(noise.sigma, sqrt((2.0 + 6.0) / 3))


def test_equal_readings_are_a_deterministic_metric() -> None:
    assert pooled([[2.5] * 4]) == Noise(sigma=0.0, dof=3.0)


@given(st.floats(min_value=-1e12, max_value=1e12), st.integers(2, 9))
def test_repeats_of_a_deterministic_metric_have_no_scatter_to_the_last_bit(value: float, count: int) -> None:
    assert mean([value] * count) == value
    assert scatter([value] * count).squares == 0.0


def test_scatter_adds_up_like_its_groups() -> None:
    assert scatter([1.0, 2.0]) + scatter([5.0]) == Scatter(squares=0.5, dof=1)


def test_noise_without_repeats_names_the_cure() -> None:
    with pytest.raises(UsageError, match="autoresearch check"):
        pooled([[1.0], [2.0]])


@pytest.mark.parametrize("dof", [3, 5, 10, 100])
@pytest.mark.parametrize("z", [0.5, 1.0, 1.96])
def test_cheap_quantile_is_near_the_exact_one(z: float, dof: int) -> None:
    assert isclose(inflated(z, dof), t_quantile(NORMAL.cdf(z), dof), rel_tol=0.02)


def test_quantile_and_tail_are_inverse() -> None:
    assert isclose(t_tail(t_quantile(0.97, 7.0), 7.0), 0.03)
    assert isclose(z_quantile(0.975), 1.959964, abs_tol=1e-6)


def test_difference_pools_its_own_scatter_with_the_calibration() -> None:
    test = difference([3.0, 5.0], [1.0, 1.0], noise=Noise(sigma=1.0, dof=2.0))
    error = sqrt((2.0 + 2.0) / 4)
    assert test.effect == 3.0
    assert isclose(test.high - test.effect, t_quantile(0.975, 4.0) * error)
    assert isclose(test.p, t_tail(3.0 / error, 4.0))


def test_difference_covers_the_truth_at_its_level() -> None:
    chance, hits = random.Random(1), 0
    for _ in range(2000):
        noise = pooled([[chance.gauss(0, 1) for _ in range(4)]])
        test = difference([chance.gauss(0.5, 1) for _ in range(3)], [chance.gauss(0, 1) for _ in range(3)], noise=noise)
        hits += test.low <= 0.5 <= test.high
    assert 0.935 <= hits / 2000 <= 0.965


def test_interval_without_noise_is_exact_and_without_knowledge_is_endless() -> None:
    assert interval(0.2, 0.0, 3.0).p == 0.0
    assert interval(-0.2, 0.0, 3.0).p == 1.0
    assert interval(0.2, inf, 3.0).high == inf


def test_benjamini_hochberg_on_the_example_of_its_paper() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    assert sum(benjamini_hochberg([*p, 0.7590, 1.0], 0.05)) == 4


@given(P_VALUES, st.floats(min_value=0.001, max_value=0.2))
def test_benjamini_hochberg_lies_between_bonferroni_and_no_correction(p_values: list[float], level: float) -> None:
    found = benjamini_hochberg(p_values, level)
    assert all(hit or p > level / len(p_values) for hit, p in zip(found, p_values, strict=True))
    assert all(p <= level for hit, p in zip(found, p_values, strict=True) if hit)
    assert sorted(found, reverse=True) == [hit for _, hit in sorted(zip(p_values, found, strict=True))]


def test_no_hypotheses_are_no_rejections() -> None:
    assert benjamini_hochberg([], 0.02) == ()


def test_detectable_effect_shrinks_with_runs_and_has_its_power() -> None:
    noise = Noise(sigma=1.0, dof=10.0)
    assert detectable(noise, runs=16) < detectable(noise, runs=4)
    effect, chance, found = detectable(noise, runs=8), random.Random(3), 0
    for _ in range(1000):
        calibrated = pooled([[chance.gauss(0, 1) for _ in range(11)]])
        ours = [chance.gauss(effect, 1) for _ in range(8)]
        found += difference(ours, [chance.gauss(0, 1) for _ in range(8)], noise=calibrated).p <= 0.02
    assert 0.76 <= found / 1000 <= 0.84
    with pytest.raises(UsageError, match="at least one of each"):
        detectable(noise, runs=0)
