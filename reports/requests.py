"""Every request that was made, equal ones counted together."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from auditor.model import RequestRecord, Run
from reports.words import TOUCHES

__all__ = ["Asked", "RequestGroup", "request_groups"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One address.

    Attributes:
        location: for which place.
        url: without credentials.
        count: how often.
    """

    location: str
    url: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGroup:
    """Requests of one kind with one answer.

    Attributes:
        method: such as `GET`.
        touch: what it may do, in words.
        status: the HTTP status, or `no answer`.
        count: how many were made.
        asked: which.
    """

    method: str
    touch: str
    status: str
    count: int
    asked: tuple[Asked, ...]


def request_groups(run: Run) -> tuple[RequestGroup, ...]:
    """Group by what was asked and how it was answered, the most frequent first."""
    equal = Counter((r.method, _told(r), r.status, r.location, r.url) for r in run.requests)
    groups: dict[tuple[str, str, str], list[Asked]] = defaultdict(list)
    for (method, touch, status, location, url), count in sorted(
        equal.items(), key=lambda item: (item[0][3], item[0][4])
    ):
        answer = "no answer" if status is None else str(status)
        groups[(method, touch, answer)].append(Asked(location, url, count))
    found = (
        RequestGroup(
            method=method,
            touch=touch,
            status=status,
            count=sum(each.count for each in asked),
            asked=tuple(asked),
        )
        for (method, touch, status), asked in groups.items()
    )
    return tuple(sorted(found, key=lambda group: -group.count))


def _told(record: RequestRecord) -> str:
    """Say what a request may do, and if it was made for another incident as well."""
    touch = TOUCHES[record.touch]
    return touch if record.made_for is None else f"{touch} (made once, for {record.made_for})"
