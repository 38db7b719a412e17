"""What a devpi server says of itself: its role, its serial, its indexes and what they are made of.

The server tells anybody the credentials of its upstreams and where it lies on its disk. Both are
dropped here, while the answer is read; nothing that is kept ever had them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from auditor.errors import Malformed, ProbeError
from probes.devpi_server.address import is_index_name
from probes.devpi_server.client import DevpiClient
from probes.kit.answer import Answer, shown
from probes.kit.evidence import EvidenceRecorder
from probes.kit.fingerprint import is_devpi_answer
from probes.kit.freshness import foreign_cache_signs
from probes.kit.redaction import redact_url

__all__ = ["IndexConfig", "ServerStatus", "Topology", "read_status", "read_topology"]

# Real servers have chains of two or three; a loop or a hostile list ends here.
MAX_INDEXES = 32
_PROXY_HEADER = "x-devpi-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """One index.

    Attributes:
        name: such as `root/pypi`.
        type: `mirror` or `stage`, or what a plugin calls it.
        bases: the indexes that a stage inherits from.
        upstream: where a mirror copies from, without credentials; None for a stage.
        expiry_s: seconds for which a mirror answers from its cache; None: not set here.
        whitelist: projects of which a stage with files of its own still shows those of its mirrors.
        external: whether files are never stored, but redirected to their upstream.
        evidence: id of the answer it was read from.
    """

    name: str
    type: str
    bases: tuple[str, ...] = ()
    upstream: str | None = None
    expiry_s: float | None = None
    whitelist: frozenset[str] = frozenset()
    external: bool = False
    evidence: str

    @property
    def is_mirror(self) -> bool:
        """Whether it copies from an upstream."""
        return self.type == "mirror"

    def lets_through(self, project: str) -> bool:
        """Say whether files of its own leave those of its mirrors visible."""
        return not self.whitelist.isdisjoint({"*", project})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The server.

    Attributes:
        is_replica: whether it copies another devpi server.
        serial: of its last transaction; -1 on a replica that has copied nothing yet.
        primary_url: of the server that a replica copies, without credentials; None if it is none.
        errors: how many files a replica failed to copy.
        version: of devpi-server; "" if it does not say.
        evidence: id of the answer it was read from.
    """

    is_replica: bool
    serial: int | None
    primary_url: str | None = None
    errors: int = 0
    version: str = ""
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What there is, as far as the server tells.

    Attributes:
        own: name of the index that is looked at.
        indexes: that one and everything it inherits from, in the order in which they are found.
        status: of the server; None if it does not tell.
        recognised: whether this is devpi beyond doubt.
        foreign_caches: headers which show that another cache is in front of it.
        problems: what could not be read, in words.
    """

    own: str
    indexes: tuple[IndexConfig, ...] = ()
    status: ServerStatus | None = None
    recognised: bool = False
    foreign_caches: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def find(self, name: str | None) -> IndexConfig | None:
        """Return an index by its name; None if it is none of these."""
        return next((index for index in self.indexes if index.name == name), None)

    @property
    def own_config(self) -> IndexConfig | None:
        """The index that is looked at; None if its settings could not be read."""
        return self.find(self.own)

    @property
    def is_complete(self) -> bool:
        """Whether everything that the index inherits from is known."""
        known = {index.name for index in self.indexes}
        return self.own in known and all(b in known for i in self.indexes for b in i.bases)

    @property
    def mirrors(self) -> tuple[IndexConfig, ...]:
        """Those that copy from an upstream."""
        return tuple(index for index in self.indexes if index.is_mirror)


class _IndexResult(msgspec.Struct):
    type: str
    bases: list[str] = []
    mirror_url: str | None = None
    mirror_cache_expiry: float | None = None
    mirror_whitelist: list[str] = []
    mirror_use_external_urls: bool = False


class _IndexReply(msgspec.Struct):
    result: _IndexResult


class _StatusResult(msgspec.Struct):
    role: str
    serial: int | None = None
    primary_url: str | None = msgspec.field(default=None, name="primary-url")
    master_url: str | None = msgspec.field(default=None, name="master-url")
    # A mapping of path to error, as devpi 6 has it; a list in a server that we do not know.
    errors: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="replication-errors")
    versions: dict[str, str] = msgspec.field(default={}, name="versioninfo")


class _StatusReply(msgspec.Struct):
    result: _StatusResult


@dataclass(slots=True)
class _Findings:
    """What is being gathered."""

    recorder: EvidenceRecorder
    versioned: bool = False
    signs: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def see(self, answer: Answer) -> None:
        """Take what the headers of any answer tell."""
        self.versioned |= is_devpi_answer(answer.headers)
        self.signs.update(foreign_cache_signs(answer.headers))
        if answer.headers.get(_PROXY_HEADER) is not None:
            self.signs.add(_PROXY_HEADER)


async def read_topology(client: DevpiClient, recorder: EvidenceRecorder) -> Topology:
    """Ask for the status, then for the index and everything it inherits from."""
    findings = _Findings(recorder)
    status = await _status(client, findings)
    indexes: list[IndexConfig] = []
    wanted, own = [client.address.index], client.address.index
    while wanted and len(indexes) < MAX_INDEXES:
        name = wanted.pop(0)
        config = await _index(client, name, findings)
        if config is not None:
            indexes.append(config)
            known = {index.name for index in indexes}
            wanted += [b for b in config.bases if b not in known and b not in wanted]
        elif name == own:
            break
    return Topology(
        own=own,
        indexes=tuple(indexes),
        status=status,
        recognised=findings.versioned and status is not None and bool(indexes),
        foreign_caches=frozenset(findings.signs),
        problems=tuple(findings.problems),
    )


async def _status(client: DevpiClient, findings: _Findings) -> ServerStatus | None:
    try:
        answer = await client.get(client.address.status_url)
        findings.see(answer)
        return read_status(answer, findings.recorder)
    except ProbeError as error:
        findings.problems.append(f"the status of the server: {error}")
        return None


async def _index(client: DevpiClient, name: str, findings: _Findings) -> IndexConfig | None:
    try:
        answer = await client.get(client.address.config_url(name))
        findings.see(answer)
        return _read_index(answer, name, findings.recorder)
    except ProbeError as error:
        findings.problems.append(f"the settings of {name}: {error}")
        return None


def read_status(answer: Answer, recorder: EvidenceRecorder) -> ServerStatus:
    """Read `/+status`.

    Raises:
        Malformed: it is no status of devpi.
    """
    result = _decoded(answer, _StatusReply).result
    role = result.role.upper()
    primary = result.primary_url or result.master_url
    excerpt = f"role={shown(role, 20)} serial={result.serial}"
    return ServerStatus(
        is_replica=role == "REPLICA",
        serial=result.serial,
        primary_url=_without_userinfo(primary) if primary else None,
        errors=_count(result.errors),
        version=shown(result.versions.get("devpi-server", ""), 20),
        evidence=recorder.of_answer(answer, excerpt),
    )


def _read_index(answer: Answer, name: str, recorder: EvidenceRecorder) -> IndexConfig:
    result = _decoded(answer, _IndexReply).result
    upstream = _without_userinfo(result.mirror_url) if result.mirror_url else None
    bases = tuple(dict.fromkeys(base for base in result.bases if is_index_name(base)))
    facts = {
        "type": shown(result.type, 20),
        "bases": ",".join(bases[:MAX_INDEXES]),
        "copies": upstream,
        "mirror_cache_expiry": result.mirror_cache_expiry,
        "mirror_whitelist": ",".join(shown(p, 100) for p in result.mirror_whitelist[:8]),
    }
    excerpt = " ".join(f"{key}={value}" for key, value in facts.items() if value not in ("", None))
    expiry_s = result.mirror_cache_expiry
    return IndexConfig(
        name=name,
        type=shown(result.type, 20),
        bases=bases[:MAX_INDEXES],
        upstream=upstream,
        expiry_s=expiry_s if expiry_s is not None and 0 <= expiry_s < 2**31 else None,
        whitelist=frozenset(result.mirror_whitelist),
        external=result.mirror_use_external_urls,
        evidence=recorder.of_answer(answer, excerpt),
    )


_Reply = TypeVar("_Reply", _StatusReply, _IndexReply)


def _decoded(answer: Answer, form: type[_Reply]) -> _Reply:
    if answer.status != 200:
        raise Malformed(f"answers {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=form, strict=False)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Malformed("is not what devpi answers there") from error


def _without_userinfo(url: str) -> str:
    return shown(redact_url(url), 300)


def _count(errors: msgspec.Raw) -> int:
    """Count what was reported, whatever form it has."""
    try:
        found = msgspec.json.decode(errors)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return 0
    return len(found) if isinstance(found, dict | list) else 0


def host_of(url: str | None) -> str:
    """Name the host of a URL for a sentence."""
    try:
        return urlsplit(url or "").netloc or "another server"
    except ValueError:
        return "another server"
