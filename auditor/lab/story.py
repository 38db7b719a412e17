"""The incident that the embedded world is about, played on an index step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.lab.artifacts import Artifact, build_release, build_wheel
from auditor.lab.catalogue import ProjectState
from auditor.lab.index import EmbeddedIndex

__all__ = ["BROKEN", "FIXED", "GOOD", "PROJECT", "Story", "incident_toml", "play", "tampered_wheel"]

PROJECT = "brokenpkg"
GOOD, BROKEN, FIXED = "1.2.2", "1.2.3", "1.2.4"
YANK_REASON = "broken: use 1.2.4"

# How long ago each release was published.
GOOD_AGE = timedelta(days=30)
BROKEN_AGE = timedelta(days=2)
FIX_AGE = timedelta(hours=3)

BROKEN_BODY = f'\nraise ImportError("{PROJECT} {BROKEN} is broken: use {FIXED}")\n'
TAMPERED_BODY = "\nTAMPERED = True\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the source's page was at each step, and the artifacts in it.

    Attributes:
        releases: the artifacts of each version, the wheel first.
        before_yank: the broken release is the newest, and nobody knows yet.
        before_fix: it is yanked, and there is no fix yet.
        fixed: the fix is out.
    """

    releases: dict[str, tuple[Artifact, Artifact]]
    before_yank: ProjectState
    before_fix: ProjectState
    fixed: ProjectState


def play(index: EmbeddedIndex, now: datetime) -> Story:
    """Play the incident to its end on an index.

    Args:
        index: the source, without the project.
        now: UTC; the fix was published three hours before.
    """
    bodies = {GOOD: "", BROKEN: BROKEN_BODY, FIXED: ""}
    releases = {v: build_release(PROJECT, v, body=body) for v, body in bodies.items()}
    index.publish(*releases[GOOD], at=now - GOOD_AGE)
    index.publish(*releases[BROKEN], at=now - BROKEN_AGE)
    before_yank = index.state(PROJECT)
    index.yank(BROKEN, YANK_REASON, project=PROJECT)
    before_fix = index.state(PROJECT)
    index.publish(*releases[FIXED], at=now - FIX_AGE)
    return Story(
        releases=releases,
        before_yank=before_yank,
        before_fix=before_fix,
        fixed=index.state(PROJECT),
    )


def tampered_wheel() -> Artifact:
    """Build a wheel with the name of the broken one and other bytes."""
    return build_wheel(PROJECT, BROKEN, body=TAMPERED_BODY)


def incident_toml() -> str:
    """Write the incident's table of the configuration."""
    return f"""\
[[incidents]]
id = "{PROJECT}-{BROKEN}"
project = "{PROJECT}"
broken = ["{BROKEN}"]
fixed = ["{FIXED}"]
"""
