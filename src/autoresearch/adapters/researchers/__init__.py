"""Researchers built in: `tune`, `mutate`, `command`, `scripted` and `fixed`.

Each turns a Brief into a Proposal and changes only files that match the brief's `editable` globs.
"""
