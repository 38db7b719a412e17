"""Several addresses behind one name: each is asked, and nothing is taken for the others' word."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from auditor.config import parse_document, resolve
from auditor.contracts import Assignment, Credentials, SourceFacts
from auditor.engine import Audit
from auditor.lab.drive.ports import free_port
from auditor.model import Observation, Outcome, Page, PageOutcome, Status, Verdict, View
from auditor.registry import load_kinds
from auditor.verdict import judge
from probes import simple
from probes.kit import addresses
from probes.kit.addresses import AddressBook, Nodes, has_route, lookup, nodes_behind
from tests.probes.conftest import MakeAssignment, entry, json_page, page_response
from tests.verdict import stage

NAME = "mirror.example"


def listed(version: str, **more: object) -> dict[str, object]:
    """One entry of a page, with the digest that the source states for this file."""
    digest = stage.digest(f"brokenpkg-{version}-py3-none-any.whl")
    return entry(version, hashes={"sha256": digest}, **more)


OLD, NEW = json_page(listed("1.2.3")), json_page(listed("1.2.3", yanked="broken"), listed("1.2.4"))
ONE, TWO = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def names() -> Iterator[dict[str, Sequence[str]]]:
    """What names stand for, in place of the system's resolver."""
    table: dict[str, Sequence[str]] = {}

    async def look_up(host: str, port: int) -> Sequence[str]:
        if host not in table:
            raise OSError(errno.ENOENT, "no such name")
        return table[host]

    token = lookup.set(look_up)
    yield table
    lookup.reset(token)


@contextmanager
def routes_to(*families: int) -> Iterator[None]:
    token = has_route.set(lambda address: (6 if ":" in address else 4) in families)
    try:
        yield
    finally:
        has_route.reset(token)


@dataclass
class Node:
    """One machine behind the name: what it answers, and what it was asked."""

    body: bytes
    hosts: list[str] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)


StartNodes = Callable[..., Awaitable[int]]


@pytest.fixture
async def start() -> AsyncIterator[StartNodes]:
    """Start one server per address, all at one port; return the port."""
    stack = AsyncExitStack()

    async def listen(node: Node, address: str, port: int, tls: ssl.SSLContext | None) -> None:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            node.hosts.append(request.host)
            return page_response(node.body)

        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, address, port, ssl_context=tls).start()

    async def serve(nodes: dict[str, Node], tls: dict[str, ssl.SSLContext] | None = None) -> int:
        port = free_port(*nodes)
        for address, node in nodes.items():
            await listen(node, address, port, (tls or {}).get(address))
        return port

    async with stack:
        yield serve


def copying(assignment: Assignment, *, lists_fix: bool | None) -> Assignment:
    location = replace(assignment.location, upstream="origin")
    return replace(
        assignment, location=location, source=SourceFacts(name="origin", lists_fix=lists_fix)
    )


def verdict(observation: Observation, **facts: object) -> Verdict:
    seen = replace(observation, location="mirror", incident=stage.INCIDENT.id, vantage="here")
    plan = stage.plan(
        stage.location("mirror", **facts),
        kinds={**stage.KINDS, "simple": simple.KIND.facts()},
    )
    return next(v for v in stage.run(plan, seen).verdicts if v.location.name == "mirror")


def judged(observation: Observation, **facts: object) -> tuple[Status, set[str]]:
    found = verdict(observation, **facts)
    return found.status, stage.codes(found)


def by_address(pages: Sequence[Page]) -> dict[str | None, set[str | None]]:
    """Versions that each address lists."""
    listed: dict[str | None, set[str | None]] = {}
    for page in pages:
        listed.setdefault(page.address, set()).update(c.version for c in page.candidates)
    return listed


# --- each machine is asked


async def test_nodes_that_disagree_are_told_apart_and_judged_flapping(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    old, new = Node(OLD), Node(NEW)
    port = await start({ONE: old, TWO: new})
    names[NAME] = [TWO, ONE]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/"))

    assert by_address(seen.pages) == {ONE: {"1.2.3"}, TWO: {"1.2.3", "1.2.4"}}
    assert [(p.view, p.sample) for p in seen.pages] == [(v, s) for v in View for s in (1, 2)]
    assert old.hosts == new.hosts == [f"{NAME}:{port}"] * 4
    assert seen.samples_asked == 2
    status, codes = judged(seen)
    assert status is Status.EXPOSED
    assert "flapping" in codes


async def test_the_reason_says_which_address_has_what(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(OLD), TWO: Node(NEW)})
    names[NAME] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/"))
    told = [reason.observed for reason in verdict(seen).reasons if reason.code == "flapping"]

    assert told[0] == (
        f"{ONE}: broken listed, fix not listed; {TWO}: broken listed, yanked, fix listed"
    )


