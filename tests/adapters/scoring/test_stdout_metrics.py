"""Metrics read from what a run printed: every dialect, and nothing that breaks the reader."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.adapters.scoring.stdout import LONGEST_LINE, MOST_NAMES, parse_metrics

KARPATHY = """\
step 00953 (99.8%) | loss: 2.961234 | lrm: 0.00 | dt: 316ms\rstep 00954 (100.0%) | loss: 2.9
---
val_bpb:          0.997900
training_seconds: 300.1
total_seconds:    325.9
peak_vram_mb:     45060.2
mfu_percent:      39.80
total_tokens_M:   499.6
num_steps:        953
num_params_M:     50.3
depth:            8
"""


def test_the_summary_of_karpathy() -> None:
    found = parse_metrics(KARPATHY)
    assert found["val_bpb"] == 0.9979
    assert found["depth"] == 8
    assert len(found) == 9, "a line of progress is no report"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("METRIC total_µs=15200\nMETRIC total_µs=14000\n", {"total_µs": 14000.0}),
        ("METRIC a-b=1", {}),
        ("METRIC x=abc", {}),
        ("METRIC ²=1\n²: 2", {}),
        ("loss=0.5\nloss: 0.25", {"loss": 0.25}),
        ("  acc : 9e-1  ", {"acc": 0.9}),
        ("a: 1\nb: 2\na: nan", {"b": 2.0}),
        ("a: inf\na: 3", {"a": 3.0}),
        ("a: -0.0", {"a": 0.0}),
        ("a: ٣\nb: 1_000\nc: 0x10\nd: 1e999", {}),
        ('{"score": 0.75, "tasks": {"t1": 0.5, "t2": 1}, "ok": true, "note": "x"}',
         {"score": 0.75, "tasks.t1": 0.5, "tasks.t2": 1.0}),
        ('{\n "score": 2\n}', {"score": 2.0}),
        ('{"a": NaN, "b": Infinity, "c": 1}', {"c": 1.0}),
        ("work\n\n0.125\n\n", {"metric": 0.125}),
        ("0.125\ndone", {}),
        ("metric: 3\n0.5", {"metric": 3.0}),
        ("{broken", {}),
        ("", {}),
        ("1" * 400, {}),
        ('{"a": ' + "9" * 400 + "}", {}),
    ],
)  # fmt: skip
def test_dialects(text: str, found: dict[str, float]) -> None:
    assert parse_metrics(text) == found
    assert all(not math.copysign(1, value) < 0 for value in parse_metrics(text).values())


def test_a_bare_number_takes_the_name_it_is_given() -> None:
    assert parse_metrics("3.5\n", bare="val_bpb") == {"val_bpb": 3.5}
    assert parse_metrics(["a: 1", "3.5"], bare="a") == {"a": 1.0}


def test_lines_may_come_one_by_one_and_names_without_end() -> None:
    def flood() -> Iterator[str]:
        for index in range(20_000):
            yield f"name{index}: {index}\n"
        yield "x" * (LONGEST_LINE + 1)
        yield "{" * 60_000 + "}"

    found = parse_metrics(flood())
    assert len(found) == MOST_NAMES
    assert found["name19999"] == 19999.0


NAME = st.sampled_from(["METRIC a", "a", '{"a"', "µ.b "])
LINE = st.one_of(
    st.text(max_size=40),
    st.builds("{}{}{}".format, NAME, st.sampled_from(["=", ": ", ":"]), st.text(max_size=9)),
    st.floats().map(lambda value: f"a: {value}"),
)


@given(st.lists(LINE, max_size=12))
def test_any_output_is_read_without_failing(lines: list[str]) -> None:
    for text in ("\n".join(lines), lines):
        found = parse_metrics(text)
        assert all(isinstance(name, str) and math.isfinite(value) for name, value in found.items())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_arrives_as_it_was_printed(value: float) -> None:
    assert parse_metrics(f"METRIC m={value!r}\n") == {"m": value}
