from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from auditor.config.channels import ChannelSettings
from auditor.config.values import SecretReference
from auditor.notify import Channel, post
from auditor.notify.message import Event, EventKind, Message
from tests.notify.receivers import Hook, Mailbox, hook, mailbox

MakeChannel = Callable[..., Channel]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(post, "WAITS_S", (0.0, 0.0))


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as started:
        yield started


@pytest.fixture
def mail_server() -> Iterator[Mailbox]:
    with mailbox() as started:
        yield started


@pytest.fixture
def message() -> Message:
    return Message(
        id="0123456789abcdef",
        incident="brokenpkg-1.2.3",
        project="brokenpkg",
        status="exposed",
        exit_code=1,
        sentence="1 of 3 places is exposed.",
        run="20261120T130000Z-00000000",
        at=datetime(2026, 11, 20, 13, 0, tzinfo=UTC),
        events=(
            Event(
                kind=EventKind.FAILING,
                location="office",
                vantage="here",
                before="rolled-forward",
                after="exposed",
                reason="The page is old.",
            ),
        ),
    )


@pytest.fixture
def channel() -> MakeChannel:
    """Make a channel of some kind to somewhere."""

    def make(kind: str, url: str, *, secret: str | None = None, **facts: object) -> Channel:
        known = {"on": ("change",), "threshold": 1, "remind_every_s": None, "to": ()}
        settings = ChannelSettings(
            name=kind,
            kind=kind,
            url=SecretReference("literal", url),
            secret=None,
            index=0,
            **{**known, "sender": None, **facts},
        )
        return Channel(settings=settings, url=url, secret=secret)

    return make
