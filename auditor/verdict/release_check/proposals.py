"""Are the files that are going to be uploaded what their names say?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model import normalise_project, parse_version
from auditor.verdict.release_check.finding import Level, Proposed, ReleaseFinding
from auditor.verdict.release_check.offer import Offer

__all__ = ["check_proposals"]


def check_proposals(offer: Offer) -> Iterator[ReleaseFinding]:
    """Compare each file's name with its own metadata, and with what is asked."""
    for proposed in offer.proposed:
        name = proposed.candidate.filename
        if proposed.candidate.version is None:
            yield _stranger(name, f"no distribution of {offer.project}")
        elif not offer.context.incident.is_named_fixed(proposed.candidate.version):
            yield _stranger(name, f"version {proposed.candidate.version}, not {offer.fix_text}")
        if proposed.problem:
            yield _metadata(name, "metadata that can be read", proposed.problem)
        else:
            yield from _contradictions(proposed, offer)


def _contradictions(proposed: Proposed, offer: Offer) -> Iterator[ReleaseFinding]:
    name, version = proposed.candidate.filename, proposed.candidate.version
    stated = proposed.metadata_version
    if version and parse_version(stated or "") != parse_version(version):
        yield _metadata(name, f"Version: {version}", f"Version: {stated or 'not stated'}")
    project = proposed.metadata_name
    if project is None or normalise_project(project) != offer.project:
        yield _metadata(name, f"Name: {offer.project}", f"Name: {project or 'not stated'}")


def _stranger(name: str, what: str) -> ReleaseFinding:
    return ReleaseFinding(
        code="candidate-not-fix",
        level=Level.FAIL,
        text=f"{name} is no file of the fix: {what}.",
        expected="files of the fixed version only",
        observed=what,
        next_step="take it out of the upload, or name its version with --fixed",
    )


def _metadata(name: str, expected: str, observed: str) -> ReleaseFinding:
    return ReleaseFinding(
        code="candidate-metadata",
        level=Level.FAIL,
        text=f"{name} contradicts itself: its metadata has {observed}, and {expected} is needed.",
        expected=expected,
        observed=observed,
        next_step="build it anew from a clean tree; indexes refuse such files, or installers do",
    )
