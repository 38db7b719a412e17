"""From what the readers found to locations: each place once, with a name of its own."""

from __future__ import annotations

import netrc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from auditor.config.machine.found import Found, Login, Machine, Note

__all__ = ["PYPI", "Proposal", "Proposed", "propose"]

PYPI = "PyPI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """One location to be written.

    Attributes:
        name: unique.
        kind: guessed where only an address is known.
        url, path: where it is; None: not so, or as pip is configured.
        required: False for what is asked besides; None: as its kind says.
        upstream: name of the location that it copies; None if nobody says.
        login: as far as one is configured.
        in_netrc: whether the user's netrc has one for its host.
        settings: further keys.
        origins: where it was found.
        is_pypi: whether it is PyPI itself.
    """

    name: str
    kind: str
    url: str | None
    path: str | None
    required: bool | None
    upstream: str | None
    login: Login
    in_netrc: bool
    settings: Mapping[str, str | bool] = field(default_factory=dict)
    origins: tuple[str, ...]
    is_pypi: bool = False

    @property
    def where(self) -> str:
        """What a reader would recognise it by."""
        return self.url or self.path or "the index that pip asks here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the machine uses.

    Attributes:
        places: PyPI first, if the machine asks it.
        notes: what was found and cannot be proposed.
    """

    places: tuple[Proposed, ...]
    notes: tuple[str, ...]


def propose(seen: Iterable[Found | Note], machine: Machine, builtin_url: str) -> Proposal:
    """Put together what several programs say of the same place.

    Args:
        seen: what the readers found.
        machine: where they looked.
        builtin_url: the index of an unconfigured pip.
    """
    builtin = Found(origin="", kind="pypi", url=builtin_url).place
    notes: list[str] = []
    places: dict[str, list[Found]] = {}
    for each in seen:
        if isinstance(each, Note):
            notes.append(each.text)
        elif not each.place.isprintable():
            notes.append(f"{each.origin}: its directory has a name that cannot be written down")
        else:
            places.setdefault(each.place, []).append(each)
    names = _names(places, builtin)
    hosts = _netrc_hosts(machine)
    found = [
        _proposed(group, names, hosts, is_pypi=place == builtin) for place, group in places.items()
    ]
    found.sort(key=lambda each: not each.is_pypi)
    return Proposal(places=tuple(found), notes=tuple(dict.fromkeys(notes)))


def _proposed(
    group: Sequence[Found], names: Mapping[str, str], hosts: frozenset[str], *, is_pypi: bool
) -> Proposed:
    first = group[0]
    kinds = [each.kind for each in group if each.kind != "simple"]
    above = next((each.upstream for each in group if each.upstream), None)
    # Without a url, kind pypi means what pip asks, which is PyPI only if pip is not told otherwise.
    is_pips = any(each.builtin for each in group)
    return Proposed(
        name=names[first.place],
        kind="pypi" if is_pypi else next(iter(kinds), "simple"),
        url=None if is_pypi and is_pips else first.url,
        path=first.path,
        required=False if all(each.required is False for each in group) else None,
        upstream=None if above is None else names.get(_place_of(above)),
        login=_merged([each.login for each in group]),
        in_netrc=first.url is not None and urlsplit(first.url).hostname in hosts,
        settings=_settings(group),
        origins=tuple(dict.fromkeys(each.origin for each in group)),
        is_pypi=is_pypi,
    )


def _place_of(url: str) -> str:
    return Found(origin="", kind="simple", url=url).place


def _merged(logins: Sequence[Login]) -> Login:
    return Login(
        username=any(each.username for each in logins),
        password=any(each.password for each in logins),
        username_variable=next(filter(None, (each.username_variable for each in logins)), None),
        password_variable=next(filter(None, (each.password_variable for each in logins)), None),
    )


def _settings(group: Sequence[Found]) -> Mapping[str, str | bool]:
    """How to reach it, as the first of its users says. A directory needs none."""
    if group[0].url is None:
        return {}
    merged: dict[str, str | bool] = {}
    for each in group:
        for key, value in each.settings.items():
            if value is True or str(value).isprintable():
                merged.setdefault(key, value)
    return merged


def _names(places: Mapping[str, Sequence[Found]], builtin: str) -> Mapping[str, str]:
    """Name each place as its users do, else by its host or directory."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    for place in sorted(places, key=lambda place: place != builtin):
        wanted = PYPI if place == builtin else _wanted(places[place])
        names[place] = next(name for name in _numbered(wanted) if name not in taken)
        taken.add(names[place])
    return names


def _wanted(group: Sequence[Found]) -> str:
    given = next(filter(None, (each.name for each in group)), None)
    if given is not None:
        return given
    first = group[0]
    host = urlsplit(first.url).hostname if first.url else None
    return host or Path(first.path or "").name or first.kind


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name} {number}"
        number += 1


def _netrc_hosts(machine: Machine) -> frozenset[str]:
    """Hosts that the user's netrc has a login for. The logins themselves are dropped at once."""
    named = machine.environ.get("NETRC")
    try:
        return frozenset(netrc.netrc(named or str(machine.home / ".netrc")).hosts)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return frozenset()
