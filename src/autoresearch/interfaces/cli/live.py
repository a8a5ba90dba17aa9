"""The live view of a study: a picture that renews itself in a terminal, plain lines elsewhere.

It reads the record like anybody else; the worker does not know that it is watched.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autoresearch.adapters.ledger import SqlRecord
from autoresearch.domain import events as e
from autoresearch.domain.confirmation import noise_of
from autoresearch.domain.lineage import fold
from autoresearch.domain.model import BASE
from autoresearch.domain.state import CONTROLLER, StudyState
from autoresearch.domain.stats import mean
from autoresearch.interfaces.cli.output import duration, number, safe, signed

LAST = 8
"""Trials listed in the live view."""
WIDTH = 60
"""Columns of the staircase."""
STYLES = {"kept": "bold green", "discarded": "dim", "vetoed": "yellow", "crashed": "red", "abandoned": "magenta"}


@dataclass(slots=True)
class Line:
    """One ended trial, as listed."""

    number: int
    outcome: str
    effect: float | None
    hypothesis: str
    reason: str


@dataclass(slots=True)
class Follower:
    """What the view knows of a study: its state, the latest trials, the incumbent's values in order."""

    record: SqlRecord
    state: StudyState = field(default_factory=StudyState)
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=LAST))
    stairs: list[float] = field(default_factory=list)
    news: deque[str] = field(default_factory=lambda: deque(maxlen=1000))
    hypotheses: dict[int, str] = field(default_factory=dict)
    finished_trials: int = 0

    def catch_up(self) -> None:
        """Fold what is new."""
        for recorded in self.record.events(after=self.state.seq):
            self._note(recorded.event)
            fold(self.state, recorded)

    def _note(self, event: e.Event) -> None:
        match event:
            case e.TrialProposed():
                self.hypotheses[event.trial] = safe(event.hypothesis, 120)
            case e.TrialKept() if self.state.open[event.trial].researcher != CONTROLLER:
                self._ended(event.trial, "kept", event.effect, event.reason)
            case e.TrialKept():
                self.news.append(f"      incumbent without what was refuted: trial {event.trial}")
            case e.TrialDiscarded():
                self._ended(event.trial, "discarded", event.effect, event.reason)
            case e.TrialVetoed():
                self.hypotheses[event.trial] = safe(event.hypothesis, 120)
                self._ended(event.trial, "vetoed", None, f"{event.rule}: {event.reason}")
            case e.TrialCrashed() | e.TrialAbandoned():
                outcome = "crashed" if isinstance(event, e.TrialCrashed) else "abandoned"
                self._ended(event.trial, outcome, None, event.reason)
            case e.RoundOpened():
                self.news.append(f"      confirmation round {event.round} ({event.reason})")
            case e.RoundJudged():
                counts = [sum(o.standing == s for o in event.outcomes) for s in ("confirmed", "refuted", "undecided")]
                said = "{} confirmed, {} refuted, {} undecided".format(*counts)
                self.news.append(f"      confirmation round {event.round}: {said}")
            case e.HeadlineJudged():
                self.news.append(
                    f"      fresh seeds: base {number(event.base)} → confirmed {number(event.confirmed)}, "
                    f"gain {signed(event.effect)} [{signed(event.low)}, {signed(event.high)}]"
                )
            case e.Paused():
                self.news.append(f"paused: {safe(event.reason, 400)}")
            case e.StepFailed():
                self.news.append(f"      the machine failed at {event.step}: {safe(event.reason.strip(), 300)}")
            case e.EpochOpened() if event.epoch > 0:
                self.news.append(f"      new epoch {event.epoch}: {safe(event.reason)}")

    def _ended(self, trial: int, outcome: str, effect: float | None, reason: str) -> None:
        hypothesis = self.hypotheses.pop(trial, "")
        line = Line(number=trial, outcome=outcome, effect=effect, hypothesis=hypothesis, reason=safe(reason, 120))
        self.lines.append(line)
        self.finished_trials += 1
        what = f"{hypothesis}  ({line.reason})" if hypothesis else line.reason
        self.news.append(f"#{trial:<4} {outcome:<9} {signed(effect):>9}  {what}")
        if outcome == "kept":
            self.stairs.append(self.incumbent_value() or 0.0)

    def incumbent_value(self) -> float | None:
        """Mean of the incumbent's runs, in the metric's unit."""
        if not self.state.exists:
            return None
        tree = self.state.incumbent_trial.tree
        gains = self.state.gains(tree, *e.CLEAN) or self.state.gains(tree)
        return self.state.study.metric.value(mean(gains)) if gains else None


