"""Where to look if nobody says where: PyPI as pip is configured here, and this user's caches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from auditor.config.document import Document
from auditor.config.pip_settings import PipSettings
from auditor.contracts import ProbeKind
from auditor.model.written_path import written_path

__all__ = ["PIP_ORIGIN", "add_default_locations", "client_caches", "is_trusted", "uv_cache"]

# How the origin of everything begins that pip's configuration says.
PIP_ORIGIN = "pip's configuration"

Element = dict[str, object]


def add_default_locations(
    document: Document, pip: PipSettings, kinds: Mapping[str, ProbeKind], environ: Mapping[str, str]
) -> tuple[Document, tuple[str, ...]]:
    """Return the document with the default locations, and notes on what is not looked at."""
    for origin, element in _indexes(pip):
        document = document.with_element("locations", element, origin)
    notes: list[str] = []
    for kind, program, path in client_caches(pip, environ):
        if kind in kinds:
            element = {"name": kind, "kind": kind, "path": path, "required": False}
            document = document.with_element("locations", element, f"{program}'s cache")
        else:
            notes.append(
                f"not looked at: this user's {program} cache "
                f"(no probe of kind {kind} in this version)"
            )
    return document, tuple(notes)


def _indexes(pip: PipSettings) -> Iterator[tuple[str, Element]]:
    if pip.index_url is not None:
        yield (
            f"{PIP_ORIGIN} (index-url)",
            {"name": "pypi", "kind": "pypi", "url": pip.index_url, **_access(pip, pip.index_url)},
        )
    for number, url in enumerate(pip.extra_index_urls, start=1):
        named: Element = {"name": f"extra-index-{number}", "kind": "simple", "required": False}
        yield f"{PIP_ORIGIN} (extra-index-url)", {**named, "url": url, **_access(pip, url)}
    for number, place in enumerate(pip.find_links, start=1):
        named = {"name": f"find-links-{number}", "kind": "wheelhouse", "required": False}
        yield f"{PIP_ORIGIN} (find-links)", {**named, **_place(pip, place)}


def _place(pip: PipSettings, place: str) -> Element:
    if "://" in place:
        return {"url": place, **_access(pip, place)}
    # pip takes a path that does not begin with "/" from where it runs
    return {"path": str(written_path(place).absolute())}


def _access(pip: PipSettings, url: str) -> Element:
    """pip's settings on how to reach a host."""
    access: Element = {
        "ca_file": pip.cert,
        "client_cert": pip.client_cert,
        "via": pip.proxy,
        "insecure": is_trusted(pip, url) or None,
    }
    return {key: value for key, value in access.items() if value is not None}


def is_trusted(pip: PipSettings, url: str) -> bool:
    """Say whether pip does not verify the certificate of a host."""
    try:
        parts = urlsplit(url)
        names = {parts.hostname, f"{parts.hostname}:{parts.port}"}
    except ValueError:
        return False
    return any(host in names for host in pip.trusted_hosts)


def client_caches(pip: PipSettings, environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name the caches of this user's installers: kind, program, path."""
    import platformdirs  # here, as most audits name their locations

    yield "pip-cache", "pip", pip.cache_dir or platformdirs.user_cache_dir("pip", appauthor=False)
    yield "uv-cache", "uv", environ.get("UV_CACHE_DIR") or uv_cache(environ)


def uv_cache(environ: Mapping[str, str]) -> str:
    """Return the directory of uv's cache, as an unconfigured uv chooses it."""
    # https://docs.astral.sh/uv/reference/storage/: XDG also on macOS, unlike platformdirs
    if os.name == "nt":
        import platformdirs

        return str(Path(platformdirs.user_data_dir(appauthor=False)) / "uv" / "cache")
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(base) / "uv")
