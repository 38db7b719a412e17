"""A webhook: the message as JSON, signed so that the receiver can tell it from anybody's.

The signature is HMAC-SHA256 over the time, a dot and the body, in hexadecimal. Times keep an old
message from being played again; `X-Auditor-Delivery` stays the same when it is sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from auditor.notify.channel import Channel
from auditor.notify.message import Message
from auditor.notify.post import post

__all__ = ["send_webhook", "signature"]


def send_webhook(channel: Channel, message: Message) -> None:
    """Deliver a message. Raises NotDelivered."""
    body = message.encode().encode()
    headers = {"X-Auditor-Delivery": message.id}
    if channel.secret is not None:
        timestamp = str(int(time.time()))
        headers["X-Auditor-Timestamp"] = timestamp
        headers["X-Auditor-Signature"] = f"sha256={signature(channel.secret, timestamp, body)}"
    post(channel.url, body, headers)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a body, as a receiver does to compare."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
