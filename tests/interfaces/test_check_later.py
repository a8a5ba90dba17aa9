"""`check` in a study that has gone on since it began."""

from pathlib import Path

import pytest
from tests.toys import toy


@pytest.mark.sandbox
def test_after_keeps_check_speaks_of_the_incumbent_and_works_in_a_finished_study(tmp_path: Path) -> None:
    study = toy(tmp_path / "s", noise=0.05)
    assert study.program("run").returncode == 0
    spec = study.path / "autoresearch.toml"
    spec.write_text(spec.read_text().replace('budget = "20s"', 'budget = "19s"'))
    found = study.json("check")
    assert found["ok"]
    assert "incumbent" in found["of"]
    assert found["value"] == pytest.approx(study.json("status")["incumbent"]["value"], abs=0.2)
    assert "obeyed: two runs on one seed gave the same number" in found["seed"]