async def test_what_was_asked_where_is_in_the_requests_and_in_the_evidence(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW), TWO: Node(NEW)})
    names[NAME] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/"))

    assert sorted(str(r.address) for r in seen.requests) == [ONE] * 4 + [TWO] * 4
    assert {r.url for r in seen.requests} == {f"http://{NAME}:{port}/simple/brokenpkg/"}
    for page in seen.pages:
        [evidence] = [e for e in seen.evidence if e.id in page.evidence]
        assert evidence.response["address"] == page.address
        assert f"--resolve {NAME}:{port}:{page.address}" in evidence.reproduce


async def test_nodes_that_agree_are_as_good_as_one(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW), TWO: Node(NEW)})
    names[NAME] = [ONE, TWO]
    status, codes = judged(await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/")))

    assert status is Status.ROLLED_FORWARD
    assert "flapping" not in codes


async def test_the_ninth_address_of_a_name_is_asked_too(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    every = [f"127.0.0.{n}" for n in range(1, 10)]
    port = await start({address: Node(NEW) for address in every[:8]} | {every[8]: Node(OLD)})
    names[NAME] = every
    status, codes = judged(await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/")))

    assert status is Status.EXPOSED
    assert "flapping" in codes


@pytest.mark.parametrize("samples", [1, 2])
async def test_addresses_that_were_not_asked_turn_nothing_green(
    names: dict[str, Sequence[str]],
    start: StartNodes,
    assign: MakeAssignment,
    samples: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 1)
    port = await start({ONE: Node(NEW)})
    names[NAME] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/", samples=samples))
    status, codes = judged(seen, samples=samples)

    assert status is Status.UNKNOWN
    assert codes & {"view-missing", "skipped"}
    assert {p.outcome for p in seen.pages if p.address == TWO} == {PageOutcome.SKIPPED}


@pytest.mark.parametrize("samples", [2, 3])
async def test_each_address_is_asked_as_often_as_the_location_says(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment, samples: int
) -> None:
    nodes = {ONE: Node(NEW), TWO: Node(NEW)}
    port = await start(nodes)
    names[NAME] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/", samples=samples))

    assert [len(node.hosts) for node in nodes.values()] == [4 * samples] * 2
    assert seen.samples_asked == 2 * samples
    assert {p.sample for p in seen.pages} == set(range(1, 2 * samples + 1))
    assert judged(seen, samples=samples)[0] is Status.ROLLED_FORWARD


async def test_a_sample_that_is_missing_of_one_address_turns_nothing_green(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW), TWO: Node(NEW)})
    names[NAME] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/"))
    less = replace(seen, pages=tuple(p for p in seen.pages if p.address == ONE))

    status, codes = judged(less)
    assert status is Status.UNKNOWN
    assert "view-missing" in codes


@pytest.mark.parametrize(("samples", "told"), [(1, 2), (3, 2)])
async def test_a_copy_whose_source_lacks_the_fix_is_read_once_at_each_address(
    names: dict[str, Sequence[str]],
    start: StartNodes,
    assign: MakeAssignment,
    samples: int,
    told: int,
) -> None:
    nodes = {ONE: Node(OLD), TWO: Node(OLD)}
    port = await start(nodes)
    names[NAME] = [ONE, TWO]
    assignment = assign(f"http://{NAME}:{port}/simple/", samples=samples)
    seen = await simple.KIND.observe(copying(assignment, lists_fix=False))

    assert [len(node.hosts) for node in nodes.values()] == [4, 4]
    assert seen.samples_asked == told


async def test_a_name_with_one_address_costs_no_request_more(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    node = Node(NEW)
    port = await start({ONE: node})
    names["localhost"] = [ONE, ONE, f"::ffff:{ONE}"]
    seen = await simple.KIND.observe(assign(f"http://localhost:{port}/simple/"))

    assert len(node.hosts) == len(seen.requests) == 4
    assert seen.samples_asked is None
    assert {p.address for p in seen.pages} == {None}


async def test_an_address_in_the_url_is_not_looked_up(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW)})
    seen = await simple.KIND.observe(assign(f"http://{ONE}:{port}/simple/"))

    assert seen.outcome is Outcome.OBSERVED
    assert await nodes_behind("http://[::1]/simple/", None) == Nodes()


async def test_a_hosts_bound_counts_all_its_addresses_together(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW), TWO: Node(NEW)})
    names[NAME] = [ONE, TWO]
    assignment = assign(f"http://{NAME}:{port}/simple/")
    await simple.KIND.observe(assignment)

    assert set(vars(assignment.limits)["hosts"]) == {f"{NAME}:{port}"}


# --- encrypted: the name counts, not the address


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def tls_context(authority: trustme.CA, name: str, node: Node) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    context.sni_callback = lambda _, server_name, __: node.server_names.append(server_name)
    return context


