"""How one location is reached: its login, its proxies, and what of these must stay secret."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module

from auditor.contracts import Assignment, Credentials
from auditor.model import Location
from probes.kit.access import Access, Logins
from probes.kit.proxies import Environment, Proxies, proxy_secrets, with_login
from probes.kit.redaction import Redactor

__all__ = ["WayIn", "prepare", "way_into"]


@dataclass(frozen=True, slots=True, repr=False)
class WayIn:
    """What every session with one location needs, looked up once for all of them.

    Attributes:
        via: the forward proxy that the location names, with its login; None: none.
        access: the credentials, bound to their origin.
        proxies: through which each request goes.
        secrets: what must never be written anywhere.
    """

    via: str | None
    access: Access
    proxies: Proxies
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return "WayIn(…)"

    def redactor(self, public: str) -> Redactor:
        """Return what hides the secrets.

        A password such as `root` or `test` that is part of the URL or of a name is no secret that
        could be hidden; hiding it would only garble file names and addresses.

        Args:
            public: names and addresses that everybody may read.
        """
        return Redactor(secret for secret in self.secrets if secret not in public)


def way_into(assignment: Assignment) -> WayIn:
    """Look up how an assignment's location is reached; an audit looks once for each location.

    Raises:
        ProbeError: its URL cannot be used.
    """
    shared = assignment.shared
    if shared is None:
        return _look_up(assignment, Environment.as_it_is(), Logins.as_they_are())
    environment = shared.one(Environment.as_it_is, "environment")
    logins = shared.one(Logins.as_they_are, "logins")
    make = partial(_look_up, assignment, environment, logins)
    return shared.one(make, "way in", assignment.location.name)


def _look_up(assignment: Assignment, environment: Environment, logins: Logins) -> WayIn:
    location, credentials = assignment.location, assignment.credentials
    via = location.settings.get("via")
    named = with_login(str(via), credentials.proxy_username, credentials.proxy_password)
    own = named if via else None
    access = Access.to(location.url, credentials, logins)
    secrets = (*access.secrets(), *proxy_secrets(own, environment))
    return WayIn(own, access, Proxies(own, environment), secrets)


def prepare(location: Location, credentials: Credentials) -> None:
    """Import what sending takes, and load the certificates that will be trusted, if any.

    Raises:
        ProbeError: the URL or a certificate file cannot be used.
    """
    if location.url is not None and location.url.lower().startswith("http"):
        import_module("probes.kit.transport")
        Access.to(location.url, credentials, Logins(())).tls(location.url)
