"""Installed distributions: where they lie, what they say of themselves, whether the code agrees."""
