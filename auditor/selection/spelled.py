"""The versions that a page lists: a thousand mirrors may list the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditor.model.orders import orders_of

__all__ = ["Spelled", "spelled_in"]


@dataclass(frozen=True, slots=True)
class Spelled:
    """The versions of a page, as the names of its files spell them.

    Attributes:
        orders: of each version once, newest first.
        order_of: of each spelling.
    """

    orders: Sequence[str]
    order_of: Mapping[str | None, str]

    def texts_of(self, order: str) -> Sequence[str | None]:
        """Return how a version is spelled."""
        return [text for text, each in self.order_of.items() if each == order]


def spelled_in(distinct: Mapping[str | None, None]) -> Spelled:
    """Put versions in order.

    Args:
        distinct: each text once, in page order; None stands for files that have no version.
    """
    texts = [text for text in distinct if text is not None]
    # The order of a version is a text: these sort and compare without Python code.
    found = zip(texts, orders_of(texts), strict=True)
    order_of: dict[str | None, str] = {text: order for text, order in found if order is not None}
    # In page order first: most pages are sorted already, which `sorted` takes advantage of.
    return Spelled(tuple(sorted(dict.fromkeys(order_of.values()), reverse=True)), order_of)
