"""Asking the REST interface of a registry: same origin, bounded, and never for a file."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from auditor.contracts import Assignment
from auditor.errors import Denied, Malformed, Unreachable
from auditor.model import Touch
from probes.kit.answer import Answer
from probes.kit.evidence import EvidenceRecorder
from probes.kit.fingerprint import RecognisingSession, Software
from probes.kit.origins import origin_of
from probes.kit.session import Request

__all__ = ["MAX_PAGES", "Interface"]

# Of one search. A project with more files than fit here is said not to be read to its end.
MAX_PAGES = 20
# All requests to the interface together.
_MAX_REQUESTS = 60

_T = TypeVar("_T")


class Interface:
    """One registry's REST interface.

    Args:
        assignment: whose location it belongs to.
        session: of that location; it adds the credentials.
        recorder: gets a piece of evidence for each answer.
        software: that the kind declares. Where the answers do not show it, a question counts as
            one that may make a cache re-read something.
    """

    def __init__(
        self,
        assignment: Assignment,
        session: RecognisingSession,
        recorder: EvidenceRecorder,
        software: Software,
    ) -> None:
        self.last_evidence = ""
        self._assignment = assignment
        self._session = session
        self._recorder = recorder
        self._software = software
        self._left = _MAX_REQUESTS

    async def get(
        self, url: str, form: type[_T], *, headers: tuple[tuple[str, str], ...] = ()
    ) -> _T:
        """Ask for a JSON document of a known form.

        Raises:
            Denied: these credentials may not ask that.
            Malformed: it is not there, or not of that form.
            ProbeError: it could not be asked.
        """
        answer = await self._ask(url, headers)
        try:
            return msgspec.json.decode(answer.body, type=form, strict=False)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise Malformed("what answers there is not the documented interface") from error

    async def _ask(self, url: str, headers: tuple[tuple[str, str], ...]) -> Answer:
        if origin_of(url) != origin_of(self._assignment.location.url or ""):
            raise Malformed("its answer leads to another host, which was not asked")
        if not self._left:
            raise Unreachable(f"not asked: more than {_MAX_REQUESTS} requests", connected=True)
        self._left -= 1
        certain = self._session.recognition.is_certain(self._software)
        answer = await self._session.send(
            Request(
                url=url,
                headers=(
                    ("User-Agent", self._assignment.user_agent_suffix),
                    ("Accept", "application/json"),
                    ("Accept-Encoding", "gzip"),
                    *headers,
                ),
                touch=Touch.INERT if certain else Touch.REFRESHES_INDEX,
                redirects=False,
            )
        )
        self.last_evidence = self._recorder.of_answer(answer, f"answers {answer.status}")
        if answer.status in (401, 403):
            raise Denied(f"its interface answers {answer.status}: these rights do not suffice")
        if answer.fault is not None:
            raise answer.fault
        if answer.status != 200:
            raise Malformed(f"its interface answers {answer.status}")
        return answer
