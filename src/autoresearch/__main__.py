"""``python -m autoresearch``: the command line."""

from autoresearch.interfaces.cli.app import main

main()
