"""The program `autoresearch`, also as ``python -m autoresearch``: the command line.

The rule: an interrupt while it is being loaded ends it without a word, as nothing has begun.
"""

import signal

_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _ours:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from autoresearch.interfaces.cli.app import main  # noqa: E402 - not before the interrupt is provided for

if _ours:
    signal.signal(signal.SIGINT, signal.default_int_handler)

__all__ = ["main"]

if __name__ == "__main__":
    main()
