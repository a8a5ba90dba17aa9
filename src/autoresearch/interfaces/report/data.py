"""What the report says, as data: counts, curves, claims, failures and costs.

`gather` computes every number of the report from the rows, in one pass and in memory that grows by one dot per
trial; nothing after it computes, it only words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoresearch.domain.events import HeadlineJudged, Purpose
from autoresearch.domain.model import Cost, Metric, RunStatus, Source, Standing, Study, TrialState
from autoresearch.domain.records import RunRow, TrialRow
from autoresearch.interfaces.report.tally import Failure, RunTally, TrialTally
from autoresearch.interfaces.report.views import EpochView, Facts, RoundView


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One dot of the picture."""

    number: int
    value: float | None
    """The metric's value; None where there is none (crashed, vetoed, abandoned, open)."""
    state: TrialState
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many trials stand where. The base (trial 0) is not counted."""

    trials: int
    states: dict[TrialState, int]
    standings: dict[Standing, int]

    @property
    def kept(self) -> int:
        """Kept changes, whatever became of them; removals by the controller are not ideas and are not counted."""
        return self.states.get(TrialState.KEPT, 0) - self.removals

    @property
    def removals(self) -> int:
        """Kept trials that only take something out of the incumbent."""
        return self.standings.get(Standing.HELD, 0)

    @property
    def confirmed(self) -> int:
        """Kept trials that a confirmation round upheld."""
        return self.standings.get(Standing.CONFIRMED, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Mean of the metric over fresh runs of one tree, in the metric's unit."""

    value: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remeasured:
    """A kept trial's number beside runs that did not take part in selecting it."""

    trial: int
    reported: float
    fresh: Level
    inflation: float
    """Reported minus re-measured, as a gain: positive means that it was reported too good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A change that confirmation spoke about. Effects are gains in the metric's unit."""

    standing: Standing
    summary: str
    """What changed, in the code's words; empty when only the trial is known."""
    hypotheses: tuple[str, ...]
    trials: tuple[int, ...]
    effect: float | None
    low: float | None
    high: float | None
    p: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisyKeep:
    """A kept trial whose gain the noise alone explains, or nearly so."""

    trial: int
    hypothesis: str
    effect: float
    within: bool
    """Less than one standard deviation of a difference; otherwise less than two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStats:
    """All runs of the study. Seconds and bytes; a run not yet executed is not counted."""

    count: int
    purposes: dict[Purpose, int]
    statuses: dict[RunStatus, int]
    wall: float
    cpu: float
    memory: int
    """Highest peak of one run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything that the pages and the picture show."""

    study: Study
    facts: Facts
    rounds: tuple[RoundView, ...]
    counts: Counts
    points: tuple[Point, ...]
    kept: tuple[TrialRow, ...]
    """Kept trials by number, the base left out; effects filled in where the record has only values."""
    recent: tuple[TrialRow, ...]
    near: tuple[TrialRow, ...]
    """Discarded trials with the largest gains, largest first."""
    failures: tuple[Failure, ...]
    runs: RunStats
    cost: Cost
    base: Level | None
    remeasured: tuple[Remeasured, ...]
    claims: tuple[Claim, ...]
    noisy: tuple[NoisyKeep, ...]
    headline: HeadlineJudged | None

    @property
    def metric(self) -> Metric:
        """The number that decides."""
        return self.study.metric

    @property
    def self_reported(self) -> bool:
        """Whether the metric was printed by the code under trial itself."""
        return self.facts.self_reported or self.metric.source is Source.STDOUT

    @property
    def imported(self) -> bool:
        """Whether nothing was run here: the rows come from somebody's log."""
        return self.counts.trials > 0 and not self.facts.sandbox and self.runs.wall == 0.0

    @property
    def changed_conditions(self) -> tuple[EpochView, ...]:
        """Epochs that began after the first trial."""
        return tuple(epoch for epoch in self.facts.epochs if epoch.at_trial > 0)

    def claimed(self, *standings: Standing) -> tuple[Claim, ...]:
        """The claims of these standings."""
        return tuple(claim for claim in self.claims if claim.standing in standings)


