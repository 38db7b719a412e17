"""What an answer of each surface says about the incident: pure, bytes and headers in.

Every body is as hostile as any other; one that cannot be read is `malformed`, with the cause.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from auditor.errors import Malformed
from auditor.model import Candidate, Incident, PageOutcome, Surface, Yank
from probes.kit.answer import Answer, shown
from probes.kit.freshness import serial_of
from probes.kit.index import outcome_of_status
from probes.kit.pages import parse_page
from probes.pypi_surfaces.session import headers_stripped

__all__ = [
    "LegacyFile",
    "PageFacts",
    "page_facts",
    "page_surface",
    "read_legacy",
    "read_metadata",
    "read_provenance",
]

_T = TypeVar("_T")

# At the very end of PyPI's HTML pages.
_COMMENT = re.compile(rb"<!--SERIAL (\d{1,18})-->\s*\Z")
_TAIL_BYTES = 200
_MAX_BUNDLES = 20


class _Meta(msgspec.Struct):
    last_serial: object = msgspec.field(default=None, name="_last-serial")


class _Entry(msgspec.Struct, rename="kebab"):
    filename: object = None
    core_metadata: object = None


class _Page(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta)
    files: list[_Entry] = []


class LegacyFile(msgspec.Struct):
    """One file of the legacy JSON."""

    filename: str
    url: str | None = None
    size: int | None = None
    yanked: bool | None = None


class _Info(msgspec.Struct):
    version: str | None = None


class _Legacy(msgspec.Struct):
    info: _Info = msgspec.field(default_factory=_Info)
    last_serial: object = None
    releases: dict[str, list[LegacyFile]] = {}
    urls: list[LegacyFile] = []


class _Bundle(msgspec.Struct):
    publisher: dict[str, object] = {}


class _Provenance(msgspec.Struct):
    attestation_bundles: list[_Bundle] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What the JSON form of a project's page says and candidates do not keep.

    Attributes:
        serial: of the body; None if silent.
        metadata_sha256: digest of each wheel's metadata sidecar (PEP 714), by file name.
    """

    serial: int | None
    metadata_sha256: Mapping[str, str]


def page_facts(answer: Answer) -> PageFacts:
    """Read the rest of a page; nothing where it cannot be read (`parse_page` says why)."""
    if "json" in (answer.headers.get("content-type") or ""):
        page = _decoded(answer.body, _Page)
        if page is None:
            return PageFacts(serial=None, metadata_sha256={})
        return PageFacts(serial=_serial(page.meta.last_serial), metadata_sha256=_digests(page))
    comment = _COMMENT.search(answer.body[-_TAIL_BYTES:])
    return PageFacts(serial=int(comment[1]) if comment else None, metadata_sha256={})


def page_surface(name: str, encoding: str, answer: Answer, incident: Incident) -> Surface:
    """Read a simple page as a surface."""
    surface = _begun(name, "", encoding, answer)
    if surface.outcome is not PageOutcome.OBSERVED:
        return surface
    wanted = "json" if name.endswith("json") else "html"
    content_type = answer.headers.get("content-type")
    if wanted not in (content_type or ""):
        detail = f"it answers as {shown(content_type or 'nothing', 100)}"
        return replace(surface, outcome=PageOutcome.REFUSED, detail=detail)
    try:
        if answer.fault is not None:
            raise answer.fault
        page = parse_page(
            answer.body, url=answer.url, content_type=content_type, project=incident.project
        )
    except Malformed as error:
        return replace(surface, outcome=PageOutcome.MALFORMED, detail=str(error))
    broken = [c for c in page.candidates if _is_broken(c, incident)]
    fixed = any(incident.is_named_fixed(c.version) for c in page.candidates)
    facts = {"files": str(len(page.candidates))}
    if page.project_status:
        facts["project status"] = page.project_status
    return replace(
        surface,
        serials=_serials(answer, "meta" if wanted == "json" else "comment", page.serial),
        # What could not be read may be the file that we look for.
        lists_broken=True if broken else (False if page.complete else None),
        lists_fix=True if fixed else (False if page.complete else None),
        yanked=_yank({c.yanked for c in broken}),
        stripped=headers_stripped([answer.headers]),
        facts=facts,
    )


