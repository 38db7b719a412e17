"""What locks, constraints, images and environments say of the project, in words."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model import Incident
from auditor.model.pin import Integrity, Pin, PinnedFile, PinState
from reports.words import Fact, Tone

__all__ = ["PinView", "pin_views"]

_VERBS = {
    PinState.FORCED: "forces",
    PinState.RANGE: "allows",
    PinState.INSTALLED: "contains",
    PinState.SHADOWED: "contains, hidden,",
}
_INTEGRITY = {
    Integrity.INTACT: "its files are those of its own RECORD",
    Integrity.STATED: "",
    Integrity.PATCHED: "files differ from its own RECORD",
    Integrity.REPLACED: "its RECORD is not that of the release",
    Integrity.EDITABLE: "its code is that of a source tree",
    Integrity.UNKNOWN: "",
}
_MOST_FILES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PinView:
    """One entry about the project.

    Attributes:
        where: file and line, or directory.
        fact: what it does there, such as `forces 1.2.3`.
        details: in which environments, by which files, how that is known.
        evidence: ids.
    """

    where: str
    fact: Fact
    details: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def said(self) -> str:
        """What it does, without its sign."""
        return self.fact.word


def pin_views(pins: tuple[Pin, ...], incident: Incident) -> tuple[PinView, ...]:
    """Say each entry in words, those about the broken release first."""
    ordered = sorted(pins, key=lambda pin: (not _is_broken(pin, incident), pin.where))
    return tuple(_view(pin, incident) for pin in ordered)


def _view(pin: Pin, incident: Incident) -> PinView:
    return PinView(
        where=pin.where,
        fact=_fact(pin, incident),
        details=tuple(text for text in _details(pin) if text),
        evidence=pin.evidence,
    )


def _fact(pin: Pin, incident: Incident) -> Fact:
    what = pin.version or pin.specifier or ("any version" if not pin.files else "its files")
    if pin.code is not None and pin.code != pin.version:
        what = (
            f"{pin.version}, with the code of {pin.code}" if pin.version else f"{pin.code}'s code"
        )
    word = f"{_VERBS[pin.state]} {what}"
    if _is_broken(pin, incident):
        return Fact("✖", word, Tone.BAD)
    if pin.version is None and pin.code is None:
        return Fact("◑", word, Tone.WARN)
    return Fact("✔" if incident.is_named_fixed(pin.version) else "●", word, Tone.PLAIN)


def _is_broken(pin: Pin, incident: Incident) -> bool:
    return incident.is_broken(pin.version) or incident.is_broken(pin.code)


def _details(pin: Pin) -> tuple[str, ...]:
    more = len(pin.files) - _MOST_FILES
    files = "; ".join(_file(each) for each in pin.files[:_MOST_FILES])
    listed = f"{files}; and {more} more" if more > 0 else files
    return (
        f"specifier {pin.specifier}" if pin.version and pin.specifier else "",
        f"only where {pin.marker}" if pin.marker else "",
        f"by file: {listed}" if listed else "",
        _INTEGRITY[pin.integrity],
        pin.how,
    )


def _file(file: PinnedFile) -> str:
    digests = " ".join(f"{name}:{digest}" for name, digest in sorted(file.hashes.items()))
    return " ".join(text for text in (file.filename, file.url, digests) if text)