def gather(
    study: Study, trials: Iterable[TrialRow], runs: Iterable[RunRow], rounds: Sequence[RoundView], facts: Facts
) -> ReportData:
    """Sum up a study. `trials` come by ascending number; `runs` in any order; both are read once."""
    points: list[Point] = []
    seen = TrialTally(study.metric)
    for row in trials:
        seen.add(row)
        points.append(Point(number=row.number, value=row.value, state=row.state, standing=row.standing))
    ran = RunTally(study, {row.tree: row.number for row in reversed(seen.kept) if row.tree})
    for run in runs:
        ran.add(run)
    kept = tuple(seen.kept)
    judged = [entry.headline for entry in rounds if entry.headline is not None]
    return ReportData(
        study=study,
        facts=facts,
        rounds=tuple(rounds),
        counts=Counts(trials=seen.count, states=dict(seen.states), standings=dict(seen.standings)),
        points=tuple(points),
        kept=kept,
        recent=tuple(seen.recent),
        near=seen.near(),
        failures=(*seen.failures.list(), *ran.failures.list()),
        runs=RunStats(
            count=ran.count,
            purposes=dict(ran.purposes),
            statuses=dict(ran.statuses),
            wall=ran.wall,
            cpu=ran.cpu,
            memory=ran.memory,
        ),
        cost=seen.cost,
        base=_base(ran, seen, facts.epoch),
        remeasured=tuple(_remeasured(study.metric, kept, ran)),
        claims=tuple(_claims(rounds, kept)),
        noisy=tuple(_noisy(kept, facts.sigma)),
        headline=judged[-1] if judged else None,
    )


def _base(ran: RunTally, seen: TrialTally, epoch: int) -> Level | None:
    """The base's level in the present epoch; for a log without runs, what its own line says."""
    level = ran.base.get(epoch)
    if level is not None:
        return Level(value=level.mean, runs=level.count)
    return None if seen.base_value is None else Level(value=seen.base_value, runs=1)


def _remeasured(metric: Metric, kept: Sequence[TrialRow], ran: RunTally) -> Iterable[Remeasured]:
    for row in kept:
        level = ran.fresh_of(row.number)
        if row.value is None or level is None:
            continue
        yield Remeasured(
            trial=row.number,
            reported=row.value,
            fresh=Level(value=level.mean, runs=level.count),
            inflation=metric.gain(row.value) - metric.gain(level.mean),
        )


def _claims(rounds: Sequence[RoundView], kept: Sequence[TrialRow]) -> Iterable[Claim]:
    """What the rounds say of each change, later rounds overruling earlier ones; then trials that no round names."""
    rows = {row.number: row for row in kept}
    claims: dict[tuple[tuple[int, ...], str], Claim] = {}
    for entry in rounds:
        atoms = {atom.id: atom for atom in entry.atoms}
        for outcome in entry.outcomes:
            atom = atoms[outcome.atom]
            claims[atom.trials, atom.summary] = Claim(
                standing=outcome.standing,
                summary=atom.summary,
                hypotheses=tuple(rows[number].hypothesis for number in atom.trials if number in rows),
                trials=atom.trials,
                effect=outcome.effect,
                low=outcome.low,
                high=outcome.high,
                p=outcome.p,
                note=outcome.note,
            )
    current = [claim for claim in claims.values() if not _settled_since(claim, rows)]
    named = {number for claim in current for number in claim.trials}
    told = (Standing.CONFIRMED, Standing.REFUTED, Standing.UNDECIDED)
    alone = [_claim_of(row) for row in kept if row.number not in named and _is_told(row)]
    return sorted((*current, *alone), key=lambda claim: (told.index(claim.standing), -(claim.effect or 0.0)))


def _settled_since(claim: Claim, rows: dict[int, TrialRow]) -> bool:
    """Whether an undecided claim is out of date: its trials were settled by a later round that split them otherwise."""
    if claim.standing is not Standing.UNDECIDED:
        return False
    now = [rows[number].standing for number in claim.trials if number in rows]
    return bool(now) and all(standing in (Standing.CONFIRMED, Standing.REFUTED) for standing in now)


def _is_told(row: TrialRow) -> bool:
    """Whether a standing that no round names was measured, or else is a settled matter."""
    settled = row.standing in (Standing.CONFIRMED, Standing.REFUTED)
    return settled or (row.standing is Standing.UNDECIDED and row.confirmed_effect is not None)


def _claim_of(row: TrialRow) -> Claim:
    return Claim(
        standing=row.standing,
        summary="",
        hypotheses=(row.hypothesis,),
        trials=(row.number,),
        effect=row.confirmed_effect,
        low=row.confirmed_low,
        high=row.confirmed_high,
        p=None,
        note=row.reason,
    )


def _noisy(kept: Sequence[TrialRow], sigma: float | None) -> Iterable[NoisyKeep]:
    """Kept trials that gained less than two standard deviations of the difference of two single measurements.

    A trial whose interval is narrower than that of such a difference was raced over several runs: for it, only an
    interval that includes zero counts as within the noise.
    """
    spread = 0.0 if sigma is None else sigma * 2**0.5
    for row in kept:
        if row.effect is None or row.standing is Standing.HELD:
            continue
        if _raced(row, spread):
            doubtful = within = row.low is not None and row.low <= 0.0
        else:
            doubtful, within = row.effect < 2 * spread, row.effect < spread
        if doubtful:
            yield NoisyKeep(trial=row.number, hypothesis=row.hypothesis, effect=row.effect, within=within)


def _raced(row: TrialRow, spread: float) -> bool:
    if row.low is None or row.high is None:
        return False
    return 0.0 < row.high - row.low < 2 * 1.9 * spread