def read_legacy(
    subject: str, answer: Answer, incident: Incident
) -> tuple[Surface, tuple[LegacyFile, ...]]:
    """Read the legacy JSON of a project, or of one release.

    Args:
        subject: the version; "" for the project.
        answer: of the server.
        incident: what is looked for.

    Returns:
        The surface, and the broken files that it names.
    """
    surface = _begun("legacy-release" if subject else "legacy-project", subject, "", answer)
    if surface.outcome is not PageOutcome.OBSERVED:
        return surface, ()
    document = None if answer.fault else _decoded(answer.body, _Legacy)
    if document is None:
        problem = str(answer.fault or "the body is no legacy JSON")
        return replace(surface, outcome=PageOutcome.MALFORMED, detail=problem), ()
    releases = {subject: document.urls} if subject else document.releases
    broken = [f for v, files in releases.items() if incident.is_broken(v) for f in files]
    fixed = any(files and incident.is_named_fixed(v) for v, files in releases.items())
    # PEP-less as it is, this JSON may lose `releases` one day: then it is about one version only.
    whole = bool(subject or document.releases)
    serial = _serial(document.last_serial)
    about = {"about": shown(document.info.version, 100)} if document.info.version else {}
    surface = replace(
        surface,
        serials=_serials(answer, "last_serial", serial),
        lists_broken=_about(incident.is_broken(subject), subject, bool(broken), whole),
        lists_fix=_about(incident.is_named_fixed(subject), subject, fixed, whole),
        yanked=_yank({Yank.YES if f.yanked else Yank.NO for f in broken if f.yanked is not None}),
        facts={**about, "files": str(sum(map(len, releases.values())))},
    )
    return surface, tuple(broken)


def read_metadata(filename: str, expected: str | None, answer: Answer) -> Surface:
    """Check a metadata sidecar against the digest that the page states."""
    surface = _begun("metadata", filename, "", answer)
    if surface.outcome is not PageOutcome.OBSERVED:
        return surface
    found = hashlib.sha256(answer.body).hexdigest()
    facts = {"sha256": found, "expected": expected or "the page states none"}
    facts["agrees"] = "not known" if expected is None else "yes" if found == expected else "no"
    return replace(surface, facts=facts)


def read_provenance(filename: str, answer: Answer) -> Surface:
    """Read who published a file, by its attestations (PEP 740). Nothing is verified here."""
    surface = _begun("provenance", filename, "", answer)
    if surface.outcome is not PageOutcome.OBSERVED:
        return surface
    document = None if answer.fault else _decoded(answer.body, _Provenance)
    if document is None:
        problem = str(answer.fault or "the body is no provenance (PEP 740)")
        return replace(surface, outcome=PageOutcome.MALFORMED, detail=problem)
    bundles = document.attestation_bundles
    publishers = dict.fromkeys(_publisher(b.publisher) for b in bundles[:_MAX_BUNDLES])
    facts = {"bundles": str(len(bundles)), "publisher": "; ".join(publishers) or "none"}
    return replace(surface, facts=facts)


def _begun(name: str, subject: str, encoding: str, answer: Answer) -> Surface:
    outcome = outcome_of_status(answer.status)
    return Surface(
        name=name,
        subject=subject,
        encoding=encoding,
        outcome=outcome,
        detail="" if outcome is PageOutcome.OBSERVED else f"answers {answer.status}",
        status=answer.status,
        url=answer.asked_url,
    )


def _about(is_subject: bool, subject: str, found: bool, whole: bool) -> bool | None:
    """Say whether something is listed; None where the surface is about something else."""
    if subject and not is_subject:
        return None
    return True if found else (False if whole else None)


def _serials(answer: Answer, place: str, serial: int | None) -> dict[str, int]:
    stated = {place: serial, "header": serial_of(answer.headers)}
    return {where: number for where, number in stated.items() if number is not None}


def _yank(marks: Iterable[Yank]) -> Yank:
    found = set(marks)
    return found.pop() if len(found) == 1 else Yank.UNKNOWN


def _is_broken(candidate: Candidate, incident: Incident) -> bool:
    digest = candidate.hashes.get("sha256")
    return incident.is_broken(candidate.version) or digest in incident.broken_sha256


def _serial(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if usable and isinstance(value, int) else None


def _digests(page: _Page) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in page.files:
        stated = entry.core_metadata
        digest = stated.get("sha256") if isinstance(stated, dict) else None
        if isinstance(entry.filename, str) and isinstance(digest, str):
            found[entry.filename] = digest.lower()
    return found


def _publisher(publisher: Mapping[str, object]) -> str:
    named = (publisher.get(key) for key in ("kind", "repository", "workflow", "email"))
    return shown(" ".join(str(value) for value in named if isinstance(value, str)), 200)


def _decoded(body: bytes, wanted: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(body, type=wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
