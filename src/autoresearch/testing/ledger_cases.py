"""A small study's events, and which of them fit where: what the tests of a ledger record.

`FITTING` and `UNFIT` are the rules of `Ledger.record` as a table: what happened before, and the event in question.
"""

from collections.abc import Sequence

from autoresearch.domain.events import (
    EpochOpened,
    Event,
    HeadlineFailed,
    HeadlineJudged,
    Paused,
    Purpose,
    RoundComposed,
    RoundJudged,
    RoundOpened,
    RoundSettled,
    RoundSplit,
    RunEnded,
    RunMeasured,
    RunRefused,
    RunsRequested,
    StandingChanged,
    Steered,
    StudyCreated,
    TrialAbandoned,
    TrialCrashed,
    TrialDiscarded,
    TrialKept,
    TrialOpened,
    TrialProposed,
    TrialVetoed,
)
from autoresearch.domain.model import (
    Budget,
    Cost,
    Direction,
    Metric,
    Move,
    Rung,
    RunKey,
    RunResult,
    RunStatus,
    Scores,
    Setting,
    Standing,
    Study,
)

KEY = b"a key for tests, 32 bytes long.."
"""With which the tests seal."""


def study_created() -> StudyCreated:
    """The first event of a small study."""
    study = Study(
        name="test",
        goal="less",
        base_commit="c" * 40,
        base_tree="b" * 40,
        seed=1,
        metric=Metric(name="loss", direction=Direction.MINIMIZE),
        rungs=(Rung(name="small", budget=Budget(seconds=1.0)),),
    )
    return StudyCreated(study=study, spec="[study]\n" * 100)


def tree_of(number: int) -> str:
    """A tree for trial `number`."""
    return f"{number:040x}"[::-1]


def run_of(number: int, repeat: int = 0) -> RunKey:
    """A run of that tree."""
    return RunKey(tree=tree_of(number), rung="small", seed=number, repeat=repeat)


def opened(number: int) -> TrialOpened:
    """Trial `number` is opened."""
    return TrialOpened(trial=number, parent=0, move=Move.EXPLOIT, researcher="tune")


def proposed(number: int) -> TrialProposed:
    """Trial `number` is proposed."""
    return TrialProposed(
        trial=number,
        tree=tree_of(number),
        hypothesis="LR 0.001 → 0.003",
        cost=Cost(seconds=0.5, usd=0.01),
        settings=(Setting(name="train.py:LR", value=0.003), Setting(name="train.py:TIED", value=True)),
        paths=("train.py",),
    )


def requested(number: int, *keys: RunKey) -> RunsRequested:
    """Runs on behalf of trial `number`."""
    return RunsRequested(purpose=Purpose.SCREEN, runs=keys or (run_of(number),), trial=number)


def ended(key: RunKey, status: RunStatus = RunStatus.OK) -> RunEnded:
    """A run ended."""
    return RunEnded(run=key, result=RunResult(status=status, wall=1.5, cpu=1.25, tail="loss 2.5\n" * 20))


def measured(key: RunKey, value: float = 2.5) -> RunMeasured:
    """A run was scored."""
    return RunMeasured(run=key, scores=Scores(metrics={"loss": value}))


def kept(number: int, over: int) -> TrialKept:
    """Trial `number` replaces `over`."""
    return TrialKept(trial=number, over=over, effect=0.1, low=0.05, high=0.15, reason="better", value=2.4)


def discarded(number: int) -> TrialDiscarded:
    """Trial `number` is no better."""
    return TrialDiscarded(trial=number, effect=-0.1, low=-0.15, high=-0.05, reason="worse", value=2.6)


def ready(number: int) -> list[Event]:
    """All that happens to trial `number` before its verdict."""
    key = run_of(number)
    return [opened(number), proposed(number), requested(number), ended(key), measured(key)]


def round_opened(number: int) -> RoundOpened:
    """A confirmation round begins."""
    return RoundOpened(round=number, reference="b" * 40, full="f" * 40, incumbent=1, reason="asked")


def composed(number: int, *, over: int) -> RoundComposed:
    """The trees of a round are made."""
    return RoundComposed(round=number, confirmed="d" * 40, working=None, over=over)


def headline(number: int) -> HeadlineJudged:
    """A confirmation round ends."""
    return HeadlineJudged(round=number, base=2.5, confirmed=2.4, effect=0.1, low=0.0, high=0.2, runs=8)


OPEN, READY, RUN = [opened(1)], [opened(1), proposed(1)], run_of(1)
DONE = [*ready(1), kept(1, 0)]
ASKED = [*READY, requested(1)]