async def test_tls_names_the_host_and_checks_the_certificate_against_it(
    names: dict[str, Sequence[str]],
    start: StartNodes,
    assign: MakeAssignment,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    good, stranger = Node(NEW), Node(NEW)
    contexts = {
        ONE: tls_context(authority, NAME, good),
        TWO: tls_context(authority, "stranger.example", stranger),
    }
    port = await start({ONE: good, TWO: stranger}, contexts)
    names[NAME] = [ONE, TWO]
    credentials = Credentials(ca_file=str(ca_file))
    seen = await simple.KIND.observe(
        assign(f"https://{NAME}:{port}/simple/", credentials=credentials)
    )

    assert set(good.server_names) == set(stranger.server_names) == {NAME}
    assert stranger.hosts == []
    outcomes = {page.address: page.outcome for page in seen.pages}
    assert outcomes == {ONE: PageOutcome.OBSERVED, TWO: PageOutcome.UNREACHABLE}
    assert any(TWO in p.detail and "certificate" in p.detail for p in seen.pages)


# --- a machine that does not answer


async def test_a_dead_node_is_a_finding_and_is_asked_once(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW)})
    names[NAME] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/"))
    dead = [page for page in seen.pages if page.address == TWO]

    assert [page.outcome for page in dead] == [PageOutcome.UNREACHABLE] * 4
    assert {page.detail for page in dead} == {
        f"at {TWO}, one of its addresses: {NAME}:{port}: connection refused; is it running?"
    }
    assert len({page.evidence for page in dead}) == 1
    assert seen.outcome is Outcome.OBSERVED
    status, codes = judged(seen)
    assert status is Status.UNKNOWN
    assert "unreachable" in codes


async def test_a_dead_node_hides_no_exposure(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(OLD)})
    names[NAME] = [ONE, TWO]
    status, codes = judged(await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/")))

    assert status is Status.EXPOSED
    assert "unreachable" in codes


async def test_localhost_without_a_listener_on_ipv6_is_no_dead_node(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW)})
    names["localhost"] = ["::1", ONE]
    with routes_to(4, 6):
        seen = await simple.KIND.observe(assign(f"http://localhost:{port}/simple/"))

    assert {page.address for page in seen.pages} == {ONE}
    assert judged(seen)[0] is Status.ROLLED_FORWARD


