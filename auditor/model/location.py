"""Where copies live, and from where we look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Location", "Role", "SettingValue", "Vantage"]

SettingValue = str | int | float | bool


class Role(StrEnum):
    """What a location does to its users."""

    INDEX = "index"  # decides what installers choose
    STORE = "store"  # only holds bytes
    PIN = "pin"  # forces a choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One place that may hold a copy. Never holds a secret: credentials travel apart.

    Attributes:
        name: unique within a run.
        kind: name of the probe that can look at it, such as `simple`.
        role: what it does to its users.
        url: what one would give to pip as `--index-url`, without credentials; None: there is none.
        path: a directory or file on this machine; None if there is none.
        upstream: name of the location it copies from; None if not declared.
        expected_lag_s: seconds it may normally be behind its upstream; None: not configured.
        required: whether `absent` and `unknown` count here (design section 4).
        group: locations that one client uses together; None if it stands alone.
        samples: how often each page is asked for (several nodes behind one name).
        rebuilds: whether it builds its own wheels, so that other bytes accuse nobody.
        timeout_s: seconds for the whole location.
        settings: what only its kind understands, such as `cache_path`.
        declared_at: `FILE:LINE` of its table in the configuration, or the option that named it.
        vantages: ids of those from which it is looked at; empty: from every one.
    """

    name: str
    kind: str
    role: Role
    url: str | None = None
    path: str | None = None
    upstream: str | None = None
    expected_lag_s: float | None = None
    required: bool = True
    group: str | None = None
    samples: int = 1
    rebuilds: bool = False
    timeout_s: float = 30.0
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    declared_at: str | None = None
    vantages: tuple[str, ...] = ()

    @property
    def locator(self) -> str:
        """The URL or path that a reader would recognise it by."""
        return self.url or self.path or str(self.settings.get("bucket", self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A place from which we look.

    Attributes:
        id: host name unless configured.
        labels: free key-value pairs, such as region.
    """

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
