"""A worker: the synchronous loop that claims due steps and performs them.

Several of these run on one study and meet only in the ledger. The one broad `except` of the product stands here: what a
step raised is recorded, and the loop goes on.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from autoresearch.domain import events as e
from autoresearch.domain.errors import InfraError, LedgerError, LostLease, UsageError
from autoresearch.domain.lineage import fold
from autoresearch.domain.plan import INFRA_TRIES, Limits, Step, StepKind, plan
from autoresearch.domain.state import StudyState
from autoresearch.engine import confirming, measuring, proposing
from autoresearch.engine.desk import Desk
from autoresearch.engine.history import History
from autoresearch.ports import Lease, Researcher

PRESENCE = "worker:"
"""Step keys under which workers hold a lease as long as they live: who is at work on this study."""
LEASE = 30.0
"""Seconds after which a silent worker's step is taken over."""
BEAT = 2.0
"""Seconds between heartbeats."""
FIRST_PAUSE = 0.5
"""Seconds before a step that failed is tried again; four times as long after each further failure."""
WAIT = 0.05
"""Seconds between looks at the record while others hold all that is due."""


class Worker:
    """One worker on one study."""

    def __init__(self, desk: Desk, name: str, *, limits: Callable[[StudyState], Limits]) -> None:
        """`limits` is asked before each plan."""
        self.state = desk.state
        self._epoch = desk.state.epoch
        """What it measures under: in another epoch its numbers would be wrong."""
        self.done = False
        """Whether `work` ended because nothing was due."""
        self._desk, self._name, self._limits = desk, name, limits
        self._history = History(desk.record)
        self._broom: ThreadPoolExecutor
        """Puts the files of measured runs away while the next step is performed."""
        self._researcher: Researcher | None = None
        self.leaving = False
        """Whether it was told to leave. Plain values: signal handlers change them."""
        self._at_once = False
        self._current = False
        """Whether nobody had recorded anything else when we last recorded."""

    def leave(self, *, now: bool = False) -> None:
        """End after the present step, or `now`: what is under way is stopped and stays due."""
        self.leaving = True
        if now:
            self._at_once = True
            self._desk.executor.stop()

    def work(self) -> str:
        """Work until nothing is due, or until told to leave. Returns why it ended.

        Raises `LedgerError` when the record cannot be written or read, `UsageError` for what only the user can mend.
        """
        desk, began = self._desk, time.monotonic()
        self.catch_up()
        presence = desk.presence or desk.ledger.claim(f"{PRESENCE}{self._name}", self._name, LEASE)
        desk.ledger.record([e.WorkerJoined(worker=self._name, sandbox=desk.sandbox, safe=desk.safe)])
        try:
            with ThreadPoolExecutor(1, "broom") as self._broom, Heart(desk, presence, beat=self._listen) as heart:
                while not self.leaving:
                    if self._once(heart):
                        self.done = True
                        return self.state.reason or "nothing is due"
            return "told to leave"
        finally:
            left = e.WorkerLeft(worker=self._name, seconds=time.monotonic() - began)
            desk.ledger.record([left])
            if presence is not None and desk.presence is None:
                desk.ledger.release(presence)

    def catch_up(self) -> bool:
        """Fold what was recorded since; whether there was anything."""
        news = self._desk.ledger.events(after=self.state.seq)
        for recorded in news:
            self._fold(recorded)
        return bool(news)

    def _fold(self, recorded: e.Recorded) -> None:
        fold(self.state, recorded)
        self._history.heed(recorded.event)

    def _record(self, events: Sequence[e.Event], *, lease: Lease | None = None, lasting: bool = True) -> bool:
        """Record events and fold them, unless others recorded in between: `catch_up` then brings both in order."""
        end = self._desk.ledger.record(events, lease=lease, lasting=lasting)
        if end is None:
            return False
        self._current = end == self.state.seq + len(events)
        if self._current:
            now = time.time()
            for event in events:
                self._fold(e.Recorded(seq=self.state.seq + 1, at=now, event=event))
        return True

    def _once(self, heart: "Heart") -> bool:
        """One round of the loop; whether nothing is due any more."""
        if not self._current:
            self.catch_up()
        self._current = False
        if self.state.epoch != self._epoch:
            raise LedgerError("the study went on under other conditions than this worker's; start the worker anew")
        due = plan(self.state, self._limits(self.state))
        if due.decision:
            # After a power cut the same decision follows from the same record, so nothing waits for the disk here.
            if not self._record(due.decision, lasting=False) and not self.catch_up():
                names = ", ".join(type(event).__name__ for event in due.decision)
                raise LedgerError(f"the ledger refuses {names} although nothing else was recorded; run `doctor`")
            return False
        for step in due.steps:
            if (lease := self._desk.ledger.claim(step.key, self._name, LEASE)) is not None:
                self._take(step, lease, heart)
                return False
        if due.steps:
            time.sleep(WAIT)
        return due.finished

    def _take(self, step: Step, lease: Lease, heart: "Heart") -> None:
        """Perform a claimed step, unless somebody did so between our look at the record and the claim."""
        spent = False
        try:
            if self.catch_up() and step not in plan(self.state, self._limits(self.state)).steps:
                return
            self._desk.executor.again()
            if self._at_once:
                return
            with heart.holding(lease, lost=self._desk.executor.stop):
                events = self._perform(step, lease)
            if not self._desk.executor.stopped:
                # The files of a run that has ended would not outlast a power cut either: it is then run again.
                spent = self._record(events, lease=lease, lasting=step.kind is not StepKind.EXECUTE)
                if spent and step.kind is StepKind.SCORE and step.run is not None:
                    self._broom.submit(measuring.put_away, self._desk, step.run)
        except LostLease:
            return  # another worker has taken the step over: what was done here is dropped
        except (LedgerError, UsageError):
            raise
        except InfraError as error:
            self._failed(step, str(error), lease, heart)
        except Exception:  # noqa: BLE001 - the one of the product: a step's failure must not end the night
            self._failed(step, traceback.format_exc(limit=-4), lease, heart)
        finally:
            if not spent:
                self._desk.ledger.release(lease)

    def _failed(self, step: Step, reason: str, lease: Lease, heart: "Heart") -> None:
        """Record it, and keep the step from being tried again at once: what is wrong may pass."""
        if self._desk.executor.stopped:
            return
        self._record([e.StepFailed(step=step.key, reason=reason[-2000:])])
        self.catch_up()
        tries = self.state.infra[step.key]
        end = time.monotonic() + (FIRST_PAUSE * 4 ** (tries - 1) if 0 < tries < INFRA_TRIES else 0.0)
        with heart.holding(lease, lost=self._desk.executor.stop):
            while time.monotonic() < end and not self.leaving and not self._desk.executor.stopped:
                time.sleep(WAIT)

    def _perform(self, step: Step, lease: Lease) -> tuple[e.Event, ...]:
        desk, state = self._desk, self.state
        match step.kind:
            case StepKind.PROPOSE if step.trial is not None:
                if self._researcher is None:
                    self._researcher = desk.researcher()
                return proposing.propose(desk, state, step.trial, self._researcher, self._history)
            case StepKind.EXECUTE if step.run is not None:
                held = partial(desk.ledger.extend, lease, LEASE)
                return (measuring.execute(desk, step.run, held=held),)
            case StepKind.SCORE if step.run is not None:
                return (measuring.score(desk, state, step.run, step.purpose),)
            case StepKind.SPLIT if step.round is not None:
                return confirming.split(desk, state, step.round)
            case StepKind.COMPOSE if step.round is not None:
                return confirming.compose(desk, state, step.round)
        raise LedgerError(f"no worker knows how to perform {step}")

    def _listen(self) -> None:
        """Heed a stop that does not wait for the end of the present step."""
        news = self._desk.ledger.events(after=self.state.seq)
        if any(isinstance(recorded.event, e.StopRequested) and recorded.event.now for recorded in news):
            self._desk.executor.stop()


