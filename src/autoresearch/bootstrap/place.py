"""Where things are: the user's repository, its spec, and the state directory of a study.

State lies under ``<git common dir>/autoresearch/<study>/``, mode 0700: `git clean` leaves it there.
"""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from autoresearch.adapters.git.repository import Repository, find, untracked
from autoresearch.domain.errors import UsageError
from autoresearch.spec import FILE, Spec, load_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The user's repository, and where its studies keep their state."""

    repository: Repository
    top: Path
    """Top level of the working tree."""
    state: Path
    """``<git common dir>/autoresearch``."""

    def of(self, study: str) -> Path:
        """State directory of a study."""
        return self.state / study

    def make(self, study: str) -> None:
        """Make the state directory of a study, closed to others."""
        for path in (self.state, self.of(study)):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)

    def ledger(self, study: str) -> Path:
        """Its ledger file."""
        return self.of(study) / "ledger.db"

    def runs(self, study: str) -> Path:
        """Directory of its runs' logs and artifacts."""
        return self.of(study) / "runs"

    def untracked(self) -> tuple[str, ...]:
        """New files of the working tree that git neither tracks nor ignores."""
        return untracked(self.repository)

    def key(self, study: str) -> bytes:
        """The key that seals its hash chains, made when missing."""
        path = self.of(study) / "key"
        if not path.exists():
            self.make(study)
            draft = path.with_name(f".key.{os.getpid()}")  # whole or not there: nobody ever seals with half a key
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)  # of two processes the first one's key stays
            draft.unlink()
        return path.read_bytes()


def locate(directory: Path) -> Place:
    """The repository around `directory`. Raises `UsageError` outside of one."""
    repository = find(directory)
    return Place(repository=repository, top=repository.top, state=repository.state)


def spec_of(place: Place) -> Spec:
    """The repository's spec. Raises `SpecError`, and `UsageError` that names `init` when there is none."""
    path = place.top / FILE
    if not path.exists():
        raise UsageError(f"{path} is not there: run `autoresearch init` in {place.top} to write one")
    return load_spec(path)
