"""The application: its commands by group, and how errors leave it.

Exit status: 0 done, 1 the study or a command failed, 2 the use or the spec is wrong. No error shows a traceback.
"""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from autoresearch import __version__
from autoresearch.domain.errors import AutoresearchError, UsageError
from autoresearch.interfaces.cli import control, exchange, look, start, work
from autoresearch.interfaces.cli.output import warn

app = App(
    name="autoresearch",
    help="Does experiments while you sleep: changes code, measures each change under fixed conditions, keeps what "
    "holds up, and says in the morning what it was and how sure that is.",
    version=__version__,
    version_flags=["--version"],
)
for group in (start, work, look, control, exchange):
    for name, command in group.COMMANDS.items():
        app.command(command, name=name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
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
    return status if isinstance(status, int) else 0
