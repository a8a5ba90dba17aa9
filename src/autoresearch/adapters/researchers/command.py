"""Any program as a researcher: it gets the brief as a file and the workspace as its directory.

Its edits are the proposal. It runs in a sandbox, within a budget; a failure of it proposes nothing and says why.

The program finds `AUTORESEARCH_BRIEF` (the brief as Markdown; `brief.json` lies beside it), `AUTORESEARCH_TRIAL` and
`AUTORESEARCH_OUT` (a directory it may write). The last line ``hypothesis: ...`` of its output, or the file
``$AUTORESEARCH_OUT/hypothesis.txt``, says what it tried.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from autoresearch.adapters.researchers.constants import settings
from autoresearch.domain.brief import Brief, render
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import Budget, Cost, Proposal, RunResult
from autoresearch.ports import Executor, Mount, Task, Workspace

LINE = re.compile(r"^\s*hypothesis:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
READ = 1 << 20
"""Bytes of the end of the log that are searched for the hypothesis."""
LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Runs `command` as the researcher."""

    command: tuple[str, ...]
    executor: Executor
    budget: Budget
    scratch: Path
    """Where briefs, logs and outputs lie while it runs; must exist."""
    network: bool = False
    mounts: tuple[Mount, ...] = ()
    masked: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def propose(self, brief: Brief, workspace: Workspace) -> Proposal:
        """Run it on the workspace. Raises `InfraError` when the sandbox could not start it."""
        try:
            with tempfile.TemporaryDirectory(prefix=f"trial-{brief.trial}-", dir=self.scratch) as folder:
                return self._propose(brief, workspace, Path(folder))
        except OSError as error:
            raise InfraError(f"researcher command: cannot write below {self.scratch}: {error}") from error

    def _propose(self, brief: Brief, workspace: Workspace, folder: Path) -> Proposal:
        told, out, log = folder / "brief", folder / "out", folder / "log"
        told.mkdir()
        out.mkdir()
        (told / "brief.md").write_text(render(brief), encoding="utf-8")
        (told / "brief.json").write_text(json.dumps(asdict(brief), default=str), encoding="utf-8")
        env = {
            **self.env,
            "AUTORESEARCH_BRIEF": str(told / "brief.md"),
            "AUTORESEARCH_TRIAL": str(brief.trial),
        }
        task = Task(
            command=self.command,
            workspace=workspace,
            budget=self.budget,
            log=log,
            out=out,
            env=env,
            mounts=(*self.mounts, Mount(source=told)),
            masked=self.masked,
            network=self.network,
        )
        result = self.executor.start(task).wait()
        cost = Cost(seconds=result.wall)
        said = _hypothesis(out / "hypothesis.txt", log)
        if not result.status.ok:
            return Proposal(hypothesis=said, cost=cost, empty=self._failure(result))
        proposal = Proposal(hypothesis=said or f"a change by {Path(self.command[0]).name}", cost=cost)
        return replace(proposal, settings=settings(workspace, brief.editable))

    def _failure(self, result: RunResult) -> str:
        last = result.tail.strip().splitlines()[-1:] or [""]
        code = "" if result.exit_code is None else f" (exit {result.exit_code})"
        why = result.reason or last[0]
        return f"{self.command[0]}: {result.status}{code}{': ' if why else ''}{why[:LONGEST]}"


def _hypothesis(file: Path, log: Path) -> str:
    """What the program said; its own file goes before its output. One line, at most `LONGEST` characters."""
    if file.is_file() and not file.is_symlink():
        lines = _end(file).split("\n")
        said = next((line.strip() for line in lines if line.strip()), "")
        if said:
            return LINE.sub(r"\1", said)[:LONGEST]
    found = LINE.findall(_end(log)) if log.is_file() else []
    return found[-1][:LONGEST] if found else ""


def _end(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - READ))
        return stream.read().decode("utf-8", "replace")
