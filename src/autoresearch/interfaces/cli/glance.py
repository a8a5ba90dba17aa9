"""Where a study stands, at a glance: what `status` shows, in the time of a few queries.

Nothing is folded here: totals and leases are read as they are, and of the events only the end of the record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from autoresearch.adapters.ledger import SqlRecord
from autoresearch.adapters.ledger.totals import Totals
from autoresearch.bootstrap.workers import dead
from autoresearch.domain import events as e
from autoresearch.domain.errors import CorruptRecord
from autoresearch.domain.model import BASE, Source, Standing, Study, TrialState
from autoresearch.domain.state import Control
from autoresearch.domain.stats import mean
from autoresearch.engine.worker import PRESENCE

WINDOW = 500
"""Events looked at in one go, from the end backwards."""
FARTHEST = 10_000
"""Events from the end beyond which nothing is looked for but the study's first event: about 0.15 s."""
IDLE = "idle"
"""State of a study that could go on, at which nobody is at work."""
LATEST = 20
"""Trials that the rate is taken from."""

_CONTROL = (e.Paused, e.Resumed, e.StopRequested, e.StudyFinished, e.ConfirmRequested)
_STATES: dict[type[e.Event], Control] = {
    e.Paused: Control.PAUSED,
    e.StopRequested: Control.STOPPING,
    e.StudyFinished: Control.FINISHED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A study in short. Values in the metric's unit, the effect as a gain."""

    study: Study
    state: str
    """``running``, ``paused``, ``stopping``, ``finished``, or ``idle``."""
    reason: str
    workers: tuple[str, ...]
    totals: Totals
    base: float | None
    value: float | None
    """The incumbent's."""
    sandbox: str
    """Empty when nothing was run."""
    safe: bool
    rate: float | None
    """Trials per hour."""

    @property
    def self_reported(self) -> bool:
        """Whether the metric was printed by the code under trial itself."""
        return self.study.metric.source is Source.STDOUT

    @property
    def trials(self) -> int:
        """Trials opened, removals of what did not hold up left out."""
        return self.totals.trials - self._removals

    @property
    def kept(self) -> int:
        """Kept trials, whatever became of them; removals left out."""
        return self.totals.states.get(TrialState.KEPT, 0) - self._removals

    @property
    def confirmed(self) -> int:
        """Kept trials that confirmation upheld."""
        return self.totals.standings.get(Standing.CONFIRMED, 0)

    @property
    def effect(self) -> float | None:
        """Gain of the incumbent over the base."""
        if self.base is None or self.value is None:
            return None
        return self.study.metric.gain(self.value) - self.study.metric.gain(self.base)

    @property
    def labels(self) -> tuple[str, ...]:
        """What must be said of the study wherever it is shown."""
        unsafe = ["unsafe: no sandbox"] if self.sandbox and not self.safe else []
        return (*(["self-reported metric"] if self.self_reported else []), *unsafe)

    @property
    def _removals(self) -> int:
        return self.totals.standings.get(Standing.HELD, 0)


def glance(record: SqlRecord) -> Glance:
    """Where the study of this record stands. Raises `CorruptRecord` when the record is empty."""
    latest, totals, workers = _latest(record), record.totals(), at_work(record)
    created = latest.get("study")
    if not isinstance(created, e.StudyCreated | e.StudyAmended):
        raise CorruptRecord(f"{record.path} does not begin with a study; `autoresearch doctor` says more")
    study, joined, said = created.study, latest.get("joined"), latest.get("control")
    control = _STATES.get(type(said), Control.RUNNING) if said is not None else Control.RUNNING
    tree, value = study.base_tree, None
    if totals.incumbent != BASE and (row := record.trial(totals.incumbent)) is not None:
        tree, value = row.tree, row.value
    measured = level(record, study, tree, totals.epoch)
    return Glance(
        study=study,
        state=control if workers or control is not Control.RUNNING else IDLE,
        reason=said.reason if isinstance(said, e.Paused | e.StopRequested | e.StudyFinished) else "",
        workers=tuple(workers),
        totals=totals,
        base=level(record, study, study.base_tree, totals.epoch),
        value=value if measured is None else measured,
        sandbox=joined.sandbox if isinstance(joined, e.WorkerJoined) else "",
        safe=joined.safe if isinstance(joined, e.WorkerJoined) else True,
        rate=rate(record),
    )


def at_work(record: SqlRecord) -> list[str]:
    """Names of the workers that are alive."""
    present = (held.worker for held in record.leases() if held.step.startswith(PRESENCE))
    return [worker for worker in present if not dead(worker)]


def level(record: SqlRecord, study: Study, tree: str, epoch: int) -> float | None:
    """Mean of the metric over a tree's runs of an epoch: those that selected nothing, else all."""
    name = study.metric.name
    runs = [run for run in record.runs(tree=tree) if run.key.epoch == epoch and name in run.metrics]
    chosen = [run for run in runs if run.purpose in e.CLEAN] or runs
    return mean([run.metrics[name] for run in chosen]) if chosen else None


def rate(record: SqlRecord) -> float | None:
    """Trials per hour over the latest ones; gaps twenty times longer than usual are pauses and do not count."""
    rows = record.trials(limit=LATEST, newest=True)
    ends = sorted(row.ended_at for row in rows if row.ended_at is not None)
    gaps = [later - earlier for earlier, later in pairwise(ends) if later > earlier]
    if not gaps:
        return None
    usual = mean(sorted(gaps)[: max(1, len(gaps) * 3 // 4)])
    counted = [gap for gap in gaps if gap <= 20 * usual]
    return 3600 * len(counted) / sum(counted)


def next_stop(view: Glance) -> str:
    """When the study will end by itself."""
    stop = view.study.stop
    ends = []
    if stop.trials is not None:
        ends.append(f"{view.trials} of {stop.trials} trials")
    if stop.runs is not None:
        ends.append(f"{view.totals.runs_ended} of {stop.runs} runs")
    if stop.hours is not None:
        ends.append(f"{stop.hours:g} h of one run")
    if stop.patience is not None:
        ends.append(f"{stop.patience} trials in a row without a keep")
    if stop.target is not None:
        ends.append(f"{view.study.metric.name} at {stop.target:g}")
    if stop.cost_usd is not None:
        ends.append(f"pause at ${view.totals.cost.usd:.2f} of ${stop.cost_usd:.2f}")
    return " or ".join(ends) or "never by itself"


def _latest(record: SqlRecord) -> dict[str, e.Event]:
    """The last event of each sort near the end of the record: ``control``, ``study``, ``joined``."""
    found: dict[str, e.Event] = {}
    first = next(record.stream(), None)
    end = record.last()
    farthest = max(0, end - FARTHEST)
    while end > farthest and not found.keys() >= {"control", "study", "joined"}:
        start = max(farthest, end - WINDOW)
        found = {**_sorted_out(islice(record.stream(start), end - start)), **found}
        end = start
    if first is not None:
        found.setdefault("study", first.event)
    return found


def _sorted_out(recorded: Iterator[e.Recorded]) -> dict[str, e.Event]:
    found: dict[str, e.Event] = {}
    for entry in recorded:
        if isinstance(entry.event, _CONTROL):
            found["control"] = entry.event
        elif isinstance(entry.event, e.StudyCreated | e.StudyAmended):
            found["study"] = entry.event
        elif isinstance(entry.event, e.WorkerJoined):
            found["joined"] = entry.event
    return found


def people(workers: Sequence[str]) -> str:
    """Workers for people: ``process 4711 on host``."""
    names = []
    for worker in workers:
        host, pid, _ = [*worker.split(":"), "", ""][:3]
        names.append(f"process {pid} on {host}")
    return ", ".join(names)
