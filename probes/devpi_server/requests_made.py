"""Which requests devpi-client may make here, and what each of them may do."""

from __future__ import annotations

from urllib.parse import urlsplit

from auditor.errors import GuardRefused
from auditor.model import Touch
from probes.devpi_server.address import DevpiAddress, is_index_name
from probes.kit.origins import is_artifact_url, origin_of

__all__ = ["declared_touch"]


def declared_touch(method: str, url: str, address: DevpiAddress) -> Touch:
    """Return what a request of devpi-client may do to the world; a closed list.

    Status, API and settings are read from devpi's own database. A login makes a signed token and
    stores nothing. The links of a project can make a mirror re-read its upstream's page.

    Raises:
        GuardRefused: it is none of the requests that this probe makes.
    """
    if origin_of(url) != origin_of(address.root):
        raise GuardRefused("devpi-client was led to another server, which was not asked")
    if is_artifact_url(url):
        raise GuardRefused("devpi-client wanted a file, which a mirror would store")
    if method == "POST" and url == address.login_url:
        return Touch.INERT
    if method == "GET":
        touch = _of_get(url, address)
        if touch is not None:
            return touch
    raise GuardRefused(f"devpi-client wanted to send a {method[:10]} that no audit makes")


def _of_get(url: str, address: DevpiAddress) -> Touch | None:
    if url == address.status_url:
        return Touch.INERT
    if not url.startswith(f"{address.root}/"):
        return None
    parts = urlsplit(url[len(address.root) :])
    segments = parts.path.strip("/").split("/")
    if not is_index_name("/".join(segments[:2])):
        return None
    asked = segments[2:]
    if asked == ["+api"] or (not asked and parts.query.startswith("no_projects")):
        return Touch.INERT
    if len(asked) == 1 and not asked[0].startswith("+"):
        return Touch.REFRESHES_INDEX
    return None
