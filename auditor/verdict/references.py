"""Which bytes a file name should have, and who has others.

Reference per file name: the configuration, else its first sight in the history, else the source's
page. Bare digests without a file name identify broken bytes; they never accuse another file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.model import Candidate, Fingerprint, Holding, Incident, Observation

__all__ = ["Identity", "Mismatch", "References", "identities", "mismatch"]

# In this order a mismatch is shown. md5 and crc32 alone convict as well: it is another file all
# the same. Where they agree they say no more than that nothing is known to differ.
ALGORITHMS = ("sha256", "sha512", "sha384", "sha1", "md5", "crc32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is known of the bytes behind one file name.

    Attributes:
        hashes: algorithm to hexadecimal digest.
        size: bytes; None if not known.
        origin: who says so.
    """

    hashes: Mapping[str, str]
    size: int | None
    origin: str

    @property
    def says_something(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self.hashes) or self.size is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A file whose bytes are not those that its name should have."""

    filename: str
    expected: str
    observed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The identities that file names should have.

    Attributes:
        known: by file name.
        disputed: names on which the source contradicts itself; they accuse nobody.
    """

    known: Mapping[str, Identity]
    disputed: frozenset[str]

    @classmethod
    def of(cls, incident: Incident, at_source: Sequence[Observation]) -> References:
        """Collect references from the configuration, the history and the source's pages."""
        known: dict[str, Identity] = {}
        disputed: set[str] = set()
        for filename, identity in identities(at_source):
            if mismatch(filename, known.get(filename, identity), identity):
                disputed.add(filename)
            known[filename] = _merged(known.get(filename), identity)
        for name in disputed:
            del known[name]
        known.update(_stated(incident.references, "first seen at the source, by the history"))
        configured = (p for p in incident.fingerprints if p not in incident.references)
        known.update(_stated(configured, "configuration"))
        return cls(known=known, disputed=frozenset(disputed) - known.keys())

    def conflicts(self, observations: Sequence[Observation]) -> frozenset[str]:
        """File names without reference of which different bytes were seen.

        A damaged copy is another's bytes, and contradicts nobody.
        """
        merged: dict[str, Identity] = {}
        found: set[str] = set()
        damaged = {
            (seen.location, holding.filename, holding.sha256)
            for seen in observations
            for holding in seen.holdings
            if holding.intact is False
        }
        for filename, identity in identities(observations, repeated=False):
            if self.says_something_of(filename):
                continue
            if (identity.origin, filename, identity.hashes.get("sha256")) in damaged:
                continue
            if mismatch(filename, merged.get(filename, identity), identity):
                found.add(filename)
            merged[filename] = _merged(merged.get(filename), identity)
        return frozenset(found)

    def says_something_of(self, filename: str) -> bool:
        """Whether there is a digest or a size to compare a file of that name with."""
        known = self.known.get(filename)
        return known is not None and known.says_something


def identities(
    observations: Iterable[Observation], *, repeated: bool = True
) -> Iterable[tuple[str, Identity]]:
    """Every (file name, identity) that pages and holdings of these observations state.

    Args:
        observations: where; views that read the same page share what it lists.
        repeated: whether a list that places share comes again for each of them. Once is enough to
            find contradictions: a list cannot contradict what was learnt from itself.
    """
    seen: set[int] = set()
    for observation in observations:
        listings = {id(p.candidates): p.candidates for p in observation.pages}
        for candidates in [each for key, each in listings.items() if key not in seen]:
            for candidate in candidates:
                yield candidate.filename, of_candidate(candidate, observation.location)
        seen.update(() if repeated else listings)
        for holding in observation.holdings:
            if holding.sha256 or holding.md5 or holding.crc32 or holding.size is not None:
                yield holding.filename, of_holding(holding, observation.location)
        for pin in observation.pins:
            for file in pin.files:
                # A digest without a name identifies; it never accuses a file (design section 4).
                if file.filename and (file.hashes or file.size is not None):
                    yield (
                        file.filename,
                        Identity(hashes=file.hashes, size=file.size, origin=observation.location),
                    )


def of_candidate(candidate: Candidate, origin: str) -> Identity:
    """The identity that a page states for a file."""
    return Identity(hashes=candidate.hashes, size=candidate.size, origin=origin)


def of_holding(holding: Holding, origin: str) -> Identity:
    """The identity of bytes that were read."""
    stated = {"sha256": holding.sha256, "md5": holding.md5, "crc32": holding.crc32}
    hashes = {name: digest for name, digest in stated.items() if digest}
    return Identity(hashes=hashes, size=holding.size, origin=origin)


def _merged(known: Identity | None, more: Identity) -> Identity:
    """Add what another statement knows. What was said first stands."""
    if known is None:
        return more
    size = more.size if known.size is None else known.size
    return Identity(hashes={**more.hashes, **known.hashes}, size=size, origin=known.origin)


def mismatch(filename: str, reference: Identity, seen: Identity) -> Mismatch | None:
    """Compare two identities by the strongest digest that both have, else by size.

    Returns:
        None if they agree, or if there is nothing that both of them state.
    """
    for algorithm in ALGORITHMS:
        expected, observed = reference.hashes.get(algorithm), seen.hashes.get(algorithm)
        if expected and observed:
            if expected == observed:
                return None
            return Mismatch(
                filename=filename,
                expected=f"{algorithm}:{expected} ({reference.origin})",
                observed=f"{algorithm}:{observed}",
            )
    if reference.size is None or seen.size is None or reference.size == seen.size:
        return None
    return Mismatch(
        filename=filename,
        expected=f"{reference.size} bytes ({reference.origin})",
        observed=f"{seen.size} bytes",
    )


def _stated(prints: Iterable[Fingerprint], origin: str) -> dict[str, Identity]:
    found: dict[str, Identity] = {}
    for print_ in prints:
        stated = {"sha256": print_.sha256, "md5": print_.md5, "crc32": print_.crc32}
        hashes = {algorithm: digest for algorithm, digest in stated.items() if digest}
        if print_.filename and (hashes or print_.size is not None):
            found[print_.filename] = Identity(hashes=hashes, size=print_.size, origin=origin)
    return found
