"""Commands that look: `status`, `log`, `show`, `diff`, `report`, `doctor`.

None of them changes a study (`doctor --repair` mends what surrounds it), and none waits for anybody.
"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from autoresearch.domain.errors import UsageError
from autoresearch.interfaces.cli.context import Json, StudyName, chosen, here
from autoresearch.interfaces.cli.output import emit, say
from autoresearch.interfaces.cli.reporting import write_report_of
from autoresearch.interfaces.cli.shown import columns


def report(
    *,
    output: Annotated[Path | None, Parameter(help="Directory; default: `report` in the study's state.")] = None,
    study: StudyName = None,
    json: Json = False,
) -> int:
    """Write the report: a page for the browser, one in Markdown, and the picture of progress (SVG and PNG)."""
    place = here()
    name = chosen(place, study)
    try:
        paths = write_report_of(place, name, output)
    except OSError as error:
        raise UsageError(f"the report cannot be written: {error}; choose another directory with --output") from error
    if json:
        emit({"study": name, **{kind: str(path) for kind, path in paths.items()}})
        return 0
    for line in columns([[kind, str(path)] for kind, path in paths.items()]):
        say(line)
    return 0
