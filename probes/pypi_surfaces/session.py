"""A session that keeps what the views were answered, so that nothing is asked twice.

Two of PyPI's surfaces are views of installers already: pip's page is the gzip-coded JSON one, the
page of pip before 22.2 the gzip-coded HTML one.
"""

from __future__ import annotations

from collections.abc import Iterable

from auditor.contracts import Assignment
from auditor.model import View
from probes.kit.answer import Answer, Headers
from probes.kit.session import GuardedSession

__all__ = ["KeepingSession", "headers_stripped"]

# PyPI sends all of these with each page; the first three come from the index itself, the last two
# from its delivery network.
_TELLING = (
    *("etag", "cache-control", "x-pypi-last-serial", "last-modified"),
    *("x-served-by", "x-cache"),
)


class KeepingSession(GuardedSession):
    """Keeps the last answer to each view of one page.

    Attributes:
        answers: by view.
    """

    def __init__(self, assignment: Assignment, page_url: str) -> None:
        super().__init__(assignment)
        self.answers: dict[View, Answer] = {}
        self._page_url = page_url

    async def get_page(
        self,
        url: str,
        view: View,
        *,
        prefix_bytes: int | None = None,
        address: str | None = None,
    ) -> Answer:
        """Ask for an index page exactly as one client class does.

        Raises:
            ProbeError: as `send`.
        """
        answer = await super().get_page(url, view, prefix_bytes=prefix_bytes, address=address)
        if url == self._page_url:
            self.answers[view] = answer
        return answer

    @property
    def stripped(self) -> bool | None:
        """Whether every page that was read came without its headers; None if none was read."""
        return headers_stripped(a.headers for a in self.answers.values() if a.status == 200)


def headers_stripped(answers: Iterable[Headers]) -> bool | None:
    """Say whether somebody between here and the index took away what tells the age of its answers.

    Args:
        answers: headers of pages that were read.

    Returns:
        True if none of them has a validator, a lifetime, a serial or a sign of the delivery
        network; None if there is none.
    """
    told = [any(headers.get(name) for name in _TELLING) for headers in answers]
    return not any(told) if told else None
