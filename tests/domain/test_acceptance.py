"""Acceptance rules: single decisions by hand, then whole races on draws."""

import random
import timeit
from dataclasses import replace

import pytest

from autoresearch.domain.acceptance import (
    RULES,
    Evidence,
    Greedy,
    MoreRuns,
    Outcome,
    Race,
    Reading,
    Rule,
    Strict,
    Verdict,
    contrast,
)
from autoresearch.domain.errors import UsageError
from autoresearch.domain.stats import Noise

NOISE = Noise(sigma=1.0, dof=20.0)
EXACT = Noise(sigma=0.0, dof=3.0)


def readings(*gains: float, first: int = 0, screening: bool = False) -> tuple[Reading, ...]:
    """Readings on consecutive seeds; with `screening` the first one is the screening reading."""
    return tuple(Reading(seed=first + i, gain=g, screening=screening and i == 0) for i, g in enumerate(gains))


def evidence(
    trial: tuple[float, ...], incumbent: tuple[float, ...] = (0.0,) * 6, *, noise: Noise = NOISE, least: float = 0.0
) -> Evidence:
    """A trial whose first reading screened it, against clean readings of the incumbent on other seeds."""
    return Evidence(
        trial=readings(*trial, first=100, screening=True),
        incumbent=readings(*incumbent),
        noise=noise,
        min_effect=least,
    )


def verdict(rule: Rule, given: Evidence) -> Verdict:
    answer = rule.decide(given)
    assert isinstance(answer, Verdict)
    return answer


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_deterministic_metric_is_decided_by_one_run(rule: Rule) -> None:
    assert verdict(rule, evidence((0.001,), (0.0,), noise=EXACT)).outcome is Outcome.KEEP
    assert verdict(rule, evidence((0.0,), (0.0,), noise=EXACT)).outcome is Outcome.DISCARD
    assert verdict(rule, evidence((0.4,), (0.0,), noise=EXACT, least=0.5)).outcome is Outcome.DISCARD
    exact = verdict(rule, evidence((0.5,), (0.0,), noise=EXACT, least=0.5))
    assert (exact.outcome, exact.low, exact.high) == (Outcome.KEEP, 0.5, 0.5)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_unmeasured_incumbent_is_measured_first(rule: Rule) -> None:
    answer = rule.decide(evidence((5.0,), ()))
    assert isinstance(answer, MoreRuns)
    assert (answer.trial, answer.incumbent >= 1) == (0, True)


def test_race_discards_at_the_screen() -> None:
    lost = verdict(Race(), evidence((0.4,)))
    assert lost.outcome is Outcome.DISCARD
    assert lost.reason == "screen: +0.4 < 0.5"


def test_race_measures_whichever_is_less_known() -> None:
    race = Race(known=3, enough=6)
    assert race.decide(evidence((2.0,), (0.0,))) == MoreRuns(trial=0, incumbent=2)
    assert race.decide(evidence((2.0,), (0.0,) * 3)) == MoreRuns(trial=1, incumbent=1)
    assert race.decide(evidence((2.0,), (0.0,) * 6)) == MoreRuns(trial=1, incumbent=0)


def test_readings_that_selected_the_incumbent_do_not_speak_for_it() -> None:
    lucky = Evidence(
        trial=readings(1.0, first=50, screening=True),
        incumbent=readings(9.0, 0.0, 0.0, 0.0, screening=True),
        noise=NOISE,
    )
    assert contrast(lucky)[0] == 1.0
    assert Race(known=4).decide(lucky) == MoreRuns(trial=0, incumbent=1)


def test_the_bar_falls_and_the_floor_rises_with_every_run() -> None:
    race = Race()
    clear, faint = (2.6,), (1.3,)
    assert isinstance(race.decide(evidence(clear * 2)), MoreRuns)
    assert verdict(race, evidence(clear * 3)).outcome is Outcome.KEEP
    assert isinstance(race.decide(evidence(faint * 3)), MoreRuns)
    assert verdict(race, evidence(faint * 5)).outcome is Outcome.KEEP
    assert verdict(race, evidence((0.6, 0.2))).outcome is Outcome.DISCARD
    assert isinstance(race.decide(evidence((1.0, 0.6))), MoreRuns)
    assert verdict(race, evidence((0.45,) * 8)).outcome is Outcome.DISCARD