FITTING: dict[str, tuple[Sequence[Event], Event]] = {
    "the first trial": ((), opened(1)),
    "the next trial": (OPEN, opened(2)),
    "a proposal": (OPEN, proposed(1)),
    "a veto": (OPEN, TrialVetoed(trial=1, rule="size", reason="too large")),
    "nothing proposed": (OPEN, TrialAbandoned(trial=1, reason="nothing")),
    "given up while it waits for runs": (READY, TrialAbandoned(trial=1, reason="stopped")),
    "a crash": (READY, TrialCrashed(trial=1, reason="exit 1")),
    "a discard": (READY, discarded(1)),
    "a first keep": (READY, kept(1, 0)),
    "a keep over a keep": ([*DONE, *ready(2)], kept(2, 1)),
    "a standing": (DONE, StandingChanged(trial=1, standing=Standing.CONFIRMED, reason="held up")),
    "runs": (READY, requested(1)),
    "runs of the base": ((), RunsRequested(purpose=Purpose.CALIBRATE, runs=(run_of(0),))),
    "a repeat of a run": (ASKED, requested(1, run_of(1, repeat=1))),
    "the end of a run": (ASKED, ended(RUN)),
    "a number": ([*ASKED, ended(RUN)], measured(RUN)),
    "no number": ([*ASKED, ended(RUN)], RunRefused(run=RUN, reason="nan")),
    "an epoch": ((), EpochOpened(epoch=0, fingerprint="f", reason="first")),
    "a hint": ((), Steered(hint=1, text="try less")),
    "a second pause": ([Paused(reason="asked")], Paused(reason="asked")),
    "a round": ((), round_opened(1)),
    "a second round": ([round_opened(1)], round_opened(2)),
    "a split": ([round_opened(1)], RoundSplit(round=1, atoms=(), cells=())),
    "a composition over the new incumbent": ([round_opened(1), composed(1, over=0), *DONE], composed(1, over=1)),
    "a headline of an older round": ([round_opened(1), round_opened(2)], headline(1)),
}

UNFIT: dict[str, tuple[Sequence[Event], Event]] = {
    "a second beginning": ((), study_created()),
    "a trial that skips a number": ((), opened(2)),
    "a trial with the number of the base": ((), opened(0)),
    "a trial whose number is taken": (OPEN, opened(1)),
    "a proposal for no trial": ((), proposed(1)),
    "a second proposal": (READY, proposed(1)),
    "a verdict before the proposal": (OPEN, kept(1, 0)),
    "a second verdict": (DONE, discarded(1)),
    "a keep over a replaced incumbent": ([*DONE, *ready(2)], kept(2, 0)),
    "a standing of a discarded trial": (
        [*READY, discarded(1)],
        StandingChanged(trial=1, standing=Standing.CONFIRMED, reason="?"),
    ),
    "a run that was asked for": (ASKED, requested(1)),
    "a run twice in one request": (READY, requested(1, run_of(1), run_of(1))),
    "runs for no trial": ((), requested(7)),
    "the end of a run nobody asked for": (READY, ended(RUN)),
    "a second end of a run": ([*ASKED, ended(RUN)], ended(RUN)),
    "a number before the end": (ASKED, measured(RUN)),
    "a second number": ([*ASKED, ended(RUN), measured(RUN)], measured(RUN)),
    "a number of a failed run": ([*ASKED, ended(RUN, RunStatus.FAILED)], measured(RUN)),
    "a number after a refusal": ([*ASKED, ended(RUN), RunRefused(run=RUN, reason="nan")], measured(RUN)),
    "a refusal after a number": ([*ASKED, ended(RUN), measured(RUN)], RunRefused(run=RUN, reason="nan")),
    "an epoch again": (
        [EpochOpened(epoch=1, fingerprint="f", reason="first")],
        EpochOpened(epoch=1, fingerprint="g", reason="x"),
    ),
    "a hint whose number is taken": ([Steered(hint=1, text="try less")], Steered(hint=1, text="try more")),
    "a round that skips a number": ((), round_opened(2)),
    "a round again": ([round_opened(1)], round_opened(1)),
    "a step of no round": ((), RoundJudged(round=1, outcomes=())),
    "a second headline": ([round_opened(1), headline(1)], headline(1)),
    "a second composition": (
        [round_opened(1), composed(1, over=0)],
        composed(1, over=0),
    ),
    "a composition over a replaced incumbent": ([*DONE, round_opened(1)], composed(1, over=0)),
    "a split of a settled round": ([round_opened(1), RoundSettled(round=1)], RoundSplit(round=1, atoms=(), cells=())),
    "a headline that was judged fails": ([round_opened(1), headline(1)], HeadlineFailed(round=1, reason="crash")),
}
