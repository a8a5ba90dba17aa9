"""JSON lines: the log of pi-autoresearch, and the whole record without loss."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.adapters.exporters.jsonl import FORMAT, VERSION, read_pi, read_record, write_pi, write_record
from autoresearch.adapters.exporters.lineage import events_of
from autoresearch.adapters.exporters.tsv import read_tsv
from autoresearch.domain.errors import AutoresearchError, CorruptRecord, UsageError
from autoresearch.domain.events import Event, Recorded
from autoresearch.domain.model import Direction

PI = """\
{"type":"config","name":"speed","metricName":"total_µs","metricUnit":"µs","bestDirection":"lower"}
{"run":1,"commit":"abc1234","metric":15200,"metrics":{"compile_µs":4200},"status":"keep","description":"baseline","timestamp":1700000000000,"segment":0,"confidence":null}
{"type":"hook","text":"other types are skipped"}
{"run":2,"commit":"def5678","metric":0,"status":"crash","description":"broke","timestamp":1700000001000,"asi":{"hypothesis":"h","rollback_reason":"r"}}
{"run":3,"commit":"fff5678","metric":14000,"metrics":{},"status":"checks_failed","description":"fast, wrong","timestamp":1,"segment":0,"confidence":2.5}
{"type":"config","name":"size","metricName":"bytes","metricUnit":"","bestDirection":"higher"}
{"run":4,"commit":"aaa5678","metric":10,"metrics":{},"status":"keep","description":"baseline","timestamp":1,"segment":1,"confidence":null}
{"run":5,"comm"""  # noqa: E501  lines as that software writes them


def test_segments_runs_and_a_torn_last_line() -> None:
    speed, size = read_pi(PI.split("\n"))
    assert (speed.name, speed.metric, speed.unit, speed.direction) == ("speed", "total_µs", "µs", Direction.MINIMIZE)
    assert [row.value for row in speed.rows] == [15200.0, None, 14000.0]
    assert [row.kept for row in speed.rows] == [True, False, False]
    assert speed.rows[0].metrics == (("compile_µs", 4200.0),)
    assert dict(speed.rows[1].extra) == {
        "timestamp": "1700000001000",
        "asi.hypothesis": "h",
        "asi.rollback_reason": "r",
    }
    best = speed.best()
    assert best is not None
    assert best.label == "3", "the best number, whatever became of the trial"
    assert (size.metric, size.direction, len(size.rows), size.skipped) == ("bytes", Direction.MAXIMIZE, 1, 1)


def test_what_is_written_for_pi_reads_back() -> None:
    for log in read_pi(PI.split("\n")):
        (again,) = read_pi(write_pi(log))
        assert again.rows == log.rows
        assert (again.metric, again.direction, again.unit, again.name) == (
            log.metric,
            log.direction,
            log.unit,
            log.name,
        )


def test_lines_for_pi_have_its_keys() -> None:
    config, first, *_ = (json.loads(line) for line in write_pi(read_pi(PI.split("\n"))[0]))
    assert config == {
        "type": "config", "name": "speed", "metricName": "total_µs", "metricUnit": "µs", "bestDirection": "lower",
    }  # fmt: skip
    assert first == {
        "run": 1, "commit": "abc1234", "metric": 15200.0, "metrics": {"compile_µs": 4200.0}, "status": "keep",
        "description": "baseline", "timestamp": 1700000000000, "segment": 0, "confidence": None,
    }  # fmt: skip


def test_a_file_without_runs_is_refused() -> None:
    with pytest.raises(UsageError, match=r"x.jsonl: no run in it"):
        read_pi(["not json", "[1]", '{"type":"config"}'], source="x.jsonl")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["config", "hook"]), "run": JSON, "metric": JSON, "metrics": JSON, "status": JSON,
        "commit": JSON, "description": JSON, "asi": JSON, "timestamp": JSON, "confidence": JSON, "metricName": JSON,
        "bestDirection": JSON, "seq": JSON, "at": JSON, "kind": JSON, "payload": JSON,
    },
)  # fmt: skip


@given(st.lists(st.one_of(ENTRY.map(json.dumps), st.text(max_size=30)), max_size=8))
def test_any_lines_are_a_log_or_refused(lines: list[str]) -> None:
    try:
        logs = read_pi(lines)
    except UsageError:
        return
    for log in logs:
        assert "".join(write_pi(log)).encode()
        assert [row.value for row in read_pi(write_pi(log))[0].rows] == [row.value for row in log.rows]


def _recorded() -> list[Recorded]:
    log = read_tsv(
        "commit\tval_bpb\tmemory_gb\tstatus\tdescription\nb\t1.0\t1.0\tkeep\tb\nc\t0.5\t1.0\tkeep\tµ\nd\t0\t0\tcrash\td\n"
    )
    return [Recorded(seq=n, at=n / 7, event=event) for n, event in enumerate(events_of(log, name="x"), start=3)]


def test_the_whole_record_without_loss() -> None:
    record = _recorded()
    lines = list(write_record(record))
    assert json.loads(lines[0]) == {"format": FORMAT, "version": VERSION}
    assert set(json.loads(lines[1])) == {"seq", "at", "kind", "payload"}
    assert list(read_record(lines)) == record
    assert {type(each.event).__name__ for each in record} <= set(Event.names)


@pytest.mark.parametrize(
    ("line", "new", "error", "message"),
    [
        (0, '{"format":"other"}', UsageError, "r.jsonl:1: this is no exported record"),
        (0, '{"format":"autoresearch-record","version":2}', UsageError, "format version 2; this release reads 1"),
        (1, '{"seq":1}', CorruptRecord, "r.jsonl:2: not an event of a record"),
        (1, "torn", CorruptRecord, "r.jsonl:2: not an event"),
        (1, '{"seq":"1","at":1,"kind":"Resumed","payload":{}}', CorruptRecord, "r.jsonl:2: seq, at, kind or payload"),
        (1, '{"seq":1,"at":1,"kind":"Nonsense","payload":{}}', CorruptRecord, "does not know"),
        (1, '{"seq":1,"at":1,"kind":"Resumed","payload":{"x":1}}', CorruptRecord, "does not read"),
        (1, '{"seq":90,"at":1,"kind":"Resumed","payload":{}}', CorruptRecord, "stands after event 90"),
    ],
)
def test_a_record_that_was_changed_is_refused(line: int, new: str, error: type[Exception], message: str) -> None:
    lines = list(write_record(_recorded()))
    lines[line] = new
    with pytest.raises(error) as caught:
        list(read_record(lines, source="r.jsonl"))
    assert message in str(caught.value)


@given(st.lists(st.one_of(ENTRY.map(json.dumps), st.text(max_size=30)), max_size=5))
def test_any_lines_are_a_record_or_refused(lines: list[str]) -> None:
    try:
        list(read_record([f'{{"format":"{FORMAT}","version":{VERSION}}}', *lines]))
    except AutoresearchError as error:
        told = str(error)
        assert told.startswith("record.jsonl:")
