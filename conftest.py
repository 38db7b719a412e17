"""Loads the plugins of our own tests; pytest accepts `pytest_plugins` at the top level only."""

pytest_plugins = ["tests.real_programs"]
