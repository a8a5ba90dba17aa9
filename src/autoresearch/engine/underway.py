"""What a worker has under way: programs of runs, scorers and researchers, so that all can be ended from outside.

Signal handlers and the heart's thread call `stop`; it takes no lock.
"""

from autoresearch.domain.model import RunResult
from autoresearch.ports import Executor, Running, Task


class UnderWay:
    """`ports.Executor` that remembers what it started and has not ended."""

    def __init__(self, executor: Executor) -> None:
        """Programs are started by `executor`."""
        self._executor = executor
        self._running: list[Running] = []
        self.stopped = False
        """Whether everything is to end: what is started now is ended at once."""

    def start(self, task: Task) -> Running:
        """See `ports.Executor`."""
        running = _Watched(self._executor.start(task), self._running)
        if self.stopped:
            running.stop()
        return running

    def stop(self) -> None:
        """End all that is under way, and all that is started before `again`."""
        self.stopped = True
        for running in list(self._running):
            running.stop()

    def again(self) -> None:
        """Let what is started from now on live."""
        self.stopped = False


class _Watched:
    """`ports.Running` that takes itself off the list when it has ended."""

    def __init__(self, running: Running, others: list[Running]) -> None:
        self._running, self._others = running, others
        others.append(self)

    def wait(self) -> RunResult:
        """See `ports.Running`."""
        try:
            return self._running.wait()
        finally:
            if self in self._others:
                self._others.remove(self)

    def stop(self) -> None:
        """See `ports.Running`."""
        self._running.stop()
