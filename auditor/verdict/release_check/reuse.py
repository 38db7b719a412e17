"""Was the number, or the name of a file, ever used before? Copies remember what an index forgot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.model import HeldState, Observation, parse_version
from auditor.verdict.references import Identity, identities, mismatch
from auditor.verdict.release_check.finding import Level, Proposed, ReleaseFinding
from auditor.verdict.release_check.offer import Offer
from auditor.verdict.ruling import names

__all__ = ["check_reuse"]

_HERE = (HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE)
_NEVER = (
    "publish the next free number: installs by hash fail on other bytes, and caches keep theirs"
)


def check_reuse(offer: Offer) -> Iterator[ReleaseFinding]:
    """Compare the files of the fix with everything of that name seen anywhere."""
    yield from _disputed(offer)
    yield from _elsewhere(offer)
    if offer.proposed:
        yield from _already_there(offer)
        yield from _used_number(offer)


def _disputed(offer: Offer) -> Iterator[ReleaseFinding]:
    """The source itself lists one name with two sets of bytes."""
    ours = {c.filename for c in (*offer.fixed, *offer.broken)}
    again = sorted(offer.context.references.disputed & ours - _names(offer.proposed))
    if again:
        yield ReleaseFinding(
            code="reused-name",
            level=Level.FAIL,
            text=f"The source offers different bytes under one file name: {names(again)}.",
            expected="one set of bytes per file name",
            observed=names(again),
            next_step=_NEVER,
        )


def _elsewhere(offer: Offer) -> Iterator[ReleaseFinding]:
    """Some other place has other bytes under the name of a file of the fix."""
    reference = {
        c.filename: Identity(hashes=c.hashes, size=c.size, origin="the fix") for c in offer.fixed
    }
    found: dict[str, list[str]] = {}
    for observation in _others(offer):
        for filename, identity in identities([observation]):
            known = reference.get(filename)
            if known and mismatch(filename, known, identity):
                found.setdefault(filename, []).append(observation.location)
    for filename, places in sorted(found.items()):
        yield ReleaseFinding(
            code="reused-name",
            level=Level.FAIL,
            text=f"{filename} has other bytes at {names(places)}: that name was used before, or "
            "the copy is not genuine.",
            expected="the same bytes under that name everywhere",
            observed=f"other bytes at {names(places)}",
            next_step=_NEVER,
        )


def _already_there(offer: Offer) -> Iterator[ReleaseFinding]:
    listed = {c.filename: c for o in offer.at_source for page in o.pages for c in page.candidates}
    for proposed in offer.proposed:
        ours = proposed.candidate
        known = listed.get(ours.filename)
        if known is None:
            continue
        differs = known.hashes.get("sha256") not in (None, ours.hashes.get("sha256"))
        other = "with other bytes" if differs else "with these bytes"
        yield ReleaseFinding(
            code="reused-name" if differs else "already-published",
            level=Level.FAIL if differs else Level.NOTE,
            text=f"{ours.filename} is published already, {other}.",
            expected="a file name that was never used",
            observed=f"sha256 {known.hashes.get('sha256', 'not stated')}",
            next_step=_NEVER if differs else "leave it out of the upload, or use --skip-existing",
        )


def _used_number(offer: Offer) -> Iterator[ReleaseFinding]:
    """The source lists nothing of that version, and somebody else does: it was deleted there."""
    listed = {c.version for o in offer.at_source for page in o.pages for c in page.candidates}
    at_source = {parse_version(v) for v in listed if v}
    for version in offer.fix_versions:
        if version in at_source:
            continue
        places = [o.location for o in offer.observations if str(version) in _versions_at(o)]
        if places:
            yield ReleaseFinding(
                code="reused-number",
                level=Level.FAIL,
                text=f"{version} was used before: {names(places)} still knows it, and the source "
                "lists it no more.",
                expected="a number that was never used, deleted releases included",
                observed=f"{version} at {names(places)}",
                next_step=f"skip {version}. {_NEVER[:1].upper()}{_NEVER[1:]}; PyPI refuses names "
                "of deleted files",
            )


def _versions_at(observation: Observation) -> set[str]:
    """Versions that a place lists, holds, pins, or that another surface of it still shows."""
    texts = {c.version for page in observation.pages for c in page.candidates}
    texts |= {h.version for h in observation.holdings if h.state in _HERE}
    texts |= {pin.version for pin in observation.pins}
    texts |= {v for page in observation.pages for v in page.versions or ()}
    texts |= {s.subject for s in observation.surfaces if s.lists_fix}
    return {str(v) for text in texts if text and (v := parse_version(text))}


def _others(offer: Offer) -> Iterable[Observation]:
    source = offer.source.name if offer.source else None
    return (o for o in offer.observations if o.location != source)


def _names(proposed: Iterable[Proposed]) -> set[str]:
    return {p.candidate.filename for p in proposed}
