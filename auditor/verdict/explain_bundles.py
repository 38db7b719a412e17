"""What the reasons mean that are given of bundles nobody can look into, for `auditor explain`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BUNDLE_CODES"]

# Code to meaning, usual cause and remedy.
BUNDLE_CODES: Mapping[str, tuple[str, str, str]] = {
    "suspect-cache": (
        "A cache of a CI may hold the broken release: it was made after that one was uploaded, "
        "and nobody can look into it from here.",
        "Jobs keep what they install, and later caches are filled from earlier ones.",
        "Remove it with the command shown, or look into it in a job of your own.",
    ),
    "cache-too-old": (
        "These caches were made before the broken release was uploaded, so they cannot hold it.",
        "A cache of a CI never changes once it was made.",
        "Nothing.",
    ),
}
