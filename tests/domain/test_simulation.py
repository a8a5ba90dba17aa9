"""What the search and confirmation are worth, on simulated studies: the real core, only runs are draws.

Seeds are fixed, so the figures are too. Gains are compared with the promise itself, though few studies are played;
shares of rare events are compared as counts, within three standard errors of what is promised.
"""

from dataclasses import dataclass
from math import sqrt

import pytest

from autoresearch.testing.priors import PRIORS
from autoresearch.testing.simulator import Summary, main, simulate

PROCESSES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Race with confirmation, and greedy that searches with all runs, on the same seeds."""

    race: Summary
    greedy: Summary

    @property
    def share(self) -> float:
        """Gain of the confirmed-only tree beside greedy's."""
        return self.race.confirmed_gain / self.greedy.incumbent_gain

    @property
    def share_error(self) -> float:
        """Standard error of `share`, as if the two were independent (they share seeds: too large)."""
        one = self.race.confirmed_gain_error / self.race.confirmed_gain
        other = self.greedy.incumbent_gain_error / self.greedy.incumbent_gain
        return self.share * sqrt(one**2 + other**2)


def pair(prior: str, *, runs: int, studies: int, processes: int = PROCESSES) -> Pair:
    seeds = range(studies)
    return Pair(
        race=simulate(PRIORS[prior], runs=runs, seeds=seeds, processes=processes),
        greedy=simulate(PRIORS[prior], runs=runs, seeds=seeds, acceptance="greedy", confirm=False, processes=processes),
    )


def at_most(hits: int, of: int, share: float) -> bool:
    """Whether `hits` of `of` are compatible with a true share of `share`: within three standard errors above it."""
    return hits <= of * share + 3 * sqrt(of * share * (1 - share))


# ---------------------------------------------------------------- a quick look, always


def test_a_search_alone_uses_every_run_and_claims_nothing() -> None:
    found = simulate(PRIORS["p5g2"], runs=60, seeds=range(6), acceptance="greedy", confirm=False)
    assert found.runs == 60.0
    assert (found.confirmed, found.claiming, found.confirmed_gain) == (0, 0, 0.0)
    assert found.keeps > 1.0


def test_processes_change_nothing() -> None:
    one = simulate(PRIORS["design"], runs=60, seeds=range(6))
    assert simulate(PRIORS["design"], runs=60, seeds=range(6), processes=2) == one


def test_small_studies_find_gains_and_null_studies_claim_nothing() -> None:
    found = pair("p5g2", runs=125, studies=16, processes=1)
    assert found.share > 0.55
    assert found.race.false_keep_share < found.greedy.false_keep_share / 2
    assert found.race.reported_minus_true < found.greedy.reported_minus_true / 2
    null = simulate(PRIORS["null"], runs=125, seeds=range(24))
    assert at_most(null.claiming, null.studies, 0.02)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--prior", "p5g2", "--runs", "40", "--studies", "2", "--rules", "greedy-alone", "race"]) == 0
    head, rule, greedy, race = capsys.readouterr().out.splitlines()
    assert head.startswith("| prior | runs | rule |")
    assert {line.count("|") for line in (head, rule, greedy, race)} == {13}
    assert greedy.startswith("| p5g2 | 40 | greedy-alone | 2 |")


# ---------------------------------------------------------------- what was promised


@pytest.mark.slow
def test_race_gains_what_greedy_gains_with_a_third_of_its_false_keeps() -> None:
    """Runs of confirmation counted against the race, which the promise does not even ask."""
    found = pair("design", runs=700, studies=120)
    assert found.race.incumbent_gain >= 0.95 * found.greedy.incumbent_gain
    assert found.race.false_keep_share <= found.greedy.false_keep_share / 3
    assert found.race.reported_minus_true < 1.0 < found.greedy.reported_minus_true


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior", "runs", "studies", "least"),
    [
        ("p5g2", 700, 80, 0.9),
        ("p5g1", 700, 120, 0.9),
        ("p5g2", 125, 250, 0.7),
        ("p5g1", 125, 400, 0.7),
    ],
)
def test_what_is_confirmed_keeps_most_of_the_gain_and_is_true(
    prior: str, runs: int, studies: int, least: float
) -> None:
    found = pair(prior, runs=runs, studies=studies)
    assert found.share >= least, f"{found.share:.2f} ± {found.share_error:.2f}"
    false = round(found.race.false_confirmed_share * found.race.confirmed)
    assert at_most(false, found.race.confirmed, 0.02)
    assert abs(found.race.headline_minus_true) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior", "runs", "studies"),
    [("null", 125, 2000), ("null-no-harm", 125, 600), ("null", 700, 150), ("null-no-harm", 700, 60)],
)
def test_studies_without_anything_to_find_claim_nothing(prior: str, runs: int, studies: int) -> None:
    found = simulate(PRIORS[prior], runs=runs, seeds=range(studies), processes=PROCESSES)
    assert at_most(found.claiming, found.studies, 0.02)
    assert studies < 2000 or found.claiming_share <= 0.02
