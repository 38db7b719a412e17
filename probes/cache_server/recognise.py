"""What a kept answer is: a file of the project, a variant of its page, or a refusal of either.

By the name that it was asked under, by its digest where its size is that of a broken artifact, and
where the name says nothing, by what its content says of itself. Nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

from auditor.errors import ProbeError
from auditor.model import Incident, normalise_project
from auditor.model.filename import version_in
from probes.cache_server.findings import Findings, KeptFile, KeptPage
from probes.cache_server.kept import KeptAnswer
from probes.http_stores.content import Recognised, Unsearched, names_project, read_archive
from probes.http_stores.disk import Body
from probes.kit.decoding import MAX_PAGE_BYTES, MAX_WIRE_BYTES, decode
from probes.kit.origins import is_artifact_url
from probes.kit.pages import parse_page
from probes.kit.sought import Sought

__all__ = ["Recogniser"]

_GOOD = (200, 203)
_PART = 206
_PAGE_TYPES = ("text/html", "application/vnd.pypi.simple.")
# The key need not be a URL. Relative links of a page then start at a place that is none (RFC 6761).
_NOWHERE = "http://cache-entry.invalid"


class Recogniser:
    """Knows what belongs to one incident, and writes down what it recognises."""

    def __init__(self, incident: Incident, stop: threading.Event) -> None:
        self._project = incident.project
        self._sought = Sought(incident)
        self._stop = stop

    def recognise(
        self,
        place: str,
        answer: KeptAnswer,
        body: Body,
        findings: Findings,
        *,
        passed_over: bool = False,
    ) -> None:
        """Write down what an answer is, if it is of the project.

        Args:
            place: the file that holds the body, relative to the directory.
            answer: what is written down beside it.
            body: the bytes.
            findings: are added to.
            passed_over: whether the program makes no use of it: then only its bytes count.

        Raises:
            OSError, NotReadable: its body cannot be read.
        """
        if not answer.has_body:
            return
        known = len(findings.files)
        self._recognise(place, answer, body, findings, only_files=passed_over)
        if passed_over:
            files = findings.files[known:]
            findings.files[known:] = [replace(file, passed_over=True) for file in files]

    def _recognise(
        self, place: str, answer: KeptAnswer, body: Body, findings: Findings, *, only_files: bool
    ) -> None:
        # Most keys name other projects, and reading a file's name costs as much as all the rest.
        named = names_project(answer.key.encode("utf-8", "replace"), self._project)
        version = version_in(answer.filename, self._project) if named else None
        if answer.status not in (*_GOOD, _PART):
            if not only_files and (version is not None or self._is_page_of_project(answer)):
                findings.refusals.append((place, answer))
        elif version is not None:
            findings.files.append(self._file(place, answer, body, answer.filename, version))
        elif not self._is_sought(place, answer, body, findings) and not only_files:
            self._by_content(place, answer, body, findings)

    def _is_sought(self, place: str, answer: KeptAnswer, body: Body, findings: Findings) -> bool:
        """Recognise a broken artifact by its digest, under whatever name it was asked for."""
        if not body.size or not self._sought.may_have(body.size):
            return False
        if not self._sought.spend(body.size):
            findings.note("files that were not hashed, being too many", place, hides=True)
            return False
        known = self._sought.by_sha256.get(body.sha256(self._stop))
        if known is None:
            return False
        name = known.filename or answer.filename or "(no name)"
        findings.files.append(self._file(place, answer, body, name, known.version))
        return True

    def _by_content(self, place: str, answer: KeptAnswer, body: Body, findings: Findings) -> None:
        kind = (answer.headers.get("content-type") or "").strip().lower()
        if kind.startswith(_PAGE_TYPES):
            self._page(place, answer, body, findings)
        elif not is_artifact_url(answer.key):
            # A registry may serve its files under names that say nothing, such as `/blobs/5f3a`.
            found = self._archive(place, body, findings)
            if found is not None:
                name, version = found.filename, found.version
                findings.files.append(self._file(place, answer, body, name, version))

    def _archive(self, place: str, body: Body, findings: Findings) -> Recognised | None:
        try:
            return read_archive(body, self._project, self._stop)
        except Unsearched:
            findings.note("archives too large to be searched to their end", place, hides=True)
            return None

    def _file(
        self, place: str, answer: KeptAnswer, body: Body, filename: str, version: str | None
    ) -> KeptFile:
        problem, intact = _problem(answer, body.size), None
        sha256 = None if problem else body.sha256(self._stop)
        if problem and answer.status != _PART:
            intact = False
        elif sha256 is not None and sha256 not in self._sought.by_sha256:
            intact = self._intact(body)
        return KeptFile(
            place=place,
            answer=answer,
            filename=filename,
            version=version,
            sha256=sha256 if intact is not False else None,
            size=body.size,
            problem=problem or ("" if intact is not False else "it does not open as an archive"),
            intact=intact,
        )

    def _intact(self, body: Body) -> bool | None:
        try:
            found = read_archive(body, self._project, self._stop)
        except Unsearched:
            return None
        return None if found is None else found.intact

    def _page(self, place: str, answer: KeptAnswer, body: Body, findings: Findings) -> None:
        if body.size > MAX_WIRE_BYTES:
            findings.note("pages larger than any index page", place)
            return
        try:
            coding = answer.headers.joined("content-encoding")
            content = decode(body.whole(), coding, limit=MAX_PAGE_BYTES)
            ours = self._is_page_of_project(answer) or names_project(content, self._project)
            parsed = ours and parse_page(
                content,
                url=answer.key if "://" in answer.key else f"{_NOWHERE}/",
                content_type=answer.headers.get("content-type"),
                project=self._project,
            )
        except ProbeError:
            if self._is_page_of_project(answer):
                kept = KeptPage(place=place, answer=answer, body_sha256=None, parsed=None)
                findings.pages.append(kept)
            return
        if parsed and (
            any(c.version is not None for c in parsed.candidates)
            or normalise_project(parsed.name or "") == self._project
        ):
            digest = hashlib.sha256(content).hexdigest()
            kept = KeptPage(place=place, answer=answer, body_sha256=digest, parsed=parsed)
            findings.pages.append(kept)

    def _is_page_of_project(self, answer: KeptAnswer) -> bool:
        path = answer.key.partition("?")[0].rstrip("/")
        return normalise_project(path.rpartition("/")[2]) == self._project


def _problem(answer: KeptAnswer, size: int) -> str:
    if answer.status == _PART:
        return "only a part of it is kept"
    announced = answer.announced_size
    if announced is not None and announced != size:
        return f"{size} bytes of {announced} are kept: whoever asks for it gets a damaged file"
    return "" if size else "it is empty"
