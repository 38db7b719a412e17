"""Kind `image`: container images on disk, layer by layer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.errors import ProbeError
from auditor.model import (
    HeldState,
    Holding,
    Incident,
    Integrity,
    Observation,
    Outcome,
    Pin,
    PinState,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from probes.kit.answer import shown
from probes.kit.conclusion import conclude
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder

if TYPE_CHECKING:
    from probes.images.layers import Seen
    from probes.images.opening import Image

__all__ = ["KIND"]

_MAX_NOTES = 50


@dataclass
class _Reading:
    """What came of one path: its images, or why there are none."""

    images: list[Image] = field(default_factory=list)
    outcome: Outcome = Outcome.OBSERVED
    problem: str = ""


async def observe(assignment: Assignment) -> Observation:
    """Read every image at the path, and tell what can be seen in it and what is hidden."""
    started_at, path = assignment.now(), assignment.location.path
    if path is None:
        detail = "path is not given; name an OCI layout, or a file that `docker save` wrote"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    incident = assignment.incident
    reading = await in_thread(lambda stop: _read(local_path(path), incident, stop))
    recorder = EvidenceRecorder()
    pins, holdings = _told(local_path(path), reading.images, recorder)
    unread = [text for image in reading.images for text in image.unread]
    outcome, detail = reading.outcome, reading.problem
    if outcome is Outcome.OBSERVED and not holdings and not unread:
        outcome, detail = Outcome.ABSENT, "the project is in no layer"
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pins=pins,
        holdings=holdings,
        holdings_complete=not unread if reading.images else None,
        evidence=recorder.all(),
        notes=unread[:_MAX_NOTES],
    )


def _read(path: Path, incident: Incident, stop: threading.Event) -> _Reading:
    from probes.images.opening import read_images

    try:
        return _Reading(read_images(path, incident, stop))
    except FileNotFoundError:
        return _Reading(outcome=Outcome.UNREACHABLE, problem=f"{path} does not exist")
    except PermissionError:
        problem = f"{path} may not be read by this user; run the audit as its owner"
        return _Reading(outcome=Outcome.DENIED, problem=problem)
    except (ProbeError, OSError, MemoryError) as error:
        return _Reading(outcome=Outcome.MALFORMED, problem=f"{path}: {error}")


def _told(
    path: Path, images: Sequence[Image], recorder: EvidenceRecorder
) -> tuple[list[Pin], list[Holding]]:
    from probes.archives.found import FoundKind

    pins: list[Pin] = []
    holdings: list[Holding] = []
    for image, seen in _everything(images):
        found = seen.found
        place = f"{shown(image.name, 100)}, layer {seen.layer}: {shown(found.path, 300)}"
        facts = {"layer": str(seen.layer), "version": found.version or "not stated"}
        if seen.hidden_by:
            facts["hidden by layer"] = str(seen.hidden_by)
        digest = f"sha256:{found.sha256}" if found.sha256 else None
        evidence = recorder.of_disk(path, {**facts, "member": place}, digest=digest)
        holdings.append(_holding(seen, place, evidence))
        if found.kind is FoundKind.INSTALLED:
            pins.append(
                Pin(
                    where=place,
                    state=PinState.SHADOWED if seen.hidden_by else PinState.INSTALLED,
                    version=found.version,
                    integrity=Integrity.STATED,
                    how=_how(seen),
                    evidence=(evidence,),
                )
            )
    return pins, holdings


def _everything(images: Sequence[Image]) -> Iterable[tuple[Image, Seen]]:
    from probes.images.layers import stacked

    for image in images:
        for seen in stacked(image.layers):
            yield image, seen


def _holding(seen: Seen, place: str, evidence: str) -> Holding:
    found = seen.found
    return Holding(
        filename=shown(found.filename, 300),
        version=found.version,
        sha256=found.sha256,
        size=found.size,
        intact=found.intact,
        state=HeldState.SHADOWED if seen.hidden_by else HeldState.HELD,
        how=f"{_how(seen)} ({place})",
        evidence=(evidence,),
    )


def _how(seen: Seen) -> str:
    if seen.hidden_by is None:
        return seen.found.how
    return f"still in layer {seen.layer}, hidden by layer {seen.hidden_by}; {seen.found.how}"


def recognises(met: Met) -> bool:
    """An OCI layout, or a tar file that begins as one does."""
    from probes.archives.nesting import is_archive_name
    from probes.images.opening import is_saved_image

    if met.names is None:
        return is_archive_name(met.path.name) and is_saved_image(met.path)
    return "oci-layout" in met.names or {"index.json", "blobs"} <= met.names


KIND = ProbeKind(
    name="image",
    summary="a container image: an OCI layout, or a file that `docker save` wrote",
    role=Role.PIN,
    settings=(
        Setting(key="path", required=True, meaning="the layout's directory, or the tar file"),
    ),
    observe=observe,
    syncs=False,
    recognises=recognises,
    touches=(
        TouchNote(
            request="read of the image's documents and layers as streams",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is unpacked or run, no registry is asked",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="docker build --no-cache --pull -t IMAGE:NEWTAG .",
            effect="builds it anew with what the index gives now",
            caution="audit the index first; a base image that contains the broken release brings "
            "it back; what runs already goes on running it",
            statuses=(Status.PINNED,),
        ),
        RemedyTemplate(
            command="docker build --no-cache --squash -t IMAGE:NEWTAG .",
            effect="leaves the hidden layers out, so that nobody can extract the broken bytes",
            caution="needs a builder that can squash, or a multi-stage build that copies only "
            "what is installed at the end",
            statuses=(Status.LATENT,),
            states=(HeldState.SHADOWED,),
        ),
        RemedyTemplate(
            command="# take the COPY or ADD of {file} out of the build, or name the file in "
            ".dockerignore; then build the image anew",
            effect="an image without the file",
            caution="a RUN rm in a later layer only hides it",
            statuses=(Status.LATENT,),
            states=(HeldState.HELD,),
        ),
    ),
    verified="umoci 0.4.7; skopeo 1.9.3 (OCI and docker archives)",
    unverified=(
        "images that Docker, Podman or BuildKit wrote themselves",
        "its remedies: no test has a Docker that builds",
    ),
)