def test_a_race_that_ends_undecided_is_unsure_and_not_kept() -> None:
    undecided = verdict(Race(most=2, known=2), evidence((0.8, 0.8, 0.8)))
    assert undecided.outcome is Outcome.UNSURE
    assert undecided.low < 0.0 < undecided.high
    assert "no more runs" in undecided.reason


def test_an_effect_below_the_least_that_matters_is_not_kept() -> None:
    sharp = Noise(sigma=0.1, dof=20.0)
    given = evidence((0.6,) * 4, noise=sharp)
    assert verdict(Race(), given).outcome is Outcome.KEEP
    small = verdict(Race(), replace(given, min_effect=1.0))
    assert small.outcome is Outcome.DISCARD
    assert verdict(Race(), replace(given, trial=given.trial[:1], min_effect=1.0)).reason == "screen: +0.6 < 0.9"


def test_the_interval_is_wider_when_little_is_known_of_the_noise() -> None:
    sure = verdict(Race(), evidence((3.0,) * 4))
    vague = verdict(Race(), evidence((3.0,) * 4, noise=Noise(sigma=1.0, dof=3.0)))
    assert vague.high - vague.low > 1.4 * (sure.high - sure.low)


def test_strict_waits_for_all_its_runs() -> None:
    strict = Strict(runs=4)
    assert strict.decide(evidence((5.0,), (0.0,))) == MoreRuns(trial=4, incumbent=3)
    assert strict.decide(evidence((5.0, 5.0, 5.0))) == MoreRuns(trial=2, incumbent=0)
    assert verdict(strict, evidence((5.0,) * 5)).outcome is Outcome.KEEP
    assert verdict(strict, evidence((9.0, 0.1, 0.1, 0.1, 0.1))).outcome is Outcome.DISCARD
    assert verdict(strict, evidence((1.5,) * 5)).outcome is Outcome.UNSURE


def test_greedy_compares_with_the_reading_that_was_kept() -> None:
    given = Evidence(trial=readings(1.0, first=9), incumbent=readings(2.0, -5.0, screening=True), noise=NOISE)
    assert verdict(Greedy(), given).outcome is Outcome.DISCARD
    assert verdict(Greedy(), replace(given, trial=readings(2.1, first=9))).outcome is Outcome.KEEP


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(UsageError, match="one reading each"):
        contrast(Evidence(trial=(), incumbent=readings(0.0), noise=NOISE))


def raced(effect: float, chance: random.Random, rule: Rule) -> tuple[Outcome, int]:
    """One race of a tree with a true `effect` against a known incumbent: outcome and runs of the trial."""
    trial = [Reading(seed=0, gain=effect + chance.gauss(0, 1), screening=True)]
    incumbent = [Reading(seed=i, gain=chance.gauss(0, 1)) for i in range(1000, 1004)]
    while True:
        answer = rule.decide(Evidence(trial=tuple(trial), incumbent=tuple(incumbent), noise=NOISE))
        if isinstance(answer, Verdict):
            return answer.outcome, len(trial)
        trial += [Reading(seed=len(trial) + i, gain=effect + chance.gauss(0, 1)) for i in range(answer.trial)]
        incumbent += [Reading(seed=2000 + len(incumbent), gain=chance.gauss(0, 1)) for _ in range(answer.incumbent)]


@pytest.mark.parametrize(("effect", "least", "most"), [(-1.0, 0.0, 0.01), (0.0, 0.02, 0.09), (2.0, 0.75, 1.0)])
def test_races_on_draws_keep_what_they_should(effect: float, least: float, most: float) -> None:
    chance = random.Random(5)
    races = [raced(effect, chance, Race()) for _ in range(1500)]
    kept = sum(outcome is Outcome.KEEP for outcome, _ in races) / len(races)
    assert least <= kept <= most
    assert max(runs for _, runs in races) <= 1 + Race().most


def test_a_decision_costs_microseconds() -> None:
    race, given = Race(), evidence((2.0, 1.0, 1.0))
    best = min(timeit.repeat(lambda: race.decide(given), number=2000, repeat=5)) / 2000
    assert best < 60e-6
