"""Every event class goes into the ledger's columns and comes out the same, whatever its fields hold."""

import dataclasses
import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoresearch.adapters.ledger.packing import LONG, canonical, pack, parse, unpack
from autoresearch.adapters.ledger.rows import read_run, read_trial, run_columns, trial_columns
from autoresearch.domain.codec import dump, load_event
from autoresearch.domain.errors import CorruptRecord
from autoresearch.domain.events import Event, Purpose
from autoresearch.domain.model import RunKey, Setting
from autoresearch.domain.records import RunRow, TrialRow

TEXT = st.text(max_size=20) | st.sampled_from(["", "0", "null", "\x00", "\udc80", "→ 🙂", "a" * 600])
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**70), 2**70),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    type(None): st.none(),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Anything that the annotation `kind` allows."""
    if kind in PLAIN:
        return PLAIN[kind]
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    arguments = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if get_origin(kind) is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
    assert get_origin(kind) is tuple, f"no strategy for {kind}"
    if arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    return st.tuples(*map(values_of, arguments))


@pytest.mark.parametrize("name", sorted(Event.names))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_comes_back(name: str, data: st.DataObject) -> None:
    event = data.draw(values_of(Event.names[name]))
    plain = canonical(dump(event))
    assert unpack(pack(plain)) == plain
    back = load_event(name, parse(pack(plain)))
    assert back == event
    assert type(back) is type(event)
    assert canonical(dump(back)) == plain


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=values_of(TrialRow))
def test_trial_rows_come_back(row: TrialRow) -> None:
    assert read_trial(tuple(trial_columns(row).values())) == row


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=values_of(RunRow))
def test_run_rows_come_back(row: RunRow) -> None:
    assert read_run(tuple(run_columns(row, 7).values())) == row


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "True", False, 0, 0.0, ""])
def test_a_setting_keeps_its_type(value: bool | int | float | str) -> None:
    setting = Setting(name="train.py:X", value=value)
    assert type(dump(setting)["value"]) is type(value)


def test_long_columns_are_compressed_and_short_ones_readable() -> None:
    short, long = canonical({"a": "b"}), canonical({"a": "b" * LONG})
    assert pack(short) == b'{"a":"b"}'
    assert len(pack(long)) < 40


@pytest.mark.parametrize("stored", [b"x\x9cbroken", b"{", b"[1]", b"\xff", "text", None, 7])
def test_what_we_never_wrote_is_corrupt(stored: object) -> None:
    with pytest.raises(CorruptRecord):
        parse(stored)


def test_a_tree_is_not_stored_twice_in_a_run() -> None:
    key = RunKey(tree="a" * 40, rung="small", seed=1)
    assert b"a" * 40 not in run_columns(RunRow(key=key, purpose=Purpose.SCREEN, trial=1, round=None), 1)["row"]
