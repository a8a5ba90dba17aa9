"""Studies made up for the report's tests: every case once, drawn from fixed seeds."""

import random
from collections.abc import Iterator
from dataclasses import replace

from autoresearch.domain.events import (
    AtomOutcome,
    Cell,
    EpochOpened,
    Event,
    HeadlineJudged,
    Purpose,
    Recorded,
    RoundJudged,
    RoundOpened,
    RoundSplit,
    TrialOpened,
)
from autoresearch.domain.model import (
    Atom,
    Bound,
    Budget,
    Clock,
    Cost,
    Direction,
    Metric,
    Move,
    Rung,
    RunKey,
    RunStatus,
    Standing,
    Study,
    TrialState,
)
from autoresearch.domain.records import RunRow, TrialRow
from autoresearch.interfaces.report import Facts, ReportData, RoundView, gather, rounds_from_events

SIGMA = 0.012
WEIRD = "<script>alert(1)</script> \x1b[31mred\x1b[0m \x1b]8;;u://x\x07link\x1b]8;;\x07 \u202egpj | `rm` *b* _i_ $x$ 語"
IDEAS = (
    "learning rate 0.001 → 0.003",
    "weight decay 0.1 → 0.02",
    "tie input and output embeddings",
    "context 8 → 12 bytes",
    "cosine schedule with a longer tail",
    "warm-up 100 → 30 steps",
    "hidden layer 256 → 320",
)


def study(direction: Direction = Direction.MINIMIZE) -> Study:
    return Study(
        name="tinylm",
        goal="lowest val_bpb within the run budget",
        base_commit="4f1c0de9a7b3",
        base_tree="base",
        seed=20,
        metric=Metric(name="val_bpb", direction=direction, min_effect=Bound(value=0.005, relative=True)),
        rungs=(Rung(name="small", budget=Budget(seconds=20, clock=Clock.CPU)),),
        holdout=True,
    )


def facts() -> Facts:
    return Facts(
        written_at=1_772_960_400.0,
        version="0.1.0",
        branch="autoresearch/tinylm",
        started=1_772_931_600.0,
        ended=1_772_958_720.0,
        elapsed=27_120.0,
        stop_reason="40 trials",
        workers=2,
        sandbox="bubblewrap",
        protects=(("files outside the workspace", True), ("the network", True), ("covert timing channels", False)),
        hardware="8 cores, 16 GiB",
        spec='[study]\nname = "tinylm"\n',
        incumbents=(3, 7, 12, 19, 25, 30),
        sigma=SIGMA,
        dof=9,
        record_verified=True,
    )


def trial(number: int, state: TrialState, **rest: object) -> TrialRow:
    row = TrialRow(
        number=number,
        parent=0,
        move=Move.EXPLOIT,
        researcher="tune",
        state=state,
        tree=f"tree{number}",
        hypothesis=f"dropout 0.{number}",
        cost=Cost(seconds=2.0, tokens_in=1_000, tokens_out=100, usd=0.01),
        opened_at=1_772_931_600.0 + 600 * number,
    )
    return replace(row, **rest)  # type: ignore[arg-type]


def kept(number: int, idea: str, value: float, effect: float, standing: Standing) -> TrialRow:
    return trial(
        number,
        TrialState.KEPT,
        hypothesis=idea,
        standing=standing,
        value=value,
        effect=effect,
        low=effect - 0.02,
        high=effect + 0.02,
        rule="acceptance",
        reason="race: clear",
        researcher="tune",
    )


KEPT = (
    kept(3, IDEAS[0], 2.452, 0.071, Standing.CONFIRMED),
    kept(7, IDEAS[1], 2.431, 0.030, Standing.REFUTED),
    kept(12, IDEAS[2], 2.391, 0.041, Standing.CONFIRMED),
    kept(19, IDEAS[3], 2.362, 0.033, Standing.CONFIRMED),
    kept(25, IDEAS[4], 2.345, 0.024, Standing.UNDECIDED),
    kept(30, WEIRD, 2.331, 0.021, Standing.UNCONFIRMED),
)


def trials() -> Iterator[TrialRow]:
    """Forty trials: every state, every standing, an outlier, hostile text."""
    draw = random.Random(7)
    by_number = {row.number: row for row in KEPT}
    level = 2.52
    for number in range(1, 41):
        if number in by_number:
            level = by_number[number].value or level
            yield by_number[number]
        elif number in (5, 16):
            yield trial(number, TrialState.CRASHED, rule="crash", reason=f"exit status 1: loss is nan at step {number}")
        elif number == 9:
            yield trial(number, TrialState.VETOED, rule="editable", reason="changes prepare.py, which is not editable")
        elif number == 22:
            yield trial(number, TrialState.ABANDONED, rule="abandoned", reason=WEIRD, hypothesis="")
        elif number == 40:
            yield trial(number, TrialState.OPEN, hypothesis="", tree="")
        else:
            value = 9.7 if number == 14 else level + abs(draw.gauss(0.01, 0.03)) - 0.008
            effect = level - value
            yield trial(
                number,
                TrialState.DISCARDED,
                value=value,
                effect=effect,
                low=effect - 0.03,
                high=effect + 0.03,
                rule="acceptance",
                reason="race: hopeless",
            )


