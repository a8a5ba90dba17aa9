"""`export` and `import`: logs of other tools as studies, studies as logs of other tools, records whole."""

import json
from pathlib import Path

import pytest
from tests.interfaces.faces import finished, harmless, place_of, say
from tests.toys import Toy, repository

from autoresearch.adapters.ledger import open_record

REAL = Path(__file__).parents[1] / "data" / "karpathy-mar8-results.tsv"
PI = "\n".join(
    json.dumps(entry)
    for entry in (
        {"type": "config", "name": "speed", "metricName": "ms", "metricUnit": "ms", "bestDirection": "lower"},
        {"run": 1, "commit": "aaaaaaa", "metric": 10.0, "metrics": {}, "status": "keep", "description": "baseline"},
        {"run": 2, "commit": "bbbbbbb", "metric": 8.0, "metrics": {}, "status": "keep", "description": "cache \x1b[1m"},
        {"run": 3, "commit": "ccccccc", "metric": 0, "metrics": {}, "status": "crash", "description": "typo"},
        {"type": "config", "name": "size", "metricName": "kb", "bestDirection": "lower"},
        {"run": 1, "commit": "ddddddd", "metric": 3.0, "metrics": {}, "status": "keep", "description": "baseline"},
    )
)


@pytest.fixture
def empty(tmp_path: Path) -> Toy:
    return repository(tmp_path / "elsewhere", {"a": "b\n"})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return finished(tmp_path_factory.mktemp("exchange") / "study")


def test_the_real_log_becomes_a_study(empty: Toy) -> None:
    said = say(empty, "import", str(REAL), "--study", "mar8")
    assert said.status == 0
    assert "126 rows imported" in said.out
    assert "14 of 22 keeps gained less" in said.out
    status = say(empty, "status", "--json").json
    assert (status["kept"], status["confirmed"], status["self_reported"]) == (22, 0, True)
    assert status["incumbent"]["value"] == pytest.approx(0.969686)
    rows = say(empty, "log", "--all", "--json").json["trials"]
    assert len(rows) == 125  # the first row is the base
    crashed = [row for row in rows if row["state"] == "crashed"]
    assert [row["value"] for row in crashed] == [None]
    assert say(empty, "doctor").status == 0


def test_the_report_of_a_log_says_what_lies_within_its_noise(empty: Toy) -> None:
    say(empty, "import", str(REAL), "--study", "mar8")
    paths = say(empty, "report", "--json").json
    text = Path(paths["markdown"]).read_text()
    assert "14 of" in text
    assert Path(paths["png"]).stat().st_size > 10_000


def test_an_imported_study_has_no_code(empty: Toy) -> None:
    say(empty, "import", str(REAL), "--study", "mar8")
    for words in (("diff", "1"), ("discard", "1"), ("apply",)):
        said = say(empty, *words)
        assert said.status in (1, 2)
        assert "imported from a log" in said.err


def test_no_study_is_overwritten(empty: Toy) -> None:
    assert say(empty, "import", str(REAL), "--study", "mar8").status == 0
    again = say(empty, "import", str(REAL), "--study", "mar8")
    assert again.status == 2
    assert "--study NAME" in again.err
    assert say(empty, "import", str(REAL), "--study", "other").status == 0
    assert say(empty, "status").status == 2  # several: which one?


def test_every_segment_of_a_pi_log_is_a_study(empty: Toy, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(PI)
    made = say(empty, "import", str(tmp_path / "log.jsonl"), "--json").json
    assert made["format"] == "jsonl"
    assert [(each["study"], each["rows"]) for each in made["studies"]] == [("log-1", 3), ("log-2", 1)]
    said = say(empty, "log", "--study", "log-1")
    assert harmless(said.out)
    assert say(empty, "status", "--study", "log-1", "--json").json["incumbent"]["value"] == 8.0


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("nonsense\n", (), "header"),
        ("", (), "header"),
        ('{"a": 1}\n', (), "no run in it"),
        ('{"format": "autoresearch-record", "version": 99}\n', (), "version"),
        ("commit\tval\tstatus\tdescription\nabc\t1\n", (), ":2"),
        ("commit\tval\tstatus\tdescription\n", ("--study", "../x"), "no name for a study"),
    ],
)
def test_what_does_not_read_leaves_nothing_behind(
    empty: Toy, tmp_path: Path, text: str, more: tuple[str, ...], told: str
) -> None:
    (tmp_path / "file").write_text(text)
    said = say(empty, "import", str(tmp_path / "file"), *more)
    assert said.status == 2
    assert told in said.err
    state = place_of(empty).state
    assert not state.exists() or not list(state.iterdir())


def test_a_missing_file_is_told(empty: Toy) -> None:
    said = say(empty, "import", "gone.tsv")
    assert said.status == 2
    assert "gone.tsv" in said.err


def test_a_record_comes_back_as_it_was(study: Toy, empty: Toy, tmp_path: Path) -> None:
    file = tmp_path / "toy.jsonl"
    assert say(study, "export", "--format", "record", "--output", str(file)).status == 0
    assert say(empty, "import", str(file)).status == 0
    with open_record(place_of(study).ledger("toy")) as one, open_record(place_of(empty).ledger("toy")) as other:
        assert one.events() == other.events()
        assert one.trials() == other.trials()
        assert one.totals() == other.totals()
    assert say(empty, "doctor").status == 0
    assert say(empty, "import", str(file), "--study", "copy").status == 0
    assert say(empty, "status", "--study", "copy", "--json").json["study"] == "copy"


def test_an_edited_record_is_refused_whole(study: Toy, empty: Toy, tmp_path: Path) -> None:
    lines = say(study, "export", "--format", "record").out.splitlines()
    (tmp_path / "torn.jsonl").write_text("\n".join([*lines[:8], *lines[9:]]))
    said = say(empty, "import", str(tmp_path / "torn.jsonl"))
    assert said.status == 1
    assert "event 8 is missing" in said.err
    assert not place_of(empty).state.exists()


def test_results_tsv_says_what_the_log_says(study: Toy) -> None:
    lines = say(study, "export").out.splitlines()
    assert lines[0] == "commit\tloss\tmemory_gb\tstatus\tdescription"
    rows = say(study, "log", "--all", "--json").json["trials"]
    told = [line.split("\t")[3] for line in lines[2:]]
    assert told == [{"kept": "keep", "discarded": "discard", "crashed": "crash"}[row["state"]] for row in rows
                    if row["state"] != "abandoned"]  # fmt: skip


def test_export_to_a_file_replaces_it_whole(study: Toy, tmp_path: Path) -> None:
    file = tmp_path / "results.tsv"
    file.write_text("old")
    said = say(study, "export", "--format", "jsonl", "--output", str(file), "--json")
    assert said.json["file"] == str(file)
    assert json.loads(file.read_text().splitlines()[0])["type"] == "config"
    assert [path.name for path in tmp_path.iterdir()] == ["results.tsv"]
    assert say(study, "export", "--json").status == 2
    assert say(study, "export", "--output", str(tmp_path / "no" / "x")).status == 2
    assert say(study, "export", "--format", "xml").status == 2
