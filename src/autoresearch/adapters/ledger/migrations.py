"""The way from any older schema to the present one: a list of functions, each one version further.

A function here is never edited after a release; all steps of one opening happen in one transaction.
"""

from collections.abc import Callable, Sequence

from autoresearch.adapters.ledger import schema
from autoresearch.adapters.ledger.database import Database, all_tables
from autoresearch.domain.errors import CorruptRecord

Migration = Callable[[Database], None]

MIGRATIONS: Sequence[Migration] = ()
"""``MIGRATIONS[n]`` takes version n + 1 to n + 2."""


def version(database: Database) -> int:
    """The schema version of the file; 0 when it holds nothing yet. Raises `CorruptRecord` for no ledger of ours."""
    if not database.has_tables():
        return 0
    if not database.has_table(schema.schema_version.name):
        raise CorruptRecord(f"{database.path} is a database, but not a ledger of autoresearch; move it away")
    row = database.one(schema.GET_VERSION)
    if row is None:
        raise CorruptRecord(f"{database.path} does not say which schema version it has; put a backup in its place")
    return int(row[0])


def check(database: Database, latest: int = schema.VERSION) -> int:
    """The schema version, refusing one that this code does not know. Raises `CorruptRecord`."""
    found = version(database)
    if found > latest:
        raise CorruptRecord(
            f"{database.path} has schema version {found}, this autoresearch knows versions up to {latest}: "
            "it was written by a newer one; upgrade autoresearch to go on with this study"
        )
    return found


def migrate(database: Database, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring an existing ledger to the latest version, or change nothing. Raises `CorruptRecord` for a newer one."""
    latest = len(steps) + 1
    if check(database, latest) == latest:
        return
    with database.write():
        found = check(database, latest)  # another process may have been first
        for step in steps[max(found - 1, 0) :]:
            step(database)
        database.run(schema.SET_VERSION, {"version": latest})


def create(database: Database) -> bool:
    """Make the present tables in an empty file, inside a `write`; False when there are some already."""
    if database.has_tables():
        return False
    database.create_tables(all_tables())
    database.run(schema.PUT_VERSION, {"version": schema.VERSION})
    return True
