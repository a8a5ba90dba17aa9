"""Whether an event may be recorded now: the lifecycle of its trial, and what may happen only once.

A worker that planned from an older record is refused here; it reads on and plans again.
"""

from autoresearch.adapters.ledger.draft import OF_ROUND, Draft, once_in_round
from autoresearch.domain import lifecycle
from autoresearch.domain.events import (
    EpochOpened,
    Event,
    HeadlineFailed,
    HeadlineJudged,
    RoundComposed,
    RoundOpened,
    RoundSettled,
    RunEnded,
    RunLost,
    RunMeasured,
    RunRefused,
    RunsRequested,
    Steered,
    StudyCreated,
    TrialKept,
    TrialOpened,
    TrialProposed,
)
from autoresearch.domain.model import BASE, RunKey, TrialState
from autoresearch.domain.state import CONTROLLER, PERSON


def fits(event: Event, draft: Draft) -> bool:
    """Whether `event` may come next after all that `draft` holds."""
    if (draft.seq == 0) != isinstance(event, StudyCreated):
        return False
    if type(event) in lifecycle.TABLE and event.chain is not None:
        return _trial_fits(event, event.chain, draft)
    match event:
        case RunsRequested():
            return _request_fits(event, draft)
        case RunEnded():
            return _run_is(draft, event.run, ended=False)
        case RunMeasured() | RunRefused() | RunLost():
            return _run_is(draft, event.run, ended=True)
        case EpochOpened():
            return event.epoch > draft.totals.epoch
        case Steered():
            return event.hint > draft.totals.hint
    return not isinstance(event, OF_ROUND) or _round_fits(event, event.round, draft)


def _trial_fits(event: Event, number: int, draft: Draft) -> bool:
    if isinstance(event, TrialOpened) and number != draft.totals.trials + 1:
        return False
    if isinstance(event, TrialKept) and event.over != draft.totals.incumbent:
        return False
    row = draft.trial(number)
    if isinstance(event, TrialProposed) and row is not None and row.researcher not in (CONTROLLER, PERSON):
        return row.state is TrialState.OPEN and not draft.ready_with(event.tree)  # else it is to be a duplicate
    return lifecycle.fits(row.state if row else None, event)


def _request_fits(event: RunsRequested, draft: Draft) -> bool:
    if event.trial is not None and event.trial != BASE and draft.trial(event.trial) is None:
        return False
    names = {key.id for key in event.runs}
    return len(names) == len(event.runs) and all(draft.run(key) is None for key in event.runs)


def _run_is(draft: Draft, key: RunKey, *, ended: bool) -> bool:
    """Whether a run was requested and has not ended, or has ended well and waits for its score."""
    row = draft.run(key)
    if row is None or row.key != key:
        return False
    if not ended:
        return row.status is None
    return row.status is not None and row.status.ok and not row.metrics


def _round_fits(event: Event, number: int, draft: Draft) -> bool:
    done = draft.steps_of_round(number)
    if isinstance(event, RoundOpened):
        return number == draft.totals.round + 1
    if isinstance(event, RoundComposed) and event.over != draft.totals.incumbent:
        return False
    if RoundSettled.__name__ in done and not isinstance(event, HeadlineJudged | HeadlineFailed):
        return False
    return RoundOpened.__name__ in done and once_in_round(event) not in done
