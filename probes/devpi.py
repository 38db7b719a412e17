"""Kind `devpi`: an index of a devpi server, be it a mirror, a stage or a replica's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import ProbeError
from auditor.model import (
    Hint,
    Holding,
    Observation,
    Outcome,
    Page,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from probes.devpi_server.address import DevpiAddress
from probes.devpi_server.client import DevpiClient
from probes.devpi_server.disk import read_disk
from probes.devpi_server.entries import (
    Question,
    broken_files,
    holdings_over_http,
    questions,
    unknown,
)
from probes.devpi_server.ownership import blocked_by, copied_by, hidden_fix, told_owners
from probes.devpi_server.reading import (
    hosting,
    no_safe_probe,
    stated_lag,
    told_of_index,
    traits_of,
    without_false_empty,
)
from probes.devpi_server.replica import compare_with_primary
from probes.devpi_server.topology import Topology, read_topology
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import IndexReader, project_url
from probes.kit.session import GuardedSession, prepare
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


@dataclass(slots=True)
class _Found:
    """What is being gathered beside the pages."""

    holdings: tuple[Holding, ...] = ()
    complete: bool | None = None
    notes: list[str] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)


async def observe(assignment: Assignment) -> Observation:
    """Read topology and pages, then ask of each broken file whether it is held."""
    url, started_at = assignment.location.url, assignment.now()
    if url is None:
        detail = "no url; a serverdir alone does not say which index is meant, so give both"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    try:
        address = DevpiAddress.of(url)
        first = GuardedSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    found, recorder = _Found(), EvidenceRecorder(first.redactor)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(DevpiClient(assignment, address, first.redactor))
        topology = await read_topology(client, recorder)
        session = await stack.enter_async_context(
            await _logged_in(assignment, client, topology, found)
        )
        reader = IndexReader(assignment, session, recorder)
        await reader.read(project_url(address.simple_url, assignment.incident.project))
        await reader.confirm_index(address.simple_url)
        pages = without_false_empty(reader.pages, topology)
        look = _Look(assignment, address, topology, session, reader, recorder, found)
        await look.explain(client, pages)
        await look.hold(pages)
    outcome, detail = outcome_of_pages(pages)
    observation = conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=pages,
        holdings=found.holdings,
        holdings_complete=found.complete,
        hosting=hosting(pages, url),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=[session.redactor.text(note) for note in (*reader.notes, *found.notes)],
        hints=found.hints,
        stated_lag=stated_lag(topology),
        traits=traits_of(
            topology,
            blocked_by(assignment.incident.project, pages, topology, address),
            copied_by(assignment.incident, pages, topology, address),
        ),
        redactor=session.redactor,
    )
    # The first redactor knows the password that the token was exchanged for.
    return first.redactor.scrub(observation)


@dataclass(slots=True)
class _Look:
    """What is done once the pages are here."""

    assignment: Assignment
    address: DevpiAddress
    topology: Topology
    session: GuardedSession
    reader: IndexReader
    recorder: EvidenceRecorder
    found: _Found

    async def explain(self, client: DevpiClient, pages: Sequence[Page]) -> None:
        """Gather what explains the pages: owners, hidden files, replicas, caches."""
        topology, found, incident = self.topology, self.found, self.assignment.incident
        found.notes += topology.problems
        found.notes += told_of_index(topology, pages)
        found.notes += told_owners(incident, pages, topology, self.address)
        if topology.recognised:
            found.hints += await hidden_fix(incident, pages, topology, client, found.notes)
        if topology.status is not None and topology.status.is_replica:
            suffix = self.assignment.user_agent_suffix
            notes, hints = await compare_with_primary(
                topology.status, self.session, self.recorder, suffix
            )
            found.notes += notes
            found.hints += hints

    async def hold(self, pages: Sequence[Page]) -> None:
        """Find out whether the broken bytes are here: on the disk, else by devpi's own answer."""
        incident, topology, found = self.assignment.incident, self.topology, self.found
        asked = questions(incident, broken_files(incident, pages), topology, self.address)
        if self.assignment.location.path is not None:
            await self._read_disk(self.assignment.location.path, asked)
            return
        reason = self._why_not()
        if reason is None:
            found.holdings = await holdings_over_http(
                self.assignment, self.session, self.recorder, asked, topology
            )
            return
        found.holdings = tuple(unknown(question, f"not asked: {reason}") for question in asked)
        if asked:
            found.hints.append(no_safe_probe(reason))

    async def _read_disk(self, path: str, asked: Sequence[Question]) -> None:
        indexes = [index.name for index in self.topology.indexes] or [self.topology.own]
        read = await in_thread(
            lambda stop: read_disk(
                local_path(path), indexes, self.assignment.incident, asked, stop, self.recorder
            )
        )
        self.found.holdings = read.holdings
        self.found.complete = read.complete and self.topology.is_complete
        if read.problem:
            self.found.notes.append(f"on disk: {read.problem}")

    def _why_not(self) -> str | None:
        """Return why no file may be asked for; None if this is devpi itself beyond doubt.

        Its JSON answer fetches nothing. A cache that ignores Accept would fetch and keep the file.
        """
        if not self.topology.recognised:
            return "this server is not recognised as devpi"
        if self.reader.proxy is not None:
            return "a proxy is in use, which could store the file"
        if self.reader.redirected:
            return "the index redirects elsewhere"
        signs = sorted(self.topology.foreign_caches | self.reader.foreign_caches)
        return f"a cache is in front ({', '.join(signs)})" if signs else None


