"""Pages as PyPI writes them: pure functions from a project's state to text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape

from packaging.version import Version

from auditor.lab.artifacts import Artifact
from auditor.lab.catalogue import ProjectState, ProjectStatus, PublishedFile
from auditor.lab.negotiation import PageFormat

__all__ = ["UrlOf", "legacy_page", "project_page", "root_page"]

# PEP 691 and PEP 629; 1.4 is PEP 792, the newest that PyPI serves.
API_VERSION = "1.4"

UrlOf = Callable[[Artifact], str]


def project_page(state: ProjectState, form: PageFormat, url_of: UrlOf) -> str:
    """Write the simple page of one project."""
    return _project_json(state, url_of) if form.is_json else _project_html(state, url_of)


def root_page(states: Iterable[ProjectState], serial: int | None, form: PageFormat) -> str:
    """Write the list of projects; quarantined ones are not on it (PEP 792)."""
    shown = sorted(
        (s for s in states if s.status is not ProjectStatus.QUARANTINED), key=lambda s: s.name
    )
    if form.is_json:
        projects = [{**_serial(s.serial), "name": s.name} for s in shown]
        return json.dumps({"meta": _meta(serial), "projects": projects})
    links = [f'    <a href="/simple/{s.name}/">{s.name}</a><br />' for s in shown]
    return _html("Simple index", [], links, serial)


def _meta(serial: int | None) -> dict[str, object]:
    return {**_serial(serial), "api-version": API_VERSION}


def _serial(serial: int | None) -> dict[str, object]:
    return {} if serial is None else {"_last-serial": serial}


def _project_json(state: ProjectState, url_of: UrlOf) -> str:
    # The key order is alphabetical, as on PyPI.
    return json.dumps(
        {
            "alternate-locations": [],
            "files": [_file_json(file, url_of) for file in state.listed],
            "meta": _meta(state.serial),
            "name": state.name,
            "project-status": {"status": state.status.value},
            "versions": list(state.versions),
        }
    )


def _file_json(file: PublishedFile, url_of: UrlOf) -> dict[str, object]:
    artifact = file.artifact
    sidecar = {"sha256": artifact.metadata_sha256} if artifact.has_sidecar else False
    return {
        "core-metadata": sidecar,
        "data-dist-info-metadata": sidecar,  # the name before PEP 714; PyPI still sends both
        "filename": artifact.filename,
        "hashes": {"sha256": artifact.sha256},
        "provenance": None,
        "requires-python": artifact.requires_python,
        "size": artifact.size,
        "upload-time": _time(file.uploaded_at),
        "url": url_of(artifact),
        "yanked": file.yank_value,
    }


def _project_html(state: ProjectState, url_of: UrlOf) -> str:
    meta = [f'    <meta name="pypi:project-status" content="{state.status.value}">']
    anchors = [_anchor(file, url_of) for file in state.listed]
    return _html(f"Links for {state.name}", meta, anchors, state.serial)


def _html(title: str, meta: list[str], body: list[str], serial: int | None) -> str:
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "  <head>",
        f'    <meta name="pypi:repository-version" content="{API_VERSION}">',
        *meta,
        f"    <title>{escape(title)}</title>",
        "  </head>",
        "  <body>",
        f"    <h1>{escape(title)}</h1>",
        *body,
        "  </body>",
        "</html>",
        *([] if serial is None else [f"<!--SERIAL {serial}-->"]),
        "",
    ]
    return "\n".join(lines)


def _anchor(file: PublishedFile, url_of: UrlOf) -> str:
    artifact = file.artifact
    attributes = {"href": f"{url_of(artifact)}#sha256={artifact.sha256}"}
    if artifact.requires_python:
        attributes["data-requires-python"] = artifact.requires_python
    if file.yanked:
        attributes["data-yanked"] = file.yank_reason
    if artifact.has_sidecar:
        sidecar = f"sha256={artifact.metadata_sha256}"
        attributes["data-dist-info-metadata"] = attributes["data-core-metadata"] = sidecar
    text = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"    <a {text}>{escape(artifact.filename)}</a><br />"


def legacy_page(state: ProjectState, version: str | None, url_of: UrlOf) -> str | None:
    """Write the legacy JSON of a project, or of one version; None if there is no such version.

    Args:
        state: the project.
        version: as in the URL; None for the page of the project.
        url_of: where a file is offered.
    """
    about = version or _newest(state)
    if about is None or about not in state.versions:
        return None
    page: dict[str, object] = {
        "info": _info(state, about),
        "last_serial": state.serial,
        "urls": _legacy_files(state, about, url_of),
        "vulnerabilities": [],
    }
    if version is None:
        page["releases"] = {v: _legacy_files(state, v, url_of) for v in state.versions}
    return json.dumps(page)


def _newest(state: ProjectState) -> str | None:
    """The version that PyPI's own page of a project is about: yanked and pre-releases come last."""
    yanked = {f.artifact.version for f in state.listed if f.yanked}
    ranked = sorted(
        state.versions, key=lambda v: (v not in yanked, not Version(v).is_prerelease, Version(v))
    )
    return ranked[-1] if ranked else None


def _info(state: ProjectState, version: str) -> dict[str, object]:
    first = next(f for f in state.listed if f.artifact.version == version)
    return {
        "name": state.name,
        "requires_python": first.artifact.requires_python,
        "summary": f"{state.name} of the embedded world",
        "version": version,
        "yanked": first.yanked,
        "yanked_reason": first.yank_reason or None,
    }


def _legacy_files(state: ProjectState, version: str, url_of: UrlOf) -> list[dict[str, object]]:
    return [_legacy_file(f, url_of) for f in state.listed if f.artifact.version == version]


def _legacy_file(file: PublishedFile, url_of: UrlOf) -> dict[str, object]:
    artifact = file.artifact
    return {
        "digests": {
            "blake2b_256": artifact.blake2b_256,
            "md5": artifact.md5,
            "sha256": artifact.sha256,
        },
        "filename": artifact.filename,
        "md5_digest": artifact.md5,
        "packagetype": artifact.type.value,
        "python_version": artifact.python_tag,
        "requires_python": artifact.requires_python,
        "size": artifact.size,
        "upload_time": file.uploaded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "upload_time_iso_8601": _time(file.uploaded_at),
        "url": url_of(artifact),
        "yanked": file.yanked,
        "yanked_reason": file.yank_reason or None,
    }


def _time(moment: datetime) -> str:
    """A time as PEP 700 wants it: UTC, ending in Z, with microseconds as PyPI writes them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
