"""A message in the shape that Slack's incoming webhooks take, and Mattermost's and others' too.

https://api.slack.com/messaging/webhooks
"""

from __future__ import annotations

import msgspec

from auditor.notify.channel import Channel
from auditor.notify.message import Message, text_of, title_of
from auditor.notify.post import post

__all__ = ["send_slack", "slack_body"]

# https://api.slack.com/reference/block-kit/blocks#section: 3000 characters.
_MAX_TEXT_CHARS = 2900


def send_slack(channel: Channel, message: Message) -> None:
    """Deliver a message. Raises NotDelivered."""
    post(channel.url, slack_body(message), {})


def slack_body(message: Message) -> bytes:
    """Write the message with everything in it that Slack would take for markup made harmless."""
    title, text = _escaped(title_of(message)), _escaped(text_of(message))
    if len(text) > _MAX_TEXT_CHARS:
        text = f"{text[:_MAX_TEXT_CHARS]}…"
    section = {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*\n{text}"}}
    return msgspec.json.encode({"text": title, "blocks": [section]})


def _escaped(text: str) -> str:
    """https://api.slack.com/reference/surfaces/formatting#escaping: these three, and no more.

    A name could still hold asterisks, which at worst makes something bold; `<!channel>` would wake
    everybody up.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
