"""Channels with their secrets: made just before the first message could be needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from auditor.config.channels import ChannelSettings
from auditor.config.document import Document
from auditor.config.problems import Problems
from auditor.config.secrets import Fetcher, SecretError

__all__ = ["Channel", "open_channels"]

_SCHEMES = {
    "webhook": ("https", "http"),
    "slack": ("https", "http"),
    "email": ("smtp", "smtps"),
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Channel:
    """Whom to tell what. Its repr never shows where to: such an address is often a secret.

    Attributes:
        settings: as configured.
        url: where to, with whatever it takes to get in.
        secret: with which messages are signed; None: they are not.
    """

    settings: ChannelSettings
    url: str
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Channel({self.settings.name!r})"

    @property
    def name(self) -> str:
        """Under which the history keeps what was told."""
        return self.settings.name

    def without_secrets(self, text: str) -> str:
        """Take out of a text whatever could let a reader in."""
        parts = urlsplit(self.url)
        secrets = (self.url, self.secret, parts.password, parts.query, parts.path.strip("/"))
        for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
            text = text.replace(secret, "…")
        return text


def open_channels(
    settings: tuple[ChannelSettings, ...], document: Document, environ: Mapping[str, str]
) -> tuple[Channel, ...]:
    """Fetch what the channels need.

    Raises:
        ConfigError: with every secret that cannot be had, and every address that is none.
    """
    problems = Problems(document)
    fetcher = Fetcher(environ, document.directory)
    channels: list[Channel] = []
    for each in settings:
        path = ("notify", each.index)
        fetched: dict[str, str] = {}
        for key, reference in (("url", each.url), ("secret", each.secret)):
            if reference is None:
                continue
            try:
                fetched[key] = fetcher.fetch(reference)
            except SecretError as error:
                problems.add((*path, key), str(error))
        if "url" in fetched and (problem := _problem(each.kind, fetched["url"])):
            problems.add((*path, "url"), problem)
        channels.append(
            Channel(settings=each, url=fetched.get("url", ""), secret=fetched.get("secret"))
        )
    problems.raise_all()
    return tuple(channels)


def _problem(kind: str, url: str) -> str | None:
    """Say what is wrong with an address, without showing it."""
    known = _SCHEMES.get(kind)
    if known is None:
        return None
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in known and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if is_good and url.isprintable() and " " not in url:
        return None
    return f"is no address of a {kind}; write one such as {known[0]}://host.example/…"
