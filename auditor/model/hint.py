"""What a server says of itself that explains a row and no page shows."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Hint", "StatedLag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A fact by which a probe explains what it saw. It decides nothing, but for `undeliverable`.

    Attributes:
        code: a reason code that the judge knows, such as `fix-hidden-by-local-files`.
        text: the fact in a sentence.
        expected, observed: what one would want to see there, and what was seen.
        evidence: ids into the observation's evidence.
        undeliverable: names of files that are listed here and certainly not given to whoever asks
            for them here: an installer that chooses one fails, and tries no other.
    """

    code: str
    text: str
    expected: str
    observed: str
    evidence: tuple[str, ...] = ()
    undeliverable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLag:
    """How far behind its upstream a place says that it may be.

    Attributes:
        seconds: at most, while all is well.
        basis: which setting or header says so.
    """

    seconds: float
    basis: str
