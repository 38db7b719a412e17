"""What a reader returns: a place with where it was found, or a note on what it could not use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from auditor.config.addresses import parse_url
from auditor.config.values import parse_name
from auditor.model.written_path import written_path

__all__ = ["Found", "Login", "Machine", "Note", "cache_at", "find_links_at", "index_at"]

# Servers that show in their addresses. A wrong guess is one word for the user to change.
_KINDS = (
    ("devpi", re.compile(r"/\+simple/?$")),
    ("nexus", re.compile(r"/repository/[^/]+/simple/?$")),
    ("artifactory", re.compile(r"/api/pypi/[^/]+/simple/?$")),
)
# PDM and pip's requirements files let a variable stand in an address.
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the readers look.

    Attributes:
        environ: variables.
        home: of the user.
        directory: the working one, where a project may lie.
        system: where the system's configuration is.
        devpi_clientdir, bandersnatch_conf: named by the user; None: the usual ones.
    """

    environ: Mapping[str, str]
    home: Path
    directory: Path
    system: Path = Path("/etc")
    devpi_clientdir: Path | None = None
    bandersnatch_conf: Path | None = None

    def config_home(self) -> Path:
        """Return the directory of the user's configuration files."""
        return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")

    def shown(self, path: Path) -> str:
        """Write a path as a user would."""
        try:
            return f"~/{path.relative_to(self.home)}"
        except ValueError:
            return str(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """That a place wants a login, never which one.

    Attributes:
        username, password: whether there is one.
        username_variable, password_variable: variables that hold them already; None: none does.
    """

    username: bool = False
    password: bool = False
    username_variable: str | None = None
    password_variable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that was found and cannot be proposed.

    Attributes:
        text: `cause; next step`.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A place that a program of this machine uses.

    Attributes:
        origin: program and file or variable, in words.
        kind: of the location.
        name: what the configuration calls it; None: it does not.
        url: without login; None: it is a directory.
        path: of a directory; None: it has a url.
        login: how one gets in, as far as it is configured.
        settings: keys of the location, such as `insecure`.
        required: False for what is asked besides; None: as its kind says.
        is_default: whether its program asks it first.
        builtin: whether it is the index of an unconfigured pip.
        upstream: address of what it copies; None if nobody says.
    """

    origin: str
    kind: str
    name: str | None = None
    url: str | None = None
    path: str | None = None
    login: Login = field(default_factory=Login)
    settings: Mapping[str, str | bool] = field(default_factory=dict)
    required: bool | None = None
    is_default: bool = False
    builtin: bool = False
    upstream: str | None = None

    @property
    def place(self) -> str:
        """What makes two of them the same."""
        if self.url is None:
            return str(self.path)
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def index_at(
    origin: str,
    address: str,
    *,
    name: str | None = None,
    login: Login | None = None,
    settings: Mapping[str, str | bool] | None = None,
    is_default: bool = False,
) -> Found | Note:
    """Take the address of an index apart; its secrets end here."""
    return _at(
        Found(
            origin=origin,
            kind="simple",
            name=_usable(name),
            login=login or Login(),
            settings=settings or {},
            required=None if is_default else False,
            is_default=is_default,
        ),
        address,
    )


def find_links_at(
    origin: str,
    place: str,
    directory: Path,
    *,
    name: str | None = None,
    settings: Mapping[str, str | bool] | None = None,
) -> Found | Note:
    """Take a place for `--find-links` apart: an address, or a directory relative to another."""
    found = Found(
        origin=origin,
        kind="wheelhouse",
        name=_usable(name),
        required=False,
        settings=settings or {},
    )
    if "://" in place:
        return _at(found, place)
    return replace(found, path=str((directory / written_path(place)).absolute()))


def cache_at(origin: str, kind: str, path: Path) -> Found | None:
    """Propose a client's cache, if there is one."""
    return Found(origin=origin, kind=kind, name=kind, path=str(path)) if path.is_dir() else None


def _at(found: Found, text: str) -> Found | Note:
    try:
        address = parse_url(text, allow_s3=False)
    except ValueError as error:
        return Note(text=f"{found.origin}: {error}")
    if address.url is None:
        return replace(found, path=address.path)
    guessed = (kind for kind, shape in _KINDS if shape.search(address.url))
    kind = next(guessed, found.kind) if found.kind == "simple" else found.kind
    return replace(
        found,
        kind=kind,
        url=address.url,
        login=_login(found.login, address.username, address.password),
    )


def _login(known: Login, username: str | None, password: str | None) -> Login:
    """Add what stood in the address. What the program was told apart from it counts more."""
    return Login(
        username=known.username or username is not None,
        password=known.password or bool(password),
        username_variable=known.username_variable or _variable(username),
        password_variable=known.password_variable or _variable(password),
    )


def _variable(text: str | None) -> str | None:
    found = _VARIABLE.fullmatch(text or "")
    return found[1] if found else None


def _usable(name: str | None) -> str | None:
    try:
        return parse_name(name) if name else None
    except ValueError:
        return None