def run(tree: str, seed: int, value: float | None, purpose: Purpose, of: int | None) -> RunRow:
    return RunRow(
        key=RunKey(tree=tree, rung="small", seed=seed),
        purpose=purpose,
        trial=of,
        round=1 if purpose is Purpose.CONFIRM else None,
        status=RunStatus.REFUSED if value is None else RunStatus.OK,
        reason="the score is not finite" if value is None else "",
        metrics={} if value is None else {"val_bpb": value},
        wall=24.0,
        cpu=20.0,
        memory=300 << 20,
        sandbox="bubblewrap",
    )


def runs() -> Iterator[RunRow]:
    """Calibration, each trial's own screen, fresh looks at two incumbents, a refused one, one not executed."""
    for seed, value in enumerate((2.510, 2.530, 2.524, 2.516)):
        yield run("base", seed, value, Purpose.CALIBRATE, None)
    for row in trials():
        if row.value is not None:
            yield run(row.tree, 0, row.value, Purpose.SCREEN, row.number)
    yield run("tree3", 11, 2.470, Purpose.RACE, 4)
    yield run("tree3", 12, 2.460, Purpose.RACE, 4)
    yield run("tree30", 50, 2.355, Purpose.CONFIRM, None)
    yield run("tree30", 0, 9.0, Purpose.SCREEN, 31)
    yield run("tree5", 0, None, Purpose.SCREEN, 5)
    yield replace(run("tree40", 0, 1.0, Purpose.SCREEN, 40), status=None)


def recorded(*events: Event) -> tuple[Recorded, ...]:
    return tuple(Recorded(seq=seq, at=0.0, event=event) for seq, event in enumerate(events, start=1))


def opened(number: int) -> TrialOpened:
    return TrialOpened(trial=number, parent=0, move=Move.EXPLOIT, researcher="tune")


def outcome(atom: int, standing: Standing, effect: float, p: float) -> AtomOutcome:
    return AtomOutcome(atom=atom, standing=standing, effect=effect, low=effect - 0.015, high=effect + 0.015, p=p)


OUTCOMES = (
    outcome(0, Standing.CONFIRMED, 0.062, 0.00001),
    outcome(1, Standing.REFUTED, -0.011, 0.71),
    outcome(2, Standing.CONFIRMED, 0.036, 0.0004),
    outcome(3, Standing.CONFIRMED, 0.028, 0.002),
    outcome(4, Standing.UNDECIDED, 0.009, 0.12),
)
HEADLINE = HeadlineJudged(
    round=1, base=2.519, confirmed=2.388, effect=0.131, low=0.112, high=0.150, runs=16,
    holdout_effect=0.127, holdout_se=0.01,
)  # fmt: skip


def rounds() -> tuple[RoundView, ...]:
    atoms = tuple(
        Atom(id=index, summary=f"train.py: constant {index}", trials=(row.number,))
        for index, row in enumerate(KEPT[:5])
    )
    cells = tuple(Cell(off=(), tree="tree25", seed=seed) for seed in range(24))
    return rounds_from_events(
        recorded(
            EpochOpened(epoch=0, fingerprint="f", reason="first"),
            *map(opened, range(1, 27)),
            RoundOpened(round=1, reference="base", full="tree25", incumbent=25, reason="every 25 trials"),
            RoundSplit(round=1, atoms=atoms, cells=cells),
            RoundJudged(round=1, outcomes=OUTCOMES, level=0.008),
            HEADLINE,
        )
    )


def synthetic() -> ReportData:
    """The study with every case."""
    return gather(study(), trials(), runs(), rounds(), facts())


def fruitless() -> ReportData:
    """Kept changes, a round, and nothing left."""
    rows = [replace(row, standing=Standing.REFUTED) if row.state is TrialState.KEPT else row for row in trials()]
    outcomes = tuple(outcome(one.atom, Standing.REFUTED, -0.004, 0.6) for one in OUTCOMES)
    entry = replace(rounds()[0], outcomes=outcomes, headline=None)
    return gather(study(), rows, runs(), (entry,), facts())


def empty() -> ReportData:
    """A study just begun."""
    return gather(study(), (), (), (), replace(facts(), incumbents=(), sigma=None, dof=0.0, running=True))


def large(count: int, direction: Direction = Direction.MAXIMIZE) -> ReportData:
    """A long study: one trial in fifty kept, each reason of a crash worded anew."""
    draw, sign = random.Random(1), 1 if direction is Direction.MAXIMIZE else -1

    def rows() -> Iterator[TrialRow]:
        level = 10.0
        for number in range(1, count + 1):
            value = level + sign * draw.gauss(-0.1, 0.1)
            if number % 50 == 0:
                level += sign * draw.expovariate(20) / (1 + number / count * 20)
                yield replace(kept(number, f"idea {number}: {WEIRD}", level, 0.03, Standing.UNCONFIRMED))
            elif number % 17 == 0:
                yield trial(number, TrialState.CRASHED, reason=f"{draw.random().hex()} {'x' * 3_000}")
            else:
                gain = sign * (value - level)
                yield trial(number, TrialState.DISCARDED, value=value, effect=gain, low=-1.0, high=1.0)

    return gather(study(direction), rows(), (), (), replace(facts(), incumbents=()))
