"""Running git so that nothing a repository names is executed.

Every call to git goes through `git`; hooks, filters, file-system monitors, pagers, prompts and network are off.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from autoresearch.domain.errors import InfraError, UsageError

SAFE = (
    "--no-pager",
    "--literal-pathspecs",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.untrackedCache=false",
    "-c", "core.quotePath=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "log.showSignature=false",
    "-c", "i18n.commitEncoding=UTF-8",
    "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "protocol.allow=never",
)  # fmt: skip
KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "USER", "LOGNAME", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL", "GIT_CEILING_DIRECTORIES", "LD_LIBRARY_PATH",
        "GIT_EXEC_PATH", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")  # fmt: skip


def environment(*, own: bool) -> dict[str, str]:
    """The environment of a git call.

    With `own` (the trusted store) the user's configuration is left out too, and the current directory must be the git
    directory itself: a damaged store is an error, never a reason to look for a repository further up.
    """
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= {
        "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_PAGER": "cat", "GIT_EDITOR": "false", "GIT_ASKPASS": "true",
    }  # fmt: skip
    if own:
        env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}
        env |= {"HOME": os.devnull, "GIT_DIR": "."}
        env.pop("XDG_CONFIG_HOME", None)
    return env


def command(arguments: Sequence[str], *, settings: Sequence[str] = ()) -> list[str]:
    """The full argument vector of a safe git call; `settings` are further ``key=value`` overrides."""
    return ["git", *SAFE, *(part for setting in settings for part in ("-c", setting)), *arguments]


def git(
    arguments: Sequence[str],
    *,
    cwd: Path,
    own: bool = False,
    settings: Sequence[str] = (),
    data: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run git and return its standard output. Raises `InfraError` with git's own words when it fails."""
    done = attempt(arguments, cwd=cwd, own=own, settings=settings, data=data, env=env)
    if done.returncode:
        raise InfraError(f"git {arguments[0]} failed in {cwd}: {words(done)}")
    return done.stdout


def attempt(
    arguments: Sequence[str],
    *,
    cwd: Path,
    own: bool = False,
    settings: Sequence[str] = (),
    data: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run git and return what became of it, whatever the exit status."""
    try:
        return subprocess.run(
            command(arguments, settings=settings),
            cwd=cwd,
            env=environment(own=own) | dict(env or {}),
            input=data,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        if not cwd.is_dir():
            raise UsageError(f"{cwd}: no such directory") from error
        raise UsageError("git was not found on PATH: install git 2.25 or newer") from error


def words(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What git said on standard error, in one line of at most 500 characters."""
    text = " ".join(done.stderr.decode("utf-8", "replace").split())
    return text[:500] or f"exit status {done.returncode}"


@contextmanager
def machine(doing: str) -> Iterator[None]:
    """Turn an `OSError` of the block into an `InfraError` that says what was being done."""
    try:
        yield
    except OSError as error:
        raise InfraError(f"{doing}: {error}") from error
