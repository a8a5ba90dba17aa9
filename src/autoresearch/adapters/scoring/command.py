"""The sealed scorer: a program of the base commit, in a process and a sandbox of its own.

It sees the artifacts read-only and the hidden files; the trial's code, where it must answer questions, runs in another
sandbox and only ever sees what the scorer sends it. The number comes back on a channel that no trial has.
"""

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoresearch.domain.errors import ScoreRefused
from autoresearch.domain.model import Budget, RunKey, RunResult, Scores
from autoresearch.ports import Executor, Mount, RunFiles, Running, Store, Task, Workspace

LARGEST = 1 << 20
"""Bytes of a result document."""
VALIDATION, HOLDOUT = "validation", "holdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A program with its time."""

    command: tuple[str, ...]
    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """How a study is scored, and what the trial's own code must not see while it answers."""

    score: Entry
    predict: Entry | None = None
    base_tree: str
    hidden: tuple[str, ...] = ()
    masked: tuple[Path, ...] = ()
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    threads: int = 0


class CommandScorer:
    """`ports.Scorer` that runs the spec's `[score] command`."""

    def __init__(self, sealed: Sealed, store: Store, executor: Executor) -> None:
        """Nothing is started before the first score."""
        self._sealed, self._store, self._executor = sealed, store, executor
        self._kept = contextlib.ExitStack()
        self._pinned: Workspace | None = None

    def close(self) -> None:
        """Remove the pinned checkout."""
        self._kept.close()
        self._pinned = None

    def score(self, run: RunKey, files: RunFiles, *, holdout: bool) -> Scores:
        """Start the predict processes and the scorer, connect them, read the result.

        Raises `ScoreRefused` when the scorer ends without a proper result: the last line of its log says why.
        """
        splits = (VALIDATION, HOLDOUT) if holdout else (VALIDATION,)
        with contextlib.ExitStack() as stack:
            pipes = Pipes()
            stack.callback(pipes.close)
            predicts = {split: self._predict(run, files, split, pipes, stack) for split in splits}
            result = Result()
            stack.callback(result.close)
            document = {
                "artifacts": str(files.artifacts),
                "seed": run.seed,
                "rung": run.rung,
                "splits": list(splits),
                "predict": {split: list(ends) for split, (_, ends) in predicts.items() if ends},
            }
            scorer = self._start(document, files, pipes, result)
            pipes.close()
            ended = scorer.wait()
            under_way = {split: running for split, (running, _) in predicts.items() if running}
            if ended.status.ok:  # it has all the answers it asked for; nobody waits for who asks no more
                for running in under_way.values():
                    running.stop()
            answers = {split: running.wait() for split, running in under_way.items()}
            return _read(ended, answers, result.text(), holdout=holdout)

    def _start(self, document: dict[str, Any], files: RunFiles, pipes: "Pipes", result: "Result") -> Running:
        with tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps(document).encode())
            stdin.seek(0)
            try:
                return self._executor.start(
                    Task(
                        command=self._sealed.score.command,
                        workspace=self._base(),
                        writable_workspace=False,
                        budget=self._sealed.score.budget,
                        log=files.log.with_name("score.txt"),
                        env={**self._sealed.env, "AUTORESEARCH_RESULT_FD": str(result.fd)},
                        mounts=(*self._sealed.mounts, Mount(source=files.artifacts)),
                        threads=self._sealed.threads,
                        stdin=stdin.fileno(),
                        pass_fds=(result.fd, *pipes.theirs),
                    )
                )
            finally:
                result.close_writer()

    def _base(self) -> Workspace:
        """The pinned checkout of the base commit, hidden files included; read-only in every sandbox."""
        if self._pinned is None:
            self._pinned = self._kept.enter_context(self._store.workspace(self._sealed.base_tree))
        return self._pinned

    def _predict(
        self, run: RunKey, files: RunFiles, split: str, pipes: "Pipes", stack: contextlib.ExitStack
    ) -> tuple[Running | None, tuple[int, int] | None]:
        """One fresh predict process, and the scorer's ends of its pipes: (to write, to read)."""
        entry = self._sealed.predict
        if entry is None:
            return None, None
        workspace = stack.enter_context(self._store.workspace(run.tree, without=self._sealed.hidden))
        ends, (stdin, stdout) = pipes.make()
        try:
            running = self._executor.start(
                Task(
                    command=entry.command,
                    workspace=workspace,
                    budget=entry.budget,
                    log=files.log.with_name(f"predict-{split}.txt"),
                    env={**self._sealed.env, "AUTORESEARCH_ARTIFACTS": str(files.artifacts)},
                    mounts=(*self._sealed.mounts, Mount(source=files.artifacts)),
                    masked=self._sealed.masked,
                    threads=self._sealed.threads,
                    stdin=stdin,
                    stdout=stdout,
                )
            )
        finally:
            os.close(stdin)
            os.close(stdout)
        stack.callback(running.stop)
        return running, ends


