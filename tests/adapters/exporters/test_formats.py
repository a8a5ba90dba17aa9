"""Telling the formats apart by their first lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.adapters.exporters.formats import Format, format_of
from autoresearch.adapters.exporters.jsonl import write_pi, write_record
from autoresearch.adapters.exporters.tsv import read_tsv, write_tsv

LOG = read_tsv("commit\tm\tstatus\tdescription\na\t1\tkeep\tbase\n")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (write_tsv(LOG), Format.TSV),
        ("# metric_direction: lower\niteration", Format.TSV),
        ("".join(write_pi(LOG)), Format.PI),
        ('\n{"type":"config"', Format.PI),
        ("".join(write_record(())), Format.RECORD),
        ("", Format.TSV),
    ],
)
def test_formats(head: str, expected: Format) -> None:
    assert format_of(head) is expected


@given(st.text(max_size=40))
def test_any_head_has_a_format(head: str) -> None:
    assert format_of(head) in Format
    assert format_of("{" + head) in (Format.PI, Format.RECORD)
