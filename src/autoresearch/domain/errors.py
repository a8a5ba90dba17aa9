"""Every error this project raises on purpose.

The tree, with the exit status that the command line gives it::

    AutoresearchError              1
    ├── UsageError                 2   the user can mend it: what, where, what to do
    │   └── SpecError              2   the spec or program file is wrong
    ├── InfraError                 -   the machine failed, not the idea: the step is retried
    ├── ScoreRefused               -   the scorer would not give a number; the reason names the rule
    └── LedgerError                1
        ├── LostLease              -   another worker took the step over: what was done is dropped
        └── CorruptRecord          1   the record does not verify
"""


class AutoresearchError(Exception):
    """The root: its text is meant for the user."""


class UsageError(AutoresearchError):
    """Something the user can mend; shown as it is, exit status 2."""


class SpecError(UsageError):
    """The spec is wrong; the text starts with ``file:line``."""


class InfraError(AutoresearchError):
    """Disk full, node lost, tool missing: retried, and never told to a researcher as a failed idea."""


class ScoreRefused(AutoresearchError):
    """The scorer looked at the artifacts and refused a number; the text names the rule."""


class LedgerError(AutoresearchError):
    """The ledger could not do what was asked."""


class LostLease(LedgerError):
    """The lease has expired or was fenced off; nothing was recorded."""


class CorruptRecord(LedgerError):
    """The record was changed from outside or is of a newer version."""
