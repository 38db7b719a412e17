"""Any service that apprise knows; the extra `apprise` installs it."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from auditor.notify.channel import Channel
from auditor.notify.message import Message, text_of, title_of
from auditor.notify.post import NotDelivered

__all__ = ["send_through_apprise"]


class _Apprise(Protocol):
    def add(self, servers: str) -> bool: ...

    def notify(self, body: str, title: str) -> bool | None: ...


def send_through_apprise(channel: Channel, message: Message) -> None:
    """Deliver a message. Raises NotDelivered."""
    service = _service()
    if not service.add(channel.url):
        raise NotDelivered("apprise does not know such an address; see its list of services")
    if not service.notify(body=text_of(message), title=title_of(message)):
        raise NotDelivered("the service did not take it")


def _service() -> _Apprise:
    try:
        module = import_module("apprise")
    except ImportError:
        raise NotDelivered(
            "apprise is not installed; run `pip install 'propagation-auditor[apprise]'`"
        ) from None
    return cast("_Apprise", module.Apprise())
