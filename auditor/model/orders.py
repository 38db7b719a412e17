"""The order of versions as texts, found once for each: comparing these runs no Python code."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.remembered import RememberedTexts
from auditor.model.version import are_plain_versions, parse_version, plain_order, version_order

__all__ = ["FINAL", "PRERELEASE", "are_versions", "order_of", "orders_of"]

# How the order of a version ends. Equal versions have equal ends, so that it stays an order.
PRERELEASE, FINAL = "p", "f"


def orders_of(texts: Sequence[str]) -> Sequence[str | None]:
    """Return of each text its `version_order`; None if it is no version.

    One more character ends it: `PRERELEASE` or `FINAL`.
    """
    return _ORDERS.of_all(texts)


def order_of(text: str) -> str | None:
    """As `orders_of`, for one text."""
    return _ORDERS[text]


def are_versions(texts: Sequence[str]) -> bool:
    """Say whether all of these are versions (PEP 440)."""
    return None not in orders_of(texts)


def _order(text: str) -> str | None:
    if are_plain_versions([text]):
        return plain_order(text) + FINAL
    version = parse_version(text)
    if version is None:
        return None
    return version_order(version) + (PRERELEASE if version.is_prerelease else FINAL)


def _plain_orders(texts: Sequence[str]) -> Sequence[str] | None:
    return [plain_order(text) + FINAL for text in texts] if are_plain_versions(texts) else None


_ORDERS: RememberedTexts[str | None] = RememberedTexts(_order, _plain_orders)
