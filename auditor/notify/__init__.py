"""Tells people and programs what changed; never that nothing did."""

from auditor.notify.channel import Channel, open_channels
from auditor.notify.composing import compose
from auditor.notify.delivery import deliver

__all__ = ["Channel", "compose", "deliver", "open_channels"]
