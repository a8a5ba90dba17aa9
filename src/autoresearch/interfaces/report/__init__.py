"""The morning report: one HTML page, one Markdown page and the picture of progress.

Here is only what others call: `gather` the data, `write_report` the files; views are built from the record's events.
"""

from autoresearch.interfaces.report.data import ReportData, gather
from autoresearch.interfaces.report.views import EpochView, Facts, RoundView, epochs_from_events, rounds_from_events
from autoresearch.interfaces.report.write import Paths, write_report

__all__ = [
    "EpochView",
    "Facts",
    "Paths",
    "ReportData",
    "RoundView",
    "epochs_from_events",
    "gather",
    "rounds_from_events",
    "write_report",
]
