"""results.tsv in its dialects: what is read, what is refused, what is written byte for byte."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.adapters.exporters.log import ImportedLog, ImportedTrial, direction_of, guessed_direction
from autoresearch.adapters.exporters.tsv import HEADER, number, read_tsv, write_tsv
from autoresearch.domain.errors import UsageError
from autoresearch.domain.model import Direction

REAL = Path(__file__).parents[2] / "data" / "karpathy-mar8-results.tsv"


def test_the_real_log_reads_and_is_written_again_byte_for_byte() -> None:
    raw = REAL.read_bytes()
    log = read_tsv(raw.decode())
    assert (len(log.rows), log.metric, log.direction) == (126, "val_bpb", Direction.MINIMIZE)
    assert sum(row.kept for row in log.rows) == 23
    assert write_tsv(log).encode() == raw


def test_a_crash_has_no_value_and_is_never_best() -> None:
    log = read_tsv(REAL.read_text())
    (crash,) = (row for row in log.rows if row.crashed)
    assert (crash.commit, crash.value, crash.metrics) == ("e05a87d", None, ())
    best = log.best()
    assert best is not None
    assert (best.commit, best.value, best.metrics) == ("438a26e", 0.969686, (("memory_gb", 60.2),))


LEO = """\
# metric_direction: lower
# metric: latency_ms
# run_tag: spring
iteration\tcommit\tmetric\tdelta\tguard\tstatus\tdescription
0\ta1b2c3d\t120.5\t0\t-\tbaseline\tinitial
5a\t-\t0\t0\t-\tcrash\tworker a
5b\tb2c3d4e\t110\t-10.5\tpass\tkeep\tworker b
6\t-\t-\t0\t-\tblocked\tno disk
7\t-\t111.0\t+1\tpass\tRefine\tsmaller step
"""
UDIT = """\
# metric_direction: higher_is_better
iteration\ttimestamp\tcommit\tmetric\tdelta\tguard\tguard-metric\tstatus\tdescription
0\t2026-05-25T16:00:00Z\tabc1234\t72.4\t0\tpass\t-\tbaseline\tinitial state
1\t2026-05-25T16:10:00Z\t-\t75.0\t+2.6\tpass\t12.5\tkeep (reworked)\tx
2\t2026-05-25T16:20:00Z\t-\t0\t0\t-\t-\tmetric-error\ty
"""
ALI = "commit\tmetric\tstatus\tdescription\r\naaaaaaa\t1.0\tkeep\tbaseline\r\nbbbbbbb\t2.0\tkeep\tbetter\r\n"
AXIS = (
    "commit\tscore\tsharpe\tval_pass\tstatus\taxis\thypothesis\tdescription\naaa\t0.5\t0.6\ttrue\tkeep\tlr\twhy\tbase\n"
)


def test_the_dialects_by_the_names_of_their_columns() -> None:
    leo = read_tsv(LEO)
    assert (leo.metric, leo.direction) == ("latency_ms", Direction.MINIMIZE)
    assert leo.comments[-1] == ("run_tag", "spring")
    assert [row.label for row in leo.rows] == ["0", "5a", "5b", "6", "7"]
    assert [row.value for row in leo.rows] == [120.5, None, 110.0, None, 111.0]
    assert [row.status for row in leo.rows] == ["baseline", "crash", "keep", "blocked", "refine"]
    assert ("guard", "pass") in leo.rows[2].extra
    udit = read_tsv(UDIT)
    assert (udit.direction, [row.kept for row in udit.rows]) == (Direction.MAXIMIZE, [True, True, False])
    assert ("timestamp", "2026-05-25T16:10:00Z") in udit.rows[1].extra
    assert udit.rows[2].value is None
    ali = read_tsv(ALI)
    assert ali.direction is Direction.MAXIMIZE, "kept values rise, so higher is better"
    assert [row.label for row in ali.rows] == ["0", "1"]
    axis = read_tsv(AXIS)
    assert (axis.metric, axis.direction) == ("score", Direction.MAXIMIZE)
    assert axis.rows[0].metrics == (("sharpe", 0.6),)
    assert dict(axis.rows[0].extra) == {"val_pass": "true", "axis": "lr", "hypothesis": "why"}


@pytest.mark.parametrize("text", [LEO, UDIT, ALI, AXIS])
def test_every_dialect_can_be_written_in_the_first_and_read_again(text: str) -> None:
    log = read_tsv(text)
    again = read_tsv(write_tsv(log), direction=log.direction)
    assert [row.value for row in again.rows] == [row.value for row in log.rows]
    assert [row.kept for row in again.rows] == [row.kept for row in log.rows]


def test_a_text_that_spans_cells_or_lines_stays_one_cell_and_line() -> None:
    row = ImportedTrial(label="0", commit="abcdefghij", value=0.5, status="keep", description="a\tb\nc\u2028d\r\n")
    log = ImportedLog(rows=(row,), metric="val_bpb", direction=Direction.MINIMIZE)
    assert write_tsv(log) == "\t".join(HEADER) + "\nabcdefg\t0.500000\t0.0\tkeep\ta b c d\n"
    spilled = read_tsv("\t".join(HEADER) + "\nabcdefg\t0.5\t1.0\tkeep\ta\tb\n")
    assert spilled.rows[0].description == "a b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header line. Expected commit val_bpb memory_gb status description"),
        ("# only: comments\n", "no header line"),
        ("a,b,c\n", "r.tsv:1: this header is of no known results.tsv ('a,b,c')"),
        ("commit\tstatus\tdescription\n", "r.tsv:1: this header"),
        ("m\tm\tstatus\tdescription\n", "r.tsv:1: this header"),
        ("\n\ncommit\tval\tstatus\tdescription\nabc\t1\n", "r.tsv:4: 2 cells where the header has 4."),
    ],
)
def test_what_is_no_log_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_tsv(text, source="r.tsv")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "٣", "1_0", "0x1", "", "-", "1e999", "²", "--1", "1e301"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


def test_negative_zero_is_zero() -> None:
    assert str(number("-0.0")) == "0.0"


def test_directions() -> None:
    assert direction_of("higher_is_better") is Direction.MAXIMIZE
    assert direction_of(" Lower ") is Direction.MINIMIZE
    assert direction_of("sideways") is None
    assert guessed_direction("val_accuracy", ()) is Direction.MAXIMIZE
    assert guessed_direction("val_bpb", ()) is Direction.MINIMIZE


CELL = st.one_of(
    st.sampled_from(["keep", "crash", "0.9", "nan", "commit", "status", "description", "metric"]), st.text(max_size=8)
)
TABLE = st.lists(st.lists(CELL, min_size=1, max_size=7).map("\t".join), max_size=12).map("\n".join)


@given(st.one_of(st.text(max_size=200), TABLE, TABLE.map(lambda text: "\t".join(HEADER) + "\n" + text)))
def test_any_text_is_a_log_or_refused(text: str) -> None:
    try:
        log = read_tsv(text)
    except UsageError:
        return
    assert len(log.rows) <= text.count("\n")
    assert write_tsv(log).count("\n") == len(log.rows) + 1


ROW = st.builds(
    ImportedTrial,
    label=st.just("0"),
    commit=st.text(max_size=9),
    value=st.one_of(st.none(), st.floats(-1e6, 1e6)),
    status=st.sampled_from(["keep", "discard", "crash"]),
    description=st.text(st.characters(codec="utf-8"), max_size=20),
    metrics=st.just((("peak_vram_mb", 2048.0),)),
)


@given(st.lists(ROW, max_size=6))
def test_what_is_written_reads_back(rows: list[ImportedTrial]) -> None:
    log = ImportedLog(rows=tuple(rows), metric="val_bpb", direction=Direction.MINIMIZE)
    written = write_tsv(log)
    assert write_tsv(read_tsv(written)) == written