class Heart:
    """One thread that extends a worker's leases while its `with` block lasts: its presence, and the step in hand."""

    def __init__(self, desk: Desk, presence: Lease | None, *, beat: Callable[[], None]) -> None:
        """`beat` is called at every heartbeat, from the heart's thread."""
        self._desk, self._presence, self._on_beat = desk, presence, beat
        self._held: tuple[Lease, Callable[[], None]] | None = None
        self._turn = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heart", daemon=True)

    def __enter__(self) -> "Heart":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @contextlib.contextmanager
    def holding(self, lease: Lease, *, lost: Callable[[], None]) -> Iterator[None]:
        """Extend `lease` too; `lost` is called once, from the heart's thread, when it is gone before the block ends."""
        self._held = (lease, lost)
        try:
            yield
        finally:
            with self._turn:
                self._held = None

    def _live(self) -> None:
        while not self._done.wait(BEAT):
            if not self._extended(self._presence):
                self._presence = None
            if (held := self._held) is not None and not self._extended(held[0]):
                with self._turn:
                    if self._held is held:
                        self._held = None
                        held[1]()
            with contextlib.suppress(InfraError):
                self._on_beat()

    def _extended(self, lease: Lease | None) -> bool:
        """Extend a lease; False when it is gone. A fault of the machine may have passed at the next beat."""
        try:
            if lease is not None:
                self._desk.ledger.extend(lease, LEASE)
        except LostLease:
            return False
        except InfraError:
            return True
        return True
