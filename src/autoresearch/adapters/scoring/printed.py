"""The scorer of studies without a scorer: it believes what the run printed.

What it gives is self-reported, and labelled so wherever it is shown.
"""

from collections.abc import Iterator
from pathlib import Path

from autoresearch.adapters.scoring.stdout import parse_metrics
from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.model import LARGEST, RunKey, Scores
from autoresearch.ports import RunFiles


class PrintedScorer:
    """`ports.Scorer` that reads the metric from a run's log."""

    def __init__(self, metric: str) -> None:
        """`metric`: the name that decides; a bare last number counts as it."""
        self._metric = metric

    def score(self, run: RunKey, files: RunFiles, *, holdout: bool) -> Scores:
        """The last finite value of every name. Raises `ScoreRefused` when the metric was never printed."""
        metrics = parse_metrics(_lines(files.log), bare=self._metric)
        if self._metric not in metrics:
            seen = ", ".join(sorted(metrics)[:10]) or "none"
            raise ScoreRefused(f"the run never printed `{self._metric}: <number>`; metrics found in its log: {seen}")
        return Scores(metrics={name: x for name, x in metrics.items() if name == self._metric or abs(x) <= LARGEST})


def _lines(log: Path) -> Iterator[str]:
    with log.open(encoding="utf-8", errors="replace") as text:
        while line := text.readline(1 << 17):
            yield line
