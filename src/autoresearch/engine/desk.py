"""The desk: everything a worker works with, handed in once.

Data only: the ports, and the conditions under which every run of the study is performed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch.domain.model import Budget
from autoresearch.domain.state import StudyState
from autoresearch.engine.underway import UnderWay
from autoresearch.ports import Lease, Ledger, Mount, Record, Researcher, Scorer, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What every run of a study gets, and what it must not see."""

    command: tuple[str, ...]
    budget: Budget
    editable: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    """Globs of the repository that no researcher, run or predict sandbox sees."""
    masked: tuple[Path, ...] = ()
    """Files of the machine that are shown empty there."""
    artifacts: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The ports of one study."""

    ledger: Ledger
    record: Record
    store: Store
    executor: UnderWay
    scorer: Scorer
    researcher: Callable[[], Researcher]
    """Made when the first proposal is due."""
    conditions: Conditions
    runs: Path
    """Directory of the runs' files."""
    state: StudyState = field(default_factory=StudyState)
    """Where the study stands: brought up to date by the worker at this desk, and by nobody else."""
    program: str = ""
    sandbox: str = ""
    safe: bool = False
    presence: Lease | None = None
    """By which we are known to be at work; None: the worker takes one."""
