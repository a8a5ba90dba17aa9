"""The application: its commands by group, and how errors leave it.

Exit status: 0 done, 1 the study or a command failed, 2 the use or the spec is wrong. No error shows a traceback.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from autoresearch import __version__
from autoresearch.domain.errors import AutoresearchError, UsageError
from autoresearch.interfaces.cli.output import warn

COMMANDS = {
    "init": "start:init",
    "check": "start:check",
    "demo": "start:demo",
    "run": "work:run",
    "try": "work:try_",
    "confirm": "work:confirm",
    "status": "status:status",
    "log": "log:log",
    "show": "trial:show",
    "diff": "trial:diff",
    "report": "look:report",
    "doctor": "doctor:doctor",
    "pause": "control:pause",
    "resume": "control:resume",
    "stop": "control:stop",
    "steer": "control:steer",
    "discard": "control:discard",
    "apply": "control:apply",
    "export": "exchange:export",
    "import": "exchange:import_",
}
"""Every command and where it stands; a module is imported when its command is asked for."""

app = App(
    name="autoresearch",
    help="Does experiments while you sleep: changes code, measures each change under fixed conditions, keeps what "
    "holds up, and says in the morning what it was and how sure that is.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
for name, place in COMMANDS.items():
    app.command(f"autoresearch.interfaces.cli.{place}", name=name)


def _one_thread() -> None:
    """Our own arithmetic is small: more threads cost twenty times the CPU time they save, and disturb the runs."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    _one_thread()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status."""
    try:
        status = app(list(arguments), exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return 2
    except UsageError as error:
        warn(f"autoresearch: {error}")
        return 2
    except AutoresearchError as error:
        warn(f"autoresearch: {error}")
        return 1
    except KeyboardInterrupt:
        warn("stopped")
        return 1
    except BrokenPipeError:
        return 0
    except OSError as error:
        warn(f"autoresearch: the machine refused: {error}. What is recorded is safe; mend that, then run it again")
        return 1
    return status if isinstance(status, int) else 0