class View:
    """Shows a `Follower` until told to end; `with View(...)` runs it in a thread of its own."""

    def __init__(self, open_record: Callable[[], SqlRecord], *, title: str, labels: str, console: Console) -> None:
        """`labels`: what must be said of the study at all times (self-reported, unsafe)."""
        self._open, self._title, self._labels, self._console = open_record, title, labels, console
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._began = time.monotonic()
        self._before = 0

    def __enter__(self) -> "View":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=5)

    def _show(self) -> None:
        with self._open() as record:
            follower = Follower(record)
            follower.catch_up()
            follower.news.clear()
            self._before = follower.finished_trials
            if self._console.is_terminal:
                self._pictures(follower)
            else:
                self._plain(follower)

    def _plain(self, follower: Follower) -> None:
        while True:
            ending = self._end.is_set()
            follower.catch_up()
            while follower.news:
                self._console.print(follower.news.popleft(), markup=False, highlight=False, soft_wrap=True)
            if ending:
                return
            self._end.wait(0.3)

    def _pictures(self, follower: Follower) -> None:
        with Live(self._picture(follower), console=self._console, refresh_per_second=4, transient=False) as live:
            while not self._end.wait(0.25):
                follower.catch_up()
                live.update(self._picture(follower))
            follower.catch_up()
            live.update(self._picture(follower))

    def _picture(self, follower: Follower) -> RenderableType:
        state = follower.state
        if not state.exists:
            return Text(f"{self._title}: beginning")
        return Group(*self._head(follower), self._table(follower), self._foot(follower))

    def _head(self, follower: Follower) -> list[Text]:
        state = follower.state
        metric = state.study.metric
        base = state.gains(state.study.base_tree)
        start = metric.value(mean(base)) if base else None
        value = follower.incumbent_value()
        kept = sum(1 for each in state.kept.values() if each.number != BASE and each.researcher != CONTROLLER)
        line = Text.assemble(
            (self._title, "bold"),
            f"  {metric.name} {number(start)} → ",
            (number(value), "bold green"),
            f"   {state.proposed_trials} trials, {kept} kept, {state.runs} runs",
            (f"   {self._labels}" if self._labels else "", "bold red"),
        )
        return [line, self._bar(follower), *([_staircase(follower)] if follower.stairs else [])]

    def _bar(self, follower: Follower) -> Text:
        """Progress to the next stop, the rate and the time left."""
        state, stop = follower.state, follower.state.study.stop
        total, done = (stop.runs, state.runs) if stop.runs else (stop.trials, state.proposed_trials)
        elapsed = time.monotonic() - self._began
        made = follower.finished_trials - self._before
        rate = made / elapsed * 3600 if elapsed > 5 and made else None
        text = f"{number(rate, 3)} trials/h" if rate else "measuring the noise" if not state.scatter.dof else ""
        if not total:
            return Text(f"  {text}", style="dim")
        share = min(1.0, done / total)
        left = (
            f", about {duration(elapsed / made * (total - done))} left"
            if made and not stop.runs and done < total
            else ""
        )
        phase = f"  confirming (round {state.round.number})" if state.round else ""
        return Text(f"  [{'█' * round(share * 30):<30}] {done}/{total}  {text}{left}{phase}")

    def _table(self, follower: Follower) -> Table:
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(justify="right", style="dim")
        table.add_column()
        table.add_column(justify="right")
        table.add_column(overflow="ellipsis", no_wrap=True)
        for line in follower.lines:
            outcome = Text(line.outcome, style=STYLES.get(line.outcome, ""))
            table.add_row(f"#{line.number}", outcome, signed(line.effect), line.hypothesis or line.reason)
        return table

    def _foot(self, follower: Follower) -> Text:
        state = follower.state
        noise = noise_of(state)
        words = [f"noise of one run {number(noise.sigma, 2)}"] if noise.dof else []
        due = [f"{pending.purpose} run" for pending in state.pending.values()][:1]
        due += [
            f"proposing #{number_}"
            for number_ in state.open
            if not any(p.trial == number_ for p in state.pending.values())
        ]
        words += due[:2]
        words.append("Ctrl-C finishes the present step, twice stops now")
        return Text("  " + " · ".join(words), style="dim")


def _staircase(follower: Follower) -> Text:
    """The incumbent's value after each keep, as blocks: better is higher."""
    metric = follower.state.study.metric
    gains = [metric.gain(value) for value in follower.stairs[-WIDTH:]]
    low, high = min(gains), max(gains)
    blocks = "▁▂▃▄▅▆▇█"
    steps = "".join(blocks[round((gain - low) / (high - low) * 7) if high > low else 3] for gain in gains)
    return Text(f"  {steps}", style="green")
