"""The command line: one module per command, each imported only when it is asked for.

A command's module has `SUMMARY`, `add_arguments(parser)` and `run(args) -> int`.
"""
