"""Acceptance: from the readings of a trial and of the incumbent to a verdict, or to the wish for more runs.

A keep steers the search and claims nothing; what is claimed comes from confirmation (`factorial`). Every rule is frozen
data with one pure method, `decide`; it is called after every run, so it is plain arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, sqrt
from typing import Protocol

from autoresearch.domain.errors import UsageError
from autoresearch.domain.stats import Noise, inflated


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measurement of one tree."""

    seed: int
    gain: float
    """The metric with the sign under which higher is better."""
    screening: bool = False
    """Whether it let its tree pass the screen: selection made it too good, so an incumbent is never judged by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a rule may look at. Readings of one tree are on different seeds."""

    trial: tuple[Reading, ...]
    incumbent: tuple[Reading, ...]
    noise: Noise
    min_effect: float = 0.0
    """Least gain that matters, in the metric's unit, >= 0."""


class Outcome(StrEnum):
    """What a verdict says."""

    KEEP = "keep"
    DISCARD = "discard"
    UNSURE = "unsure"
    """The runs allowed for one trial are used up and the effect is neither shown nor excluded: not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The end of a race: the effect over the incumbent with a 95 % interval."""

    outcome: Outcome
    effect: float
    low: float
    high: float
    reason: str
    """One line for people, numbers included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreRuns:
    """How many further runs are wanted, on fresh seeds; the n-th of each share a seed."""

    trial: int
    incumbent: int


class Rule(Protocol):
    """The shape of an acceptance rule."""

    def decide(self, evidence: Evidence) -> Verdict | MoreRuns:
        """A verdict, or the runs it still wants. First called when the trial's screening reading is there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Screen on one reading, then fresh runs of whichever is less known until the effect is clear or hopeless.

    After n fresh runs a trial is kept at z + early / n standard errors and dropped below futile + rising * n: two lines
    that close in on each other, as in a triangular test. The figures behind the defaults: decision page 0003.
    """

    screen: float = 0.5
    """A first reading less than this many sigma above the incumbent is discarded at once."""
    z: float = 1.25
    """Standard errors above zero at which a long race is won."""
    early: float = 2.5
    """What the bar is higher by after one fresh run; it falls as 1 / n."""
    futile: float = 0.5
    """Standard errors below which a race is lost at its start."""
    rising: float = 0.1
    """What that line rises by with every fresh run."""
    most: int = 10
    """Fresh runs of one trial, at most."""
    known: int = 3
    """Readings of the incumbent without which nothing is compared."""
    enough: int = 6
    """Readings of the incumbent after which it is not measured again."""

    def decide(self, evidence: Evidence) -> Verdict | MoreRuns:
        """See the class; with a deterministic metric one reading of each decides exactly."""
        if evidence.noise.sigma == 0.0:
            return _exact(evidence)
        have = _clean_count(evidence.incumbent)
        if have < self.known:
            return MoreRuns(trial=0, incumbent=self.known - have)
        effect, error = contrast(evidence)
        fresh = len(evidence.trial) - sum(reading.screening for reading in evidence.trial)
        if fresh == 0:
            return self._screened(evidence, effect, error, have)
        return self._raced(evidence, effect, error, fresh, have)

    def _screened(self, evidence: Evidence, effect: float, error: float, have: int) -> Verdict | MoreRuns:
        sigma = evidence.noise.sigma
        bar = max(self.screen * sigma, evidence.min_effect - sigma)
        if effect < bar:
            return _verdict(Outcome.DISCARD, effect, error, evidence.noise, f"screen: {effect:+.4g} < {bar:.4g}")
        return self._more(have)

    def _raced(self, evidence: Evidence, effect: float, error: float, fresh: int, have: int) -> Verdict | MoreRuns:
        noise = evidence.noise
        score, bar, floor = effect / error, self.z + self.early / fresh, self.futile + self.rising * fresh
        seen = f"{effect:+.4g} after {fresh} fresh {'run' if fresh == 1 else 'runs'}, z = {score:.2f}"
        if score >= bar and effect >= evidence.min_effect:
            return _verdict(Outcome.KEEP, effect, error, noise, f"race: {seen} ≥ {bar:.2f}")
        if score < floor:
            return _verdict(Outcome.DISCARD, effect, error, noise, f"race: {seen} < {floor:.2f}, hopeless")
        if effect + 2 * error < evidence.min_effect:
            return _verdict(Outcome.DISCARD, effect, error, noise, f"race: {seen}, below the least effect that matters")
        if fresh >= self.most:
            return _verdict(Outcome.UNSURE, effect, error, noise, f"race: {seen}, no more runs allowed")
        return self._more(have)

    def _more(self, have: int) -> MoreRuns:
        return MoreRuns(trial=1, incumbent=1 if have < self.enough else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict:
    """No sequential looks: a fixed number of fresh runs of both, kept only beyond `z`. Slow, and hard to fool."""

    screen: float = 0.5
    z: float = 3.0
    runs: int = 6
    """Fresh runs of the trial, and least number of clean readings of the incumbent."""

    def decide(self, evidence: Evidence) -> Verdict | MoreRuns:
        """The screening reading is used for the screen alone."""
        noise = evidence.noise
        if noise.sigma == 0.0:
            return _exact(evidence)
        have = _clean_count(evidence.incumbent)
        if have < 1:
            return MoreRuns(trial=0, incumbent=1)
        clean = tuple(reading for reading in evidence.trial if not reading.screening)
        if not clean:
            effect, error = contrast(evidence)
            bar = max(self.screen * noise.sigma, evidence.min_effect - noise.sigma)
            if effect < bar:
                return _verdict(Outcome.DISCARD, effect, error, noise, f"screen: {effect:+.4g} < {bar:.4g}")
        if len(clean) < self.runs or have < self.runs:
            return MoreRuns(trial=max(0, self.runs - len(clean)), incumbent=max(0, self.runs - have))
        effect, error = contrast(Evidence(trial=clean, incumbent=evidence.incumbent, noise=noise))
        score, bar = effect / error, inflated(self.z, noise.dof)
        seen = f"{effect:+.4g} over {len(clean)} fresh runs, z = {score:.2f}"
        if score >= bar and effect >= evidence.min_effect:
            return _verdict(Outcome.KEEP, effect, error, noise, f"strict: {seen} ≥ {bar:.2f}")
        outcome = Outcome.UNSURE if score > 1.0 else Outcome.DISCARD
        return _verdict(outcome, effect, error, noise, f"strict: {seen} < {bar:.2f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy:
    """Keep whatever reads better than the reading by which the incumbent was kept: the rule of the original."""

    def decide(self, evidence: Evidence) -> Verdict | MoreRuns:
        """Compares the first reading of each; `min_effect` is the least difference."""
        if not evidence.incumbent:
            return MoreRuns(trial=0, incumbent=1)
        effect = evidence.trial[0].gain - evidence.incumbent[0].gain
        outcome = _better(effect, evidence.min_effect)
        return _verdict(outcome, effect, evidence.noise.sigma * sqrt(2.0), evidence.noise, f"greedy: {effect:+.4g}")


RULES: dict[str, Rule] = {"race": Race(), "strict": Strict(), "greedy": Greedy()}


def contrast(evidence: Evidence) -> tuple[float, float]:
    """Gain of the trial over the incumbent, and its standard error.

    Means of all readings of the trial and of the clean readings of the incumbent. Noise counts as independent between
    trees, on shared seeds too: the safe assumption.
    """
    theirs = [reading for reading in evidence.incumbent if not reading.screening] or list(evidence.incumbent)
    if not theirs or not evidence.trial:
        raise UsageError("nothing to compare: a trial and its incumbent need one reading each before a rule is asked")
    count, others = len(evidence.trial), len(theirs)
    level = sum(reading.gain for reading in theirs) / others
    effect = sum(reading.gain for reading in evidence.trial) / count - level
    return effect, evidence.noise.sigma * sqrt(1 / count + 1 / others)


def _clean_count(readings: Sequence[Reading]) -> int:
    return len(readings) - sum(reading.screening for reading in readings)


def _better(effect: float, min_effect: float) -> Outcome:
    """The exact comparison: strictly better, and by at least `min_effect`."""
    return Outcome.KEEP if effect > 0.0 and effect >= min_effect else Outcome.DISCARD


def _exact(evidence: Evidence) -> Verdict | MoreRuns:
    """A deterministic metric: one reading of each tree is the truth; should repeats differ after all, the worst counts.

    A minimum, not a mean: the mean of equal numbers may differ from them in the last bit, and a tie would be a gain.
    """
    if not evidence.incumbent:
        return MoreRuns(trial=0, incumbent=1)
    effect = min(reading.gain for reading in evidence.trial) - min(reading.gain for reading in evidence.incumbent)
    outcome = _better(effect, evidence.min_effect)
    sign = "≥" if outcome is Outcome.KEEP else "<"
    bar = f"{evidence.min_effect:.4g}" if evidence.min_effect > 0.0 else "any gain"
    return Verdict(outcome=outcome, effect=effect, low=effect, high=effect, reason=f"exact: {effect:+.4g} {sign} {bar}")


def _verdict(outcome: Outcome, effect: float, error: float, noise: Noise, reason: str) -> Verdict:
    reach = inflated(1.96, noise.dof) * error if noise.dof > 0 else inf
    return Verdict(outcome=outcome, effect=effect, low=effect - reach, high=effect + reach, reason=reason)
