"""Shared by all tests: which of them can run here, and how many cannot."""

import pytest

from autoresearch.adapters.execution.choose import bubblewrap_trouble, how_to_get_it

_skipped = 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the sandbox need one; without it they are skipped, and counted aloud."""
    global _skipped
    needing = [item for item in items if item.get_closest_marker("sandbox")]
    if not needing or bubblewrap_trouble() is None:
        return
    _skipped = len(needing)
    for item in needing:
        item.add_marker(pytest.mark.skip(reason=f"needs bubblewrap: {bubblewrap_trouble()}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests of the sandbox could not run, and what would change that."""
    if _skipped:
        terminalreporter.write_line(f"{_skipped} tests of the sandbox were skipped. {how_to_get_it()}")


@pytest.fixture(autouse=True)
def _no_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not inherit the surroundings of a study that happens to run them."""
    for name in ("AUTORESEARCH_CONTROLLER", "AUTORESEARCH_SEED", "AUTORESEARCH_OUT", "AUTORESEARCH_BUDGET"):
        monkeypatch.delenv(name, raising=False)
