"""Trial and run rows as table rows, and back: what a column holds is not repeated in the JSON beside it.

Nothing else knows how a row is laid out.
"""

from typing import Any

from autoresearch.adapters.ledger.packing import canonical, pack, parse
from autoresearch.domain.codec import dump, load
from autoresearch.domain.records import RunRow, TrialRow


def trial_columns(row: TrialRow) -> dict[str, Any]:
    """A trial as the columns of `trials`."""
    rest = dump(row)
    return {
        "number": rest.pop("number"),
        "state": rest.pop("state"),
        "standing": rest.pop("standing", ""),
        "tree": rest.pop("tree", None),
        "effect": rest.pop("effect", None),
        "row": pack(canonical(rest)),
    }


def read_trial(columns: tuple[Any, ...]) -> TrialRow:
    """The trial in a row of `trials`. Raises `CorruptRecord`."""
    number, state, standing, tree, effect, rest = columns
    value = parse(rest)
    value.update(number=number, state=state, standing=standing, tree=tree or "", effect=effect)
    row: TrialRow = load(TrialRow, value)
    return row


def run_columns(row: RunRow, number: int) -> dict[str, Any]:
    """A run as the columns of `runs`; `number` is its place in the order of requests."""
    rest = dump(row)
    rest["key"].pop("tree")
    return {
        "number": number,
        "id": row.id,
        "tree": row.key.tree,
        "trial": rest.pop("trial"),
        "purpose": rest.pop("purpose"),
        "status": rest.pop("status", None),
        "row": pack(canonical(rest)),
    }


def read_run(columns: tuple[Any, ...]) -> RunRow:
    """The run in a row of `runs`. Raises `CorruptRecord`."""
    _, _, tree, trial, purpose, status, rest = columns
    value = parse(rest)
    value.setdefault("key", {})["tree"] = tree
    value.update(trial=trial, purpose=purpose, status=status)
    row: RunRow = load(RunRow, value)
    return row
