"""How to get in: who sees the credentials, and which certificates are trusted."""

from __future__ import annotations

import base64
import netrc
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from auditor.contracts import Credentials
from auditor.errors import ProbeError
from probes.kit.origins import Origin, origin_of

__all__ = ["Access", "Logins"]


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """The credentials of one location, bound to its origin.

    Attributes:
        origin: the only one that gets to see them; None if the location has no URL.
        credentials: as configured.
        login: user and password from netrc, used where none are configured.
    """

    origin: Origin | None
    credentials: Credentials
    login: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return "Access(…)"

    @classmethod
    def to(cls, url: str | None, credentials: Credentials, logins: Logins | None = None) -> Access:
        """Bind credentials to the origin of a location's URL.

        Args:
            url: None if it has none.
            credentials: as configured.
            logins: netrc, as it was read before; None: it is read.
        """
        origin = origin_of(url) if url else None
        configured = credentials.username is not None or credentials.token is not None
        login = None
        if not configured and origin is not None:
            login = (logins or Logins.as_they_are()).to(origin.host)
        return cls(origin, credentials, login)

    def authorization(self, url: str) -> str | None:
        """Return the Authorization header for a URL; None where credentials must not go."""
        if self.origin is None or origin_of(url) != self.origin:
            return None
        if self.credentials.token is not None:
            return f"Bearer {self.credentials.token}"
        if self.credentials.username is not None:
            return _basic(self.credentials.username, self.credentials.password or "")
        return _basic(*self.login) if self.login else None

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be written anywhere."""
        secrets = [*self.credentials.secrets()]
        if self.credentials.username is not None:
            pair = f"{self.credentials.username}:{self.credentials.password or ''}"
            secrets.append(pair)
            # Many registries take a token as user name, with an empty password.
            if not self.credentials.password:
                secrets.append(self.credentials.username)
        if self.login:
            secrets += [self.login[1], ":".join(self.login)]
        return tuple(secrets)

    def tls(self, url: str) -> ssl.SSLContext | None:
        """Return the TLS settings for a URL; None if it is not encrypted.

        The client certificate and `insecure` are for the location's own origin only: a redirect
        must lead neither to our identity nor to an unverified stranger.

        Raises:
            ProbeError: a certificate file cannot be read.
        """
        origin = origin_of(url)
        if origin.scheme != "https":
            return None
        own = origin == self.origin
        return _tls_context(
            self.credentials.ca_file,
            None if self.credentials.ca_file else _bundle_of_the_environment(),
            self.credentials.client_cert if own else None,
            self.credentials.client_key if own else None,
            own and self.credentials.insecure,
        )


def _basic(username: str, password: str) -> str:
    raw = f"{username}:{password}".encode()
    return f"Basic {base64.b64encode(raw).decode('ascii')}"


@dataclass(frozen=True, slots=True, repr=False)
class Logins:
    """What this user's netrc says, looked up as pip does."""

    files: tuple[netrc.netrc, ...]

    def __repr__(self) -> str:
        return "Logins(…)"

    @classmethod
    def as_they_are(cls) -> Logins:
        """Read it. A file that cannot be read has no logins."""
        named = os.environ.get("NETRC")
        paths = [Path(named)] if named else [Path("~/.netrc"), Path("~/_netrc")]
        files: list[netrc.netrc] = []
        for path in paths:
            with suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError, RuntimeError):
                files.append(netrc.netrc(str(path.expanduser())))
        return cls(tuple(files))

    def to(self, host: str) -> tuple[str, str] | None:
        """Return user and password for a host; None if there are none."""
        found = (file.authenticators(host) for file in self.files)
        login = next((each for each in found if each is not None), None)
        return None if login is None else (login[0] or "", login[2] or "")


# As pip treats them: `PIP_CERT` is its own option, the other two are read by requests within it.
# `SSL_CERT_FILE` and `SSL_CERT_DIR` are read by OpenSSL below truststore, and need nothing here.
_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def _bundle_of_the_environment() -> str | None:
    return next((path for name in _BUNDLE_VARIABLES if (path := os.environ.get(name))), None)


@lru_cache(maxsize=64)
def _tls_context(
    ca_file: str | None,
    bundle: str | None,
    client_cert: str | None,
    client_key: str | None,
    insecure: bool,
) -> ssl.SSLContext:
    """Make TLS settings. Loading the system's certificates takes long, so they are made once."""
    try:
        context = _trusting(ca_file, bundle)
        if client_cert is not None:
            context.load_cert_chain(client_cert, client_key, _no_passphrase)
    except (OSError, ssl.SSLError) as error:
        raise ProbeError(
            f"a certificate file cannot be used: {error.strerror or type(error).__name__}; "
            f"check ca_file, client_cert, client_key and {', '.join(_BUNDLE_VARIABLES)}"
        ) from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_passphrase() -> str:
    """Refuse: OpenSSL would ask for it at the terminal, and wait for a person who may not be there.

    https://docs.python.org/3/library/ssl.html#ssl.SSLContext.load_cert_chain
    """
    raise ProbeError(
        "the client's key is protected by a passphrase, which nobody is asked for; name a "
        "client_key without one, such as `openssl pkey -in KEY -out PLAIN_KEY` writes"
    )


def _trusting(ca_file: str | None, bundle: str | None) -> ssl.SSLContext:
    """Trust one authority's file alone, or the system's store and, as pip does, a bundle beside."""
    if ca_file is not None:
        return ssl.create_default_context(cafile=ca_file)
    # The system's trust store, as pip uses it, so that a company's own authority is known.
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if bundle is not None:
        is_directory = Path(bundle).is_dir()
        context.load_verify_locations(**{"capath" if is_directory else "cafile": bundle})
    return context