async def test_a_family_without_route_makes_no_place_unknown_and_is_told(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    port = await start({ONE: Node(NEW)})
    names[NAME] = ["2001:db8::7", ONE]
    with routes_to(4):
        seen = await simple.KIND.observe(assign(f"http://{NAME}:{port}/simple/"))

    assert {page.outcome for page in seen.pages} == {PageOutcome.OBSERVED}
    [note] = seen.notes
    assert note.startswith(f"2001:db8::7 of {NAME} not asked: this machine has no IPv6 route")
    assert judged(seen)[0] is Status.ROLLED_FORWARD


async def test_without_any_route_nothing_is_left_out(names: dict[str, Sequence[str]]) -> None:
    names[NAME] = ["2001:db8::7", "192.0.2.7"]
    with routes_to():
        nodes = await nodes_behind(f"http://{NAME}/simple/", None)

    assert nodes == Nodes(addresses=("192.0.2.7", "2001:db8::7"))


async def test_an_unknown_name_is_unreachable_as_ever(
    names: dict[str, Sequence[str]], assign: MakeAssignment
) -> None:
    seen = await simple.KIND.observe(assign("http://nowhere.invalid:9/simple/"))

    assert seen.outcome is Outcome.UNREACHABLE
    assert "not found" in seen.detail


async def test_a_slow_resolver_does_not_hold_up_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(addresses, "LOOKUP_TIMEOUT_S", 0.01)
    token = lookup.set(never)
    assert await nodes_behind(f"http://{NAME}/simple/", None) == Nodes()
    lookup.reset(token)


async def test_a_host_is_looked_up_once_in_an_audit() -> None:
    asked: list[str] = []

    async def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return [ONE, TWO]

    token = lookup.set(look_up)
    book = AddressBook()
    urls = [f"http://{NAME}/a/", f"http://{NAME}/b/", f"https://{NAME}/a/"]
    found = await asyncio.gather(*(book.nodes(url, None) for url in urls))
    lookup.reset(token)

    assert found == [Nodes(addresses=(ONE, TWO))] * 3
    assert sorted(asked) == [f"{NAME}:443", f"{NAME}:80"]


# --- bounds, and what cannot be told


async def test_no_more_than_so_many_addresses_are_asked_of_both_families(
    names: dict[str, Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 8)
    names[NAME] = [f"2001:db8::{n}" for n in range(1, 10)] + ["192.0.2.9", "192.0.2.10"]
    with routes_to(4, 6):
        nodes = await nodes_behind(f"http://{NAME}/simple/", None)

    assert len(nodes.addresses) == 8
    assert nodes.left_out == ("2001:db8::7", "2001:db8::8", "2001:db8::9")
    assert nodes.addresses[:4] == ("192.0.2.9", "2001:db8::1", "192.0.2.10", "2001:db8::2")
    assert nodes.notes == (
        f"{NAME} stands for 11 addresses: only 8 of them were asked, not "
        "2001:db8::7, 2001:db8::8, 2001:db8::9",
    )


async def test_the_order_of_the_resolver_changes_nothing(names: dict[str, Sequence[str]]) -> None:
    found = []
    for answer in (["192.0.2.10", "192.0.2.9"], ["192.0.2.9", "192.0.2.10", "192.0.2.9"]):
        names[NAME] = answer
        with routes_to(4):
            found.append(await nodes_behind(f"http://{NAME}/", None))

    assert found == [Nodes(addresses=("192.0.2.9", "192.0.2.10"))] * 2


async def test_behind_a_proxy_addresses_are_not_told_apart_and_the_note_says_so(
    names: dict[str, Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names[NAME] = [ONE, TWO]
    note = f"the proxy looks up {NAME}: addresses behind that name were not told apart"
    via = await nodes_behind(f"http://{NAME}/simple/", "http://127.0.0.1:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")

    assert via == await nodes_behind(f"https://{NAME}/simple/", None) == Nodes(notes=(note,))
    assert await nodes_behind("http://127.0.0.1:9/simple/", "http://127.0.0.1:3128") == Nodes()


async def test_a_redirect_to_another_host_leaves_the_address(
    names: dict[str, Sequence[str]],
    start: StartNodes,
    serve_elsewhere: Callable[[str], Awaitable[int]],
    assign: MakeAssignment,
) -> None:
    other = Node(NEW)
    target = await start({ONE: other})
    port = await serve_elsewhere(f"http://{ONE}:{target}/simple/brokenpkg/")
    names["localhost"] = [ONE, TWO]
    seen = await simple.KIND.observe(assign(f"http://localhost:{port}/simple/"))

    assert {page.address for page in seen.pages} == {ONE, TWO}
    assert len(other.hosts) == 8
    assert {(r.address is None) for r in seen.requests if f":{target}/" in r.url} == {True}


@pytest.fixture
async def serve_elsewhere() -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    """Start a server at both addresses that redirects everything."""
    stack = AsyncExitStack()

    async def serve(url: str) -> int:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": url})

        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = free_port(ONE, TWO)
        await web.TCPSite(runner, ONE, port).start()
        await web.TCPSite(runner, TWO, port).start()
        return port

    async with stack:
        yield serve


async def test_pips_builtin_index_is_a_delivery_network_and_is_not_multiplied(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    nodes = {ONE: Node(NEW), TWO: Node(NEW)}
    port = await start(nodes)
    names["localhost"] = [ONE, TWO]
    settings = {"pip_builtin": True}
    seen = await simple.KIND.observe(assign(f"http://localhost:{port}/simple/", settings=settings))

    assert sum(len(node.hosts) for node in nodes.values()) == 4
    assert {page.address for page in seen.pages} == {None}


async def test_both_families_of_one_name_are_told_apart(
    names: dict[str, Sequence[str]], start: StartNodes, assign: MakeAssignment
) -> None:
    try:
        port = await start({ONE: Node(OLD), "::1": Node(NEW)})
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error.strerror}")
    names["localhost"] = ["::1", ONE]
    seen = await simple.KIND.observe(assign(f"http://localhost:{port}/simple/"))

    assert by_address(seen.pages) == {ONE: {"1.2.3"}, "::1": {"1.2.3", "1.2.4"}}


async def test_an_audit_asks_each_node_and_its_requests_equal_their_access_logs(
    names: dict[str, Sequence[str]], start: StartNodes
) -> None:
    nodes = {ONE: Node(OLD), TWO: Node(NEW)}
    port = await start(nodes)
    names[NAME] = [ONE, TWO]
    text = (
        '[[incidents]]\nproject = "brokenpkg"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'
        f'[[locations]]\nname = "mirror"\nkind = "simple"\nurl = "http://{NAME}:{port}/simple/"\n'
    )
    plan = resolve(parse_document(text, name="a.toml"), load_kinds(), environ={}).plan
    seen = await Audit(plan, {}, load_kinds()).run()
    [run] = judge(plan, seen)

    assert [(v.location.name, v.status) for v in run.verdicts] == [("mirror", Status.EXPOSED)]
    assert "flapping" in stage.codes(run.verdicts[0])
    asked = Counter(request.address for request in run.requests)
    assert asked == {address: len(node.hosts) for address, node in nodes.items()}
