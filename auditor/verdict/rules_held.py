"""Rules on the broken bytes themselves: whether they are here, and how that is known."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model import FileHosting, HeldState, Outcome
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, names, ruling

__all__ = ["broken_held", "corrupt", "held_unknown"]


def broken_held(row: Row) -> Iterator[Ruling]:
    """Broken bytes are here."""
    for state, code in (
        (HeldState.HELD, "broken-held"),
        (HeldState.STORED_ONCE, "broken-held"),
        (HeldState.SHADOWED, "broken-orphaned"),
    ):
        # The bytes of a group are told where they are, at its members.
        if row.broken.held is state and not row.members:
            how = {h.how for h in row.observation.holdings if h.state is state}
            yield ruling(
                code,
                f"The broken bytes are here ({state.value}).",
                expected="no broken artifact",
                observed=f"{names(row.broken.files)}: {names(sorted(how))}",
                evidence=(e for h in row.observation.holdings for e in h.evidence),
            )


def held_unknown(row: Row) -> Iterator[Ruling]:
    """It is not known whether the broken bytes are here."""
    if row.broken.held is HeldState.UNKNOWN and row.is_index:
        why = names(h.how for h in row.observation.holdings if h.state is HeldState.UNKNOWN)
        yield ruling(
            "held-unknown",
            _held_unknown_text(row, why),
            expected="held or not held",
            observed=why or _why_unknown(row),
        )


def _held_unknown_text(row: Row, why: str) -> str:
    """Say why it is not known: only of a cache that answers is it risky to ask."""
    if row.members:
        return "Whether the places of this group hold the broken bytes is not known of all."
    what = "Whether this place itself holds the broken bytes"
    url, outcome = row.location.url, row.observation.outcome
    if outcome not in (Outcome.OBSERVED, Outcome.ABSENT):
        return f"{what} is not known: it could not be looked at."
    if url is None or url.lower().startswith("file:"):
        return f"{what} is not known: {why or 'its files could not be read to the end'}."
    return (
        f"{what} cannot be learnt without risk: asking a cache for a file may make it fetch and "
        "keep it."
    )


def corrupt(row: Row) -> Iterator[Ruling]:
    """A copy here is damaged: it accuses nobody, and nobody can install it."""
    damaged = [h for h in row.observation.holdings if h.intact is False]
    if damaged:
        yield ruling(
            "corrupt",
            "A copy here is damaged or cut short; it is not held to be tampered with.",
            expected="files that open as what their names say",
            observed=names(h.filename for h in damaged),
            evidence=(e for h in damaged for e in h.evidence),
        )


def _why_unknown(row: Row) -> str:
    hosting, outcome = row.observation.file_hosting, row.observation.outcome
    if row.members:
        return "see the rows of its places"
    if outcome not in (Outcome.OBSERVED, Outcome.ABSENT):
        return row.observation.detail or outcome.value
    if hosting is FileHosting.HERE:
        return "it serves its files itself, and its software is not recognised"
    return f"files are hosted: {hosting.value}"
