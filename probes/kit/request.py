"""One request, as a probe declares it to the guarded session."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model import Touch

__all__ = ["Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a probe declares it.

    Attributes:
        method, url, headers: as they shall be sent; credentials are added by the session.
        touch: what it may do to the world, on this very server.
        artifact: whether the URL is that of a file to install.
        artifact_broken: whether that file is a broken one.
        prefix_bytes: how much of the body is wanted; None: all of it.
        redirects: whether redirects are followed.
        again: whether it is sent again if the server is busy or fails.
        address: the one to connect to, of those that the URL's name stands for; None: any.
    """

    method: str = "GET"
    url: str
    headers: tuple[tuple[str, str], ...]
    touch: Touch
    artifact: bool = False
    artifact_broken: bool = False
    prefix_bytes: int | None = None
    redirects: bool = True
    again: bool = True
    address: str | None = None
