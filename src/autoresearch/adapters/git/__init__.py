"""Git: the user's repository (only looked at), the trusted store, workspaces, atoms and branches of results.

No git command here ever runs a program that a repository names (hook, filter, file-system monitor, pager).
"""
