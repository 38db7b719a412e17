"""What a lock file, a constraint, an image or an environment forces or already contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Integrity", "Pin", "PinState", "PinnedFile"]


class PinState(StrEnum):
    """How tightly a pin holds."""

    FORCED = "forced"  # this version, hash or URL and no other
    RANGE = "range"  # a specifier that leaves a choice
    INSTALLED = "installed"  # the code is there, and would be imported
    SHADOWED = "shadowed"  # the code is there, and something above hides it


class Integrity(StrEnum):
    """Whether installed code is what its release contains."""

    INTACT = "intact"
    STATED = "stated"  # nothing was compared: its metadata is all that tells what it is
    PATCHED = "patched"  # files differ from what its own RECORD says
    REPLACED = "replaced"  # its RECORD is not that of the release
    EDITABLE = "editable"  # the code lies in a source tree, which changes without its metadata
    UNKNOWN = "unknown"


_KNOWN = (Integrity.INTACT, Integrity.STATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """One file that a lock allows.

    Attributes:
        filename: None if the lock names none.
        url: where it is fetched from, redacted; None if the index decides.
        hashes: digests by algorithm.
        size: bytes; None if not stated.
    """

    filename: str | None = None
    url: str | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One entry about the project.

    Attributes:
        where: file and line, or directory, as a reader would look for it.
        state: how tightly it holds.
        version: the version it names; None if it names none.
        specifier: the versions it admits, such as `<1.2.4`; "" if it says nothing of them.
        files: what it allows by name, hash or URL; empty: every file of the version.
        marker: in which environments it holds (PEP 508); "" for all.
        integrity: of installed code.
        code: the version whose release has the code that is here, where that was compared with a
            released file; None if it was not, or is no such code.
        how: how that is known, in words.
        form: the lock format it stands in, such as `uv.lock` or `requirements`; "" if it is no
            entry of a lock.
        together: entries of one lock with the same text here bind together, as those of a
            requirements file and its constraints do; "" for one that binds by itself.
        evidence: ids into the observation's evidence.
    """

    where: str
    state: PinState
    version: str | None = None
    specifier: str = ""
    files: tuple[PinnedFile, ...] = ()
    marker: str = ""
    integrity: Integrity = Integrity.UNKNOWN
    code: str | None = None
    how: str = ""
    form: str = ""
    together: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def is_of_unknown_code(self) -> bool:
        """Whether code is imported from here of which nobody knows whose it is.

        Its metadata may name any version: the files are not those that were recorded with it.
        """
        is_known = self.code is not None or self.integrity in _KNOWN
        return self.state is PinState.INSTALLED and not is_known
