"""The command line: one module per group of commands, all output through `output`."""
