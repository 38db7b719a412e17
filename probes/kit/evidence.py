"""The evidence recorder: enough of each answer to convince a doubter, and never a secret."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from auditor.model import Candidate, Evidence, Incident, Yank
from auditor.model.file_table import listed_with
from probes.kit.answer import Answer, shown
from probes.kit.origins import origin_of
from probes.kit.redaction import Redactor

__all__ = ["EvidenceRecorder", "curl_command", "entries_that_matter"]

EXCERPT_CHARS = 600
# So that the fixed files show too where a release has a hundred wheels.
_LINES_EACH = 2
_MAX_URL_CHARS = 2000
# In the order in which a reader wants them.
_RESPONSE_FACTS = (
    *("content-type", "content-encoding", "etag", "x-pypi-last-serial", "last-modified"),
    *("cache-control", "age", "via", "x-cache", "cache-status", "content-length", "date"),
    *("server", "vary", "location", "retry-after"),
    *("x-served-by", "fastly-debug-path", "fastly-debug-ttl"),
    *("x-cache-lookup", "x-cache-status", "x-cache-detail", "x-varnish", "x-squid-error"),
)


class EvidenceRecorder:
    """Collects the evidence of one observation and numbers it `e1`, `e2`, …."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor()
        self._items: list[Evidence] = []

    def of_answer(self, answer: Answer, excerpt: str = "") -> str:
        """Keep what an answer of a server shows; return the id.

        Args:
            answer: with its body decoded.
            excerpt: the part that matters; it is shortened and redacted here.
        """
        redact = self._redactor
        facts = {"status": str(answer.status)}
        there = answer.headers.names
        for name in [name for name in _RESPONSE_FACTS if name in there]:
            value = answer.headers.joined(name)
            if value:  # made safe before it is cut: half a password is still one
                facts[name] = shown(redact.text(value), 300)
        if answer.address:
            facts["address"] = answer.address
        if answer.made_for:
            facts["asked-once-for"] = redact.text(
                f"incident {answer.made_for}, {answer.fetched_at.isoformat()}"
            )
        if answer.hops:
            facts["redirected-to"] = redact.url(shown(answer.url, _MAX_URL_CHARS))
        digest = f"sha256:{answer.body_sha256}" if answer.body_sha256 else None
        request = f"{answer.method} {redact.url(shown(answer.asked_url, _MAX_URL_CHARS))}"
        command = redact.text(curl_command(answer, redact))
        return self._keep(request, facts, digest, excerpt, command)

    def of_failure(self, request: str, problem: str) -> str:
        """Keep that a request got no answer; return the id."""
        return self._keep(self._redactor.text(request), self._safe({"error": problem}))

    def of_request(
        self,
        request: str,
        facts: Mapping[str, str],
        *,
        digest: str | None = None,
        excerpt: str = "",
        reproduce: str = "",
    ) -> str:
        """Keep what an interface answered that speaks no plain HTTP; return the id."""
        command = self._redactor.text(reproduce)
        safe = self._safe(facts)
        return self._keep(self._redactor.text(request), safe, digest, excerpt, command)

    def of_disk(
        self,
        path: Path,
        facts: Mapping[str, str],
        *,
        digest: str | None = None,
        excerpt: str = "",
        reproduce: str = "",
    ) -> str:
        """Keep what was read from disk; return the id."""
        safe = self._safe(facts)
        return self._keep(f"read {shown(str(path))}", safe, digest, excerpt, reproduce)

    def all(self) -> tuple[Evidence, ...]:
        """Return everything kept so far."""
        return tuple(self._items)

    def _safe(self, facts: Mapping[str, str]) -> Mapping[str, str]:
        return {key: self._redactor.text(value) for key, value in facts.items()}

    def _keep(
        self,
        request: str,
        facts: Mapping[str, str],
        digest: str | None = None,
        excerpt: str = "",
        reproduce: str = "",
    ) -> str:
        item = Evidence(
            id=f"e{len(self._items) + 1}",
            request=request,
            response=facts,
            digest=digest,
            excerpt=_shortened(self._redactor.text(excerpt)),
            reproduce=reproduce,
        )
        self._items.append(item)
        return item.id


def curl_command(answer: Answer, redactor: Redactor) -> str:
    """Return a command that asks the same again, with the same literal headers."""
    words = ["curl", "--silent", "--show-error", "--include", "--compressed"]
    if answer.method == "HEAD":
        words.append("--head")
    if answer.hops:
        words += ["--location", "--max-redirs", "5"]
    if answer.address:
        origin = origin_of(answer.asked_url)
        words += ["--resolve", f"{origin.host_and_port}:{answer.address}"]
    if answer.proxy:
        words += ["--proxy", redactor.url(answer.proxy)]
    for name, value in answer.sent_headers:
        words += ["--header", f"{name}: {value}"]
    if answer.with_credentials:
        words += ["--user", "NAME"]  # curl asks for the password
    words.append(redactor.url(shown(answer.asked_url, _MAX_URL_CHARS)))
    return " ".join(map(_quoted, words))


# The same options and headers come with every request.
_quoted = lru_cache(maxsize=1024)(shlex.quote)


def entries_that_matter(candidates: Sequence[Candidate], incident: Incident) -> str:
    """Describe the broken and the fixed files on offer, one line each, the broken ones first."""
    broken = listed_with(candidates, incident.breaks, incident.broken_sha256)
    told = set(map(id, broken))
    fixed = [c for c in listed_with(candidates, incident.cures) if id(c) not in told]
    if not broken and not fixed:
        return "neither a broken nor a fixed file is listed"
    return "\n".join([*_lines(broken, "broken"), *_lines(fixed, "fixed")])


def _lines(candidates: list[Candidate], name: str) -> list[str]:
    lines = [_line(candidate) for candidate in candidates[:_LINES_EACH]]
    more = len(candidates) - len(lines)
    return [*lines, f"… and {more} more {name} files"] if more else lines


def _line(candidate: Candidate) -> str:
    parts = [candidate.filename]
    parts += [f"{name}={value}" for name, value in candidate.hashes.items() if name == "sha256"]
    if candidate.yanked is not Yank.NO:
        reason = f" ({candidate.yank_reason})" if candidate.yank_reason else ""
        parts.append(f"yanked={candidate.yanked.value}{reason}")
    if candidate.requires_python:
        parts.append(f"requires-python={candidate.requires_python}")
    return shown(" ".join(parts), 300)


def _shortened(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARS else text[: EXCERPT_CHARS - 1] + "…"
