"""The life of a trial as one table: which event takes it from which state to which.

Nothing else decides whether an event fits; the ledger asks here before it records, the fold before it changes state.
"""

from autoresearch.domain.events import (
    Event,
    StandingChanged,
    TrialAbandoned,
    TrialCrashed,
    TrialDiscarded,
    TrialKept,
    TrialOpened,
    TrialProposed,
    TrialVetoed,
)
from autoresearch.domain.model import TrialState

TABLE: dict[type[Event], tuple[TrialState | None, TrialState]] = {
    TrialOpened: (None, TrialState.OPEN),
    TrialProposed: (TrialState.OPEN, TrialState.READY),
    TrialVetoed: (TrialState.OPEN, TrialState.VETOED),
    TrialAbandoned: (TrialState.OPEN, TrialState.ABANDONED),
    TrialKept: (TrialState.READY, TrialState.KEPT),
    TrialDiscarded: (TrialState.READY, TrialState.DISCARDED),
    TrialCrashed: (TrialState.READY, TrialState.CRASHED),
    StandingChanged: (TrialState.KEPT, TrialState.KEPT),
}


def fits(state: TrialState | None, event: Event) -> bool:
    """Whether `event` may happen to a trial in `state` (None: there is no such trial yet). Other events always fit."""
    if (row := TABLE.get(type(event))) is None:
        return True
    if isinstance(event, TrialAbandoned):  # a stopped study gives up trials that wait for runs, too
        return state in (TrialState.OPEN, TrialState.READY)
    return state is row[0]


def after(event: Event) -> TrialState | None:
    """The state that `event` leads to; None for an event that changes no trial's state."""
    row = TABLE.get(type(event))
    return row[1] if row else None
