"""Ranges and coordinates of constants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.adapters.researchers.constants import find
from autoresearch.adapters.researchers.space import Dimension, Scale, coordinate, dimension, value_at, values_of


def dim(line: str, base: object = None) -> Dimension:
    made = dimension(find(line, "a.py")[0], base)  # type: ignore[arg-type]
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("line", "scale", "low", "high"),
    [
        ("LR = 1e-3", Scale.LOG, 1.25e-4, 8e-3),
        ("DROPOUT = 0.1", Scale.LOG, 0.0125, 0.8),
        ("DROPOUT = 0.1  # 0..0.5", Scale.LOG, 0.0125, 0.5),
        ("X = 0.5  # 0..1", Scale.LINEAR, 0.0, 1.0),
        ("RATE = 1.0  # 0.01..100", Scale.LOG, 0.01, 100.0),
        ("X = 3.0  # (range 2.0 to 4.5)", Scale.LOG, 2.0, 4.5),
        ("X = 3.0  # (range 9.0 to 12)", Scale.LOG, 0.375, 24.0),
        ("X = 3.0  # <= 4", Scale.LOG, 0.375, 4.0),
        ("BETA2 = 0.999", Scale.COMPLEMENT, 0.992, 0.999875),
        ("INIT_SCALE = 0.85", Scale.LOG, 0.10625, 6.8),
        ("CLIP = 0.96", Scale.LOG, 0.12, 7.68),
        ("DECAY = 0.0", Scale.SWITCHED, 0.01, 0.8),
        ("L2 = 0.0", Scale.SWITCHED, 1e-4, 1.0),
        ("WARMUP_STEPS = 0", Scale.SWITCHED, 10, 1000),
        ("SHIFT = -2.0", Scale.LOG, -16.0, -0.25),
        ("WIDTH = 128", Scale.LOG, 32, 512),
        ("DEPTH = 4", Scale.LINEAR, 1, 9),
        ("BIAS = True", Scale.CHOICE, 0, 1),
    ],
)
def test_ranges(line: str, scale: Scale, low: float, high: float) -> None:
    made = dim(line)
    assert made.scale is scale
    assert made.low == pytest.approx(low)
    assert made.high == pytest.approx(high)


def test_the_range_follows_from_the_base_value_not_from_the_present_one() -> None:
    assert dim("LR = 8e-3", 1e-3).high == pytest.approx(8e-3)
    assert dim("LR = 8e-3", 1).base == 8e-3  # a base of another sort is not believed


def test_negative_integers_and_empty_ranges_are_not_tuned() -> None:
    assert dimension(find("AXIS = -1", "a.py")[0]) is None
    assert dimension(find("N = 4  # 4 to 5, [4, 4.5]", "a.py")[0]) is not None
    assert dimension(find("N = 4  # >= 4, <= 4", "a.py")[0]) is None


def test_powers_of_two_and_multiples_stay_so() -> None:
    assert values_of(dim("WIDTH = 128")) == (32, 64, 128, 256, 512)
    assert all(value % 12 == 0 for value in values_of(dim("N = 48  # multiple of 12")) or [1])
    assert values_of(dim("DEPTH = 2")) == (1, 2, 3, 4, 5)


LINES = [
    "LR = 3e-4",
    "BETA = 0.95",
    "DECAY = 0.0",
    "N = 1000",
    "DEPTH = 6",
    "S = -1.5",
    "W = 64",
    "P = 0.3  # 0..1",
    "B = False",
]


@given(st.sampled_from(LINES), st.floats(0, 1))
def test_values_lie_in_the_range_and_go_there_and_back(line: str, at: float) -> None:
    made = dim(line)
    value = value_at(made, at)
    if isinstance(value, float) and made.scale is not Scale.SWITCHED:
        assert made.low * (1 - 1e-9) <= value <= made.high * (1 + 1e-9) or made.low < 0
    assert value_at(made, coordinate(made, value)) == value
    assert type(value) is type(made.base)


def test_coordinates_of_values_outside_are_bounded() -> None:
    made = dim("LR = 1e-3")
    assert coordinate(made, 1e9) == 1.5
    assert coordinate(made, 1e-30) == -0.5