class Pipes:
    """The descriptors that lead from the scorer to predict processes; ours only until the scorer has them."""

    def __init__(self) -> None:
        """No pipe yet."""
        self.theirs: list[int] = []

    def make(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """A pair of pipes: (the scorer's writer and reader), (predict's stdin and stdout)."""
        question_out, question_in = os.pipe()
        answer_out, answer_in = os.pipe()
        self.theirs += [question_in, answer_out]
        return (question_in, answer_out), (question_out, answer_in)

    def close(self) -> None:
        """Close our copies, so that an end is seen as an end."""
        while self.theirs:
            os.close(self.theirs.pop())


class Result:
    """The channel of the result: read aside, so that a long document blocks nobody, and bounded."""

    def __init__(self) -> None:
        """Open the pipe and begin to read."""
        self._reader, self.fd = os.pipe()
        self._open = True
        self._text = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with os.fdopen(self._reader, "rb") as reader:
            self._text = reader.read(LARGEST + 1)

    def close_writer(self) -> None:
        """Close our copy of the writing end."""
        if self._open:
            os.close(self.fd)
            self._open = False

    def text(self) -> bytes:
        """What was written, once every writer is gone."""
        self._thread.join(timeout=5.0)
        return self._text

    def close(self) -> None:
        """End the channel."""
        self.close_writer()
        self._thread.join(timeout=5.0)


def _read(ended: RunResult, answers: Mapping[str, RunResult], text: bytes, *, holdout: bool) -> Scores:
    if not ended.status.ok:
        failed = [f"{split} predict: {each.reason}" for split, each in answers.items() if not each.status.ok]
        said = next(_last_lines(ended.tail), "")
        raise ScoreRefused("; ".join(part for part in (said or f"scorer: {ended.reason}", *failed) if part))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScoreRefused(
            f"the scorer wrote no JSON document to AUTORESEARCH_RESULT_FD ({error}); "
            f"its log ends: {ended.tail[-200:]!r}"
        ) from error
    if len(text) > LARGEST or not isinstance(document, dict) or not isinstance(document.get("metrics"), dict):
        raise ScoreRefused('the scorer\'s document must be {"metrics": {name: number}, …} of at most 1 MiB')
    notes = document.get("notes", "")
    return Scores(
        metrics=_numbers(document["metrics"]),
        holdout=_numbers(document.get(HOLDOUT) or {}) if holdout else {},
        notes=_text(notes if isinstance(notes, str) else json.dumps(notes, sort_keys=True)),
    )


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, dict):
        raise ScoreRefused("metrics must be a JSON object of numbers by name")
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScoreRefused(f"the metric {name!r} is no number: {value!r}")
    try:
        return {_text(name): float(value) for name, value in values.items()}
    except OverflowError as error:
        raise ScoreRefused("a metric is an integer too large for any measurement") from error


def _text(text: str) -> str:
    """Text that can be written anywhere: JSON may hold halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _last_lines(tail: str) -> Iterator[str]:
    yield from (line.strip() for line in reversed(tail.splitlines()) if line.strip())
