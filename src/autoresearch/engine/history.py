"""What became of earlier trials, as briefs tell it: read from the record once, and again when an event touches it.

It is bounded: the latest `FITTED` trials and the latest `RECENT` of the lineage, whatever the number of trials.
"""

from collections.abc import Sequence

from autoresearch.domain.brief import FITTED, PastTrial
from autoresearch.domain.events import Event
from autoresearch.domain.model import TrialState
from autoresearch.domain.records import TrialRow
from autoresearch.ports import Record

TOLD = tuple(state for state in TrialState if state is not TrialState.OPEN)
"""Ended trials, and those that are being measured: nobody need propose them again."""


class History:
    """Past trials of one study, kept in step with its events."""

    def __init__(self, record: Record) -> None:
        """Nothing is read before it is asked for."""
        self._record = record
        self._latest: dict[int, PastTrial] | None = None
        self._others: dict[int, PastTrial] = {}
        self._touched: set[int] = set()

    def heed(self, event: Event) -> None:
        """Note that the trial of `event` is not what it was."""
        if event.chain is not None:
            self._touched.add(event.chain)

    def latest(self) -> tuple[PastTrial, ...]:
        """The latest trials that were proposed, oldest first, at most `FITTED`."""
        latest = self._refreshed()
        return tuple(latest[number] for number in sorted(latest))

    def of(self, numbers: Sequence[int]) -> tuple[PastTrial, ...]:
        """These trials, in this order; those that the record does not hold are left out."""
        latest = self._refreshed()
        others: dict[int, PastTrial] = {}
        for number in numbers:
            if number in latest:
                continue
            if number in self._others:
                others[number] = self._others[number]
            elif (row := self._record.trial(number)) is not None:
                others[number] = _past(row)
        self._others = others
        found = (latest.get(number) or others.get(number) for number in numbers)
        return tuple(past for past in found if past is not None)

    def _refreshed(self) -> dict[int, PastTrial]:
        """The latest trials that were proposed, those that events have touched read again."""
        if self._latest is None:
            rows = self._record.trials(limit=FITTED, newest=True, states=TOLD)
            self._latest = {row.number: _past(row) for row in rows}
            self._touched.clear()
        latest = self._latest
        for number in self._touched:
            self._others.pop(number, None)
            latest.pop(number, None)
            if (row := self._record.trial(number)) is not None and row.state in TOLD:
                latest[number] = _past(row)
        self._touched.clear()
        for number in sorted(latest)[:-FITTED]:
            del latest[number]
        return latest


def _past(row: TrialRow) -> PastTrial:
    return PastTrial(
        number=row.number,
        parent=row.parent,
        state=row.state,
        standing=row.standing,
        hypothesis=row.hypothesis,
        reason=row.reason,
        effect=row.effect,
        value=row.value,
        settings=row.settings,
        researcher=row.researcher,
    )
