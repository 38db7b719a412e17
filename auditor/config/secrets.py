"""Fetches credentials from where the configuration says they are. Nothing here prints one."""

from __future__ import annotations

import importlib
import netrc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import urlsplit

from auditor.config.addresses import Address, absolute_path
from auditor.config.schema import LocationTable
from auditor.config.values import SecretReference
from auditor.contracts import Credentials

__all__ = ["Fetcher", "SecretError", "credentials_of"]

# A token of 64 KiB is longer than any header that a server accepts.
_MAX_SECRET_BYTES = 65536

Report = Callable[[str, str], None]


class SecretError(ValueError):
    """A secret cannot be had; the text says why and never what it is."""


class _NoEntry(SecretError):
    """The keyring works, and knows nothing of this service."""


class _Credential(Protocol):
    username: str
    password: str


class _Keyring(Protocol):
    def get_credential(self, service: str, username: str | None) -> _Credential | None: ...


class Fetcher:
    """Resolves references to secrets.

    Args:
        environ: the environment.
        directory: what relative paths are relative to; None: the working directory.
    """

    def __init__(self, environ: Mapping[str, str], directory: Path | None) -> None:
        self._environ = environ
        self.directory = directory

    def fetch(self, reference: SecretReference, username: str | None = None) -> str:
        """Return the secret. Raises SecretError."""
        match reference.source:
            case "literal":
                return reference.value
            case "env":
                return self._from_environment(reference.value)
            case "file":
                return self._from_file(reference.value)
            case "keyring":
                return self.from_keyring(reference.value, username)[1]

    def from_netrc(self, file: bool | str, host: str) -> tuple[str, str]:
        """Return username and password for a host. Raises SecretError."""
        default = self._environ.get("NETRC", str(Path.home() / ".netrc"))
        path = default if file is True else absolute_path(str(file), self.directory)
        try:
            found = netrc.netrc(path).authenticators(host)
        except OSError as error:
            raise SecretError(f"{path} cannot be read: {error.strerror}; create it") from error
        except netrc.NetrcParseError as error:
            # its message may repeat a part of a password
            raise SecretError(f"{path}:{error.lineno}: is no netrc entry; correct it") from error
        if found is None:
            raise SecretError(f"{path} has no entry for {host}; add `machine {host} …`")
        return found[0], found[2] or ""

    def from_keyring(self, service: str, username: str | None) -> tuple[str, str]:
        """Return username and password that the system's keyring has. Raises SecretError."""
        try:
            keyring = cast("_Keyring", importlib.import_module("keyring"))
        except ImportError as error:
            raise SecretError(
                "the package keyring is not installed; run `pip install keyring`"
            ) from error
        try:
            found = keyring.get_credential(service, username)
        except Exception as error:  # each keyring backend has errors of its own
            raise SecretError(
                f"the keyring failed ({type(error).__name__}); unlock it, or use env"
            ) from error
        if found is None:
            raise _NoEntry(f"the keyring has no entry for {service!r}; add it with `keyring set`")
        return found.username, found.password

    def from_keyring_of_pip(self, url: str, username: str | None) -> tuple[str, str]:
        """Look up the address and then the host alone, as pip does. Raises SecretError."""
        try:
            return self.from_keyring(url, username)
        except _NoEntry:
            return self.from_keyring(urlsplit(url).netloc, username)

    def _from_environment(self, name: str) -> str:
        value = self._environ.get(name)
        if not value:
            state = "is empty" if name in self._environ else "is not set"
            raise SecretError(f"the environment variable {name} {state}; export {name}=…")
        return value

    def _from_file(self, name: str) -> str:
        path = Path(absolute_path(name, self.directory))
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_SECRET_BYTES)
        except OSError as error:
            raise SecretError(f"{path} cannot be read: {error.strerror}; create it") from error
        text = content.decode("utf-8", errors="replace").strip()
        if not text:
            raise SecretError(f"{path} is empty; put the secret into it")
        return text


def credentials_of(
    table: LocationTable, address: Address, fetcher: Fetcher, report: Report
) -> Credentials:
    """Collect how to get into one location.

    Keys win over what stands in the URL, that over netrc, and that over the keyring.

    Args:
        report: is told the key and the text of what cannot be had.
    """

    def one(key: str, username: str | None = None) -> str | None:
        reference: SecretReference | None = getattr(table, key)
        try:
            return fetcher.fetch(reference, username) if reference else None
        except SecretError as error:
            report(key, str(error))
            return None

    username = one("username") or address.username
    password = one("password", username) or address.password
    if table.netrc or table.keyring:
        username, password = _looked_up(table, address, fetcher, report, (username, password))
    return Credentials(
        username=username,
        password=password,
        token=one("token"),
        ca_file=_absolute(table.ca_file, fetcher),
        client_cert=_absolute(table.client_cert, fetcher),
        client_key=_absolute(table.client_key, fetcher),
        insecure=table.insecure,
    )


def _looked_up(
    table: LocationTable,
    address: Address,
    fetcher: Fetcher,
    report: Report,
    known: tuple[str | None, str | None],
) -> tuple[str | None, str | None]:
    """Ask netrc and the keyring for what is not known yet."""
    username, password = known
    if password is not None:
        return known
    key = "netrc" if table.netrc else "keyring"
    host = urlsplit(address.url or table.endpoint_url or "").hostname
    if host is None and getattr(table, key) is True:
        report(key, "needs a host to look up; add url")
        return known
    try:
        if table.netrc:
            return fetcher.from_netrc(table.netrc, host or "")
        if table.keyring is True:
            return fetcher.from_keyring_of_pip(str(address.url or table.endpoint_url), username)
        return fetcher.from_keyring(str(table.keyring), username)
    except SecretError as error:
        report(key, str(error))
        return known


def _absolute(text: str | None, fetcher: Fetcher) -> str | None:
    return None if text is None else absolute_path(text, fetcher.directory)
