"""Which sandbox this machine can have, and how to get a better one. The rule: nothing untried is believed."""

import platform
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from autoresearch.adapters.execution.bare import Bare
from autoresearch.adapters.execution.bubblewrap import Bubblewrap
from autoresearch.adapters.execution.launch import Launcher
from autoresearch.adapters.execution.local import LocalExecutor
from autoresearch.domain.errors import InfraError
from autoresearch.domain.model import Budget
from autoresearch.ports import Task

_INSTALL = (
    ("apt-get", "sudo apt install bubblewrap"),
    ("dnf", "sudo dnf install bubblewrap"),
    ("pacman", "sudo pacman -S bubblewrap"),
    ("zypper", "sudo zypper install bubblewrap"),
    ("apk", "sudo apk add bubblewrap"),
    ("brew", "brew install bubblewrap"),
)


@cache
def best_sandbox() -> Launcher:
    """Bubblewrap if a real run in it works here, else the unsafe one."""
    return Bubblewrap() if bubblewrap_trouble() is None else Bare()


@cache
def bubblewrap_trouble() -> str | None:
    """What goes wrong when a trivial program is run under bubblewrap here; None when nothing does."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, this is {platform.system()}"
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as place:
        task = Task(command=("python3", "-c", ""), workspace=None, budget=Budget(seconds=30), log=Path(place) / "log")
        try:
            result = LocalExecutor(Bubblewrap()).start(task).wait()
        except InfraError as error:
            return str(error)
    return None if result.status.ok else f"{result.reason}: {result.tail}"


def how_to_get_it() -> str:
    """One line: what to do on this system to get the safe sandbox; empty when it works."""
    trouble = bubblewrap_trouble()
    if trouble is None:
        return ""
    if sys.platform == "darwin":
        return "macOS has no bubblewrap: run inside a Linux virtual machine or container for a safe sandbox."
    if sys.platform != "linux":
        return "Run inside WSL 2 (wsl --install), then install bubblewrap there: sudo apt install bubblewrap"
    if shutil.which("bwrap") is None:
        command = next((text for tool, text in _INSTALL if shutil.which(tool)), "install the package bubblewrap")
        return f"For a safe sandbox: {command}"
    if _restricted_by_apparmor():
        return (
            "bubblewrap is here, but AppArmor denies it user namespaces: give /usr/bin/bwrap a profile with `userns,` "
            "(see apparmor.d(5)), or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "bubblewrap is here, but this container may not make namespaces: start it with "
            "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
        )
    return f"bubblewrap is here, but does not work: {trouble.splitlines()[0][:200]}"


def _restricted_by_apparmor() -> bool:
    """Whether AppArmor keeps unprivileged programs from making user namespaces."""
    try:
        return Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").read_text().strip() == "1"
    except OSError:
        return False
