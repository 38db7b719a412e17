"""What pip is configured to ask on this machine: its files, its variables, its built-in default.

pip is read in-process, as `pip config list` would, because its files have five levels and their
own rules for names; https://pip.pypa.io/en/stable/topics/configuration/
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast

from auditor.config.addresses import parse_url
from auditor.errors import UsageError

__all__ = ["PipIndex", "PipSettings", "builtin_index", "read_pip_settings"]

_TRUE_WORDS = frozenset({"y", "yes", "t", "true", "on", "1"})  # pip._internal.utils.misc.strtobool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PipSettings:
    """The settings that decide where pip looks. URLs may carry credentials: no repr.

    Attributes:
        index_url: where it looks; None: nowhere but in find-links (`no-index`).
        builtin_url: where an unconfigured pip looks.
        extra_index_urls, find_links: where it looks as well.
        trusted_hosts: `host` or `host:port` whose certificates it does not verify.
        cert, client_cert: paths; None if not set.
        proxy: address of a forward proxy; None if not set.
        cache_dir: path; None: pip's default.
    """

    index_url: str | None
    builtin_url: str
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    cache_dir: str | None = None

    def __repr__(self) -> str:
        return "PipSettings(…)"


class PipIndex:
    """Reads pip's settings when they are first asked for: importing pip costs 0.1 seconds."""

    @cached_property
    def settings(self) -> PipSettings:
        """What pip is configured to do. Raises UsageError if its files cannot be read."""
        return read_pip_settings()

    @property
    def url(self) -> str | None:
        """The index that `pip install` asks first."""
        return self.settings.index_url

    @property
    def builtin_url(self) -> str:
        """The index that an unconfigured pip asks."""
        return self.settings.builtin_url

    @property
    def clean_url(self) -> str | None:
        """`url` without credentials."""
        return parse_url(self.url, allow_s3=False).url if self.url else None


class _Configuration(Protocol):
    def load(self) -> None: ...
    def items(self) -> Iterable[tuple[str, object]]: ...


def read_pip_settings() -> PipSettings:
    """Read pip's configuration files and `PIP_…` variables as `pip install` does.

    Raises:
        UsageError: pip cannot read them itself.
    """
    values = _install_values(_load().items())
    builtin = builtin_index()
    no_index = values.get("no-index", "").strip().lower() in _TRUE_WORDS
    return PipSettings(
        index_url=None if no_index else values.get("index-url", "").strip() or builtin,
        builtin_url=builtin,
        extra_index_urls=() if no_index else tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        cert=values.get("cert"),
        client_cert=values.get("client-cert"),
        proxy=values.get("proxy"),
        cache_dir=values.get("cache-dir"),
    )


def builtin_index() -> str:
    """Return the index that an unconfigured pip asks."""
    return str(importlib.import_module("pip._internal.models.index").PyPI.simple_url)


def _load() -> _Configuration:
    module = importlib.import_module("pip._internal.configuration")
    error_type = importlib.import_module("pip._internal.exceptions").PipError
    configuration = cast("_Configuration", module.Configuration(isolated=False))
    try:
        configuration.load()
    except error_type as error:
        text = " ".join(str(error).split())
        raise UsageError(f"pip's own configuration cannot be read: {text}; correct it") from error
    return configuration


def _install_values(items: Iterable[tuple[str, object]]) -> dict[str, str]:
    """Merge the sections as pip does: `[global]`, then `[install]`, then the environment.

    pip's values are flat up to 25.0; later ones are grouped by the file they come from.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for name, value in items:
        flat = value.items() if isinstance(value, Mapping) else [(name, value)]
        for key, text in flat:
            section, _, option = str(key).partition(".")
            if section in sections:
                sections[section][option] = str(text)
    merged: dict[str, str] = {}
    for section_values in sections.values():
        merged.update({key: text for key, text in section_values.items() if text})
    return merged
