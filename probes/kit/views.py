"""The client classes, with the literal headers that each sends for an index page.

Caches that honour `Vary: Accept` compare the header as text: the same types without the spaces are
another variant. A page fetched with headers of our own would be a copy that no installer ever gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from auditor.model import View

__all__ = ["ARTIFACT_HEADERS", "CLIENTS", "ClientHeaders", "artifact_headers", "page_headers"]

Header = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHeaders:
    """What one client class sends.

    Attributes:
        accept, accept_encoding: to the letter.
        product: how its User-Agent begins.
    """

    accept: str
    accept_encoding: str
    product: str


# Captured from real clients on loopback: pip 26.3 (the same since 22.2), uv 0.13.9, Poetry 2.5.1.
# pip before 22.2 knew no JSON pages (PEP 691) and asked for HTML alone; 22.1.2 was the last one.
#
# pip before 26.2 also sent `Cache-Control: max-age=0` with index pages. We never do: squid and
# Apache answer it by going upstream, so that looking would change what the next client gets.
# Without it we see what pip from 26.2 on, uv and Poetry see, which is the older page if any.
CLIENTS: Mapping[View, ClientHeaders] = MappingProxyType(
    {
        View.PIP: ClientHeaders(
            accept=(
                "application/vnd.pypi.simple.v1+json, "
                "application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
            ),
            accept_encoding="gzip, deflate",
            product="pip/26.3",
        ),
        View.PIP_HTML: ClientHeaders(
            accept="text/html", accept_encoding="gzip, deflate", product="pip/22.1.2"
        ),
        View.UV: ClientHeaders(
            accept=(
                "application/vnd.pypi.simple.v1+json, "
                "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
            ),
            accept_encoding="gzip, deflate, zstd",
            product="uv/0.13.9",
        ),
        View.POETRY: ClientHeaders(
            accept="application/vnd.pypi.simple.v1+json, */*;q=0.1",
            accept_encoding="gzip, deflate, zstd",
            product="poetry/2.5.1",
        ),
    }
)

# What pip sends for a file.
ARTIFACT_HEADERS = (("Accept", "*/*"), ("Accept-Encoding", "identity"))


def page_headers(view: View, user_agent_suffix: str) -> tuple[Header, ...]:
    """Return the headers of one client class for an index page.

    The User-Agent begins as the client's does, because servers such as devpi answer installers
    and browsers differently, and ends with our own name and contact, because operators must be
    able to tell an audit from a user. (Real pip and uv append a description of the machine, so
    that a cache that varies by the whole User-Agent has one variant per user anyway.)
    """
    client = CLIENTS[view]
    return (
        ("User-Agent", f"{client.product} {user_agent_suffix}".rstrip()),
        ("Accept", client.accept),
        ("Accept-Encoding", client.accept_encoding),
    )


def artifact_headers(user_agent_suffix: str) -> tuple[Header, ...]:
    """Return the headers of pip for a file."""
    agent = f"{CLIENTS[View.PIP].product} {user_agent_suffix}".rstrip()
    return (("User-Agent", agent), *ARTIFACT_HEADERS)