async def _logged_in(
    assignment: Assignment,
    client: DevpiClient,
    topology: Topology,
    found: _Found,
) -> GuardedSession:
    """Return the session for the bulk reads: with a token in place of the password, if it works."""
    location, credentials = assignment.location, assignment.credentials
    if topology.recognised and credentials.username and credentials.password:
        try:
            token = await client.login(credentials.username, credentials.password)
            credentials = replace(credentials, password=token)
        except ProbeError as error:
            found.notes.append(f"no token: {error}")
    left_s = max(location.timeout_s - client.used_s, 0.1)
    return GuardedSession(
        replace(assignment, credentials=credentials, location=replace(location, timeout_s=left_s))
    )


KIND = ProbeKind(
    name="devpi",
    summary="an index of a devpi server: mirror, stage, or either on a replica",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="http://HOST/USER/INDEX/+simple/"),
        Setting(key="path", meaning="the server's --serverdir: proof of what is held"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    prepare=prepare,
    expected_lag_s=1800.0,
    expected_lag_source="devpi-server answers from its cache for 1800 s (--mirror-cache-expiry), "
    "unless the mirror has a mirror_cache_expiry of its own",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET /+status and GET USER/INDEX?no_projects=, as JSON",
            touch=Touch.INERT,
            proof="read from devpi's own database; no upstream request and no new serial "
            "(devpi-server 6.20.3)",
        ),
        TouchNote(
            request="POST /+login, only if username and password are configured",
            touch=Touch.INERT,
            proof="the token is signed, not stored; no new serial (devpi-server 6.20.3)",
        ),
        TouchNote(
            request="GET USER/INDEX/+f/… of a listed broken file with Accept: application/json",
            touch=Touch.INERT,
            proof="answers from the database and fetches no byte (devpi-server 6.20.3, primary and "
            "replica); only where status and X-Devpi-Api-Version show devpi, and no proxy, "
            "redirect or cache is in between",
        ),
        TouchNote(
            request="the same of a broken file that no page lists any more",
            touch=Touch.REFRESHES_INDEX,
            proof="as above; for a name it does not know, devpi may re-read its upstream's page",
        ),
        TouchNote(
            request="GET USER/INDEX/PROJECT of a mirror that a stage hides",
            touch=Touch.REFRESHES_INDEX,
            proof="as a project page; asked only where a stage with files of its own lacks the fix",
        ),
        TouchNote(
            request="GET /+status of the primary that a replica names",
            touch=Touch.INERT,
            proof="as /+status; without credentials, and never from a public into a private net",
        ),
        TouchNote(
            request="GET of a broken file, without path only",
            touch=Touch.INERT,
            proof="only once every place of its declared upstream chain answered 404 or 410 for "
            "that file, so that there is nothing to fetch: disks of a primary and a replica, and "
            "the serial, compared before and after",
        ),
        TouchNote(
            request="read of +files below path",
            touch=Touch.INERT,
            proof="opened for reading only; devpi-fsck, which rewrites .nodeinfo, is not used",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="curl -fsS -X POST {page}refresh",
            effect="makes every mirror behind this index re-read the project's page; works on "
            "stages and replicas too, and fetches no file",
            caution="anybody may send it; while the upstream is down, or has no such project, it "
            "answers 500 and changes nothing",
            statuses=(Status.EXPOSED, Status.BEHIND, Status.UNKNOWN),
        ),
        RemedyTemplate(
            command="# upload {project} {fixed} to this stage, or add {project} to the "
            "mirror_whitelist of the stage that has files of its own",
            effect="shows a fix that local files hide",
            caution="with the project whitelisted, whoever can publish it upstream can outbid your "
            "own releases",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# to remove {file}: DELETE its own +f URL in every index that owns it, then "
            "POST the project's refresh, then audit primary, replicas and stages again",
            effect="removes bytes and entry, on replicas as well",
            caution="refresh afterwards: deleting the last stored file empties the whole page, the "
            "fix included. Do not use `devpi remove`: deleting the version says 200 and removes "
            "nothing once it is unlisted, and leaves the replicas' copies. If the upstream still "
            "lists the file, the next pinned install stores it again",
            statuses=(Status.EXPOSED, Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
    ),
    verified="devpi-server 6.20.3 (primary, stages, replica), devpi-client 7.3.0",
)
