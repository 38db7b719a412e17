"""Kind `s3` before servers that do what no honest one does, and its pure parts."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
import trustme
from aiohttp import web

from auditor.contracts import Credentials, GuardPolicy
from auditor.errors import GuardRefused, ProbeError
from auditor.lab.artifacts import build_wheel
from auditor.model import (
    Fingerprint,
    HeldState,
    Incident,
    Location,
    Observation,
    Outcome,
    Role,
    Touch,
)
from auditor.testing import check_kind
from probes.kit.origins import Origin
from probes.s3 import KIND
from probes.s3_bucket import sending
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.identity import Identity, identify
from probes.s3_bucket.names import key_beginnings, spellings
from probes.s3_bucket.place import place_of
from tests.probes.conftest import MakeAssignment, Serve, Server

ACCESS_KEY, SECRET_KEY = "AKIA0CANARY0ACCESS00", "canary-secret-7Qe1/Zk+2bXw9"
LOGIN = Credentials(username=ACCESS_KEY, password=SECRET_KEY)
WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"
FIX = "brokenpkg-1.2.4-py3-none-any.whl"
XML = "application/xml"

Answer = web.Response | Callable[[web.Request], web.Response]


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent/aws")


def xml(root: str, *parts: str, status: int = 200) -> web.Response:
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    text = f'<?xml version="1.0"?><{root} xmlns="{namespace}">{"".join(parts)}</{root}>'
    return web.Response(text=text, status=status, content_type=XML)


def error(status: int, code: str) -> web.Response:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'
    return web.Response(text=text, status=status, content_type=XML)


def objects(*keys: str, more: str = "") -> web.Response:
    entries = [
        f"<Contents><Key>{escape(quote(k))}</Key><Size>3</Size><ETag>x</ETag></Contents>"
        for k in keys
    ]
    cut = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{more}</NextContinuationToken>"
    return xml(
        "ListBucketResult", "<EncodingType>url</EncodingType>", *entries, cut if more else ""
    )


def versions(*keys: str) -> web.Response:
    entries = [
        f"<Version><Key>{escape(quote(k))}</Key><VersionId>v{n}</VersionId>"
        f"<IsLatest>true</IsLatest><Size>3</Size><ETag>x</ETag></Version>"
        for n, k in enumerate(keys)
    ]
    return xml("ListVersionsResult", "<EncodingType>url</EncodingType>", *entries)


NEVER = xml("VersioningConfiguration")


class Canned:
    """Answers each operation with what it is told; files have heads, pages have bodies."""

    def __init__(self, *keys: str, **answers: Answer) -> None:
        self.keys = keys
        self.answers = answers
        self.pages: Mapping[str, bytes] = {}
        self.headers: Mapping[str, str] = {}

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        name = self._operation(request)
        chosen = self.answers.get(name) or self._usual(name, request)
        answer = chosen(request) if callable(chosen) else _copy(chosen)
        answer.headers.update(self.headers)
        return answer

    def _operation(self, request: web.BaseRequest) -> str:
        for key, name in (("versioning", "state"), ("versions", "versions"), ("list-type", "list")):
            if key in request.rel_url.query:
                return name
        return "head" if request.method == "HEAD" else "get"

    def _usual(self, name: str, request: web.BaseRequest) -> Answer:
        prefix = request.rel_url.query.get("prefix", "")
        ours = [key for key in self.keys if key.startswith(prefix)]
        key = request.rel_url.path.removeprefix("/wheels/")
        if name == "get" and key in self.pages:
            return web.Response(body=self.pages[key], content_type="text/html")
        found = web.Response(headers={"ETag": '"0123456789abcdef0123456789abcdef"'})
        missing = web.Response(status=404)
        usual: Mapping[str, Answer] = {
            "state": NEVER,
            "versions": versions(*ours),
            "list": objects(*ours),
            "head": found if key in self.keys else missing,
        }
        return usual.get(name) or error(404, "NoSuchKey")


def _copy(answer: web.Response) -> web.Response:
    headers = {"Content-Type": answer.headers.get("Content-Type", XML)}
    headers |= {k: v for k, v in answer.headers.items() if k in ("Location", "ETag")}
    headers |= {k: v for k, v in answer.headers.items() if k.lower().startswith("x-amz")}
    return web.Response(body=answer.body, status=answer.status, headers=headers)


Look = Callable[..., Any]


@pytest.fixture
def look(assign: MakeAssignment, serve: Serve) -> Look:
    async def looking(
        canned: Canned, *, settings: dict[str, Any] | None = None, **how: Any
    ) -> tuple[Observation, Server]:
        server = await serve(canned)
        chosen = {"bucket": "wheels", "endpoint_url": server.url, **(settings or {})}
        more: dict[str, Any] = {"credentials": LOGIN, "role": Role.STORE, **how}
        work = assign("s3://wheels/", kind="s3", settings=chosen, **more)
        return await KIND.observe(work), server

    return looking


def broken(found: Observation) -> list[HeldState]:
    return [h.state for h in found.holdings if h.version == "1.2.3"]


async def test_what_is_listed_is_held_and_complete(look: Look) -> None:
    found, _ = await look(Canned(WHEEL, FIX))

    assert (found.outcome, found.holdings_complete) == (Outcome.OBSERVED, True)
    assert broken(found) == [HeldState.HELD]


async def test_nothing_of_the_project_is_absent_only_where_versions_are_known(look: Look) -> None:
    found, _ = await look(Canned("flask-1.0.tar.gz"))

    assert (found.outcome, found.holdings_complete) == (Outcome.ABSENT, True)


@pytest.mark.parametrize(
    "refusal",
    [
        error(403, "AccessDenied"),
        error(501, "NotImplemented"),
        error(405, "MethodNotAllowed"),
        error(500, "InternalError"),
        objects("flask-1.0.tar.gz"),  # a server that ignores the question for versions
        versions(),  # one that lists no version of what it lists
        web.Response(text="<html>sorry</html>", content_type="text/html"),
    ],
    ids=["denied", "not implemented", "not allowed", "broken", "ignored", "none", "html"],
)
async def test_a_bucket_whose_versions_are_not_known_is_never_clean(
    look: Look, refusal: web.Response
) -> None:
    state = error(403, "AccessDenied")
    found, _ = await look(Canned("flask-1.0.tar.gz", versions=refusal, state=state), timeout_s=60.0)

    assert (found.outcome, found.holdings_complete) == (Outcome.OBSERVED, False)
    assert any("older versions are not known" in note for note in found.notes)


async def test_a_bucket_that_never_kept_versions_has_none(look: Look) -> None:
    refused = error(403, "AccessDenied")
    kept = xml("VersioningConfiguration", "<Status>Enabled</Status>")

    never, _ = await look(Canned("flask-1.0.tar.gz", versions=refused))
    enabled, _ = await look(Canned("flask-1.0.tar.gz", versions=refused, state=kept))
    ignored, _ = await look(Canned("flask-1.0.tar.gz", versions=refused, state=objects()))

    assert (never.outcome, never.holdings_complete) == (Outcome.ABSENT, True)
    assert (enabled.outcome, enabled.holdings_complete) == (Outcome.OBSERVED, False)
    assert (ignored.outcome, ignored.holdings_complete) == (Outcome.OBSERVED, False)


async def test_without_the_right_to_list_known_names_are_asked_for(look: Look) -> None:
    canned = Canned(f"brokenpkg/{WHEEL}", list=error(403, "AccessDenied"))
    known = (Fingerprint(filename=WHEEL, version="1.2.3"),)

    found, _ = await look(canned, fingerprints=known)

    assert (found.outcome, found.holdings_complete) == (Outcome.DENIED, False)
    assert broken(found) == [HeldState.HELD]
    assert "check the rights" in found.detail


async def test_a_checksum_that_may_not_be_read_leaves_the_file_held(look: Look) -> None:
    found, _ = await look(Canned(WHEEL, head=web.Response(status=403)))

    (holding,) = found.holdings
    assert (holding.state, holding.sha256, holding.md5) == (HeldState.HELD, None, None)
    assert "403" in holding.how


async def test_what_is_listed_and_not_there_is_not_known(look: Look) -> None:
    found, _ = await look(Canned(WHEEL, head=web.Response(status=404)))

    assert (broken(found), found.holdings_complete) == ([HeldState.UNKNOWN], False)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed_to_another_host(
    look: Look, serve: Serve, status: int
) -> None:
    elsewhere = await serve(Canned(WHEEL))
    headers = {"Location": f"{elsewhere.url}/wheels", "x-amz-bucket-region": "eu-west-1"}
    redirect = web.Response(status=status, headers=headers)

    found, server = await look(Canned(list=redirect))

    assert elsewhere.log == []
    assert len(server.log) == 1
    assert found.outcome is Outcome.MALFORMED
    assert 'region = "eu-west-1"' in found.detail


async def test_boto3_does_not_look_for_another_region_by_itself(look: Look) -> None:
    wrong = (
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>no</Message>"
        "<Region>eu-west-1</Region></Error>"
    )
    found, server = await look(Canned(list=web.Response(text=wrong, status=400, content_type=XML)))

    assert {"GET"} == {asked.method for asked in server.log}
    assert found.outcome is Outcome.MALFORMED
    assert "eu-west-1" not in " ".join(asked.path for asked in server.log)


async def test_a_listing_without_end_is_stopped(look: Look) -> None:
    again = objects(WHEEL, more="again")
    canned = Canned(WHEEL, list=again, versions=error(501, "NotImplemented"))

    found, server = await look(canned)

    assert any("repeats its own mark" in note for note in found.notes)
    assert (found.holdings_complete, broken(found)) == (False, [HeldState.HELD])
    assert len(server.log) < 40


@pytest.mark.slow
async def test_a_listing_with_ever_new_marks_ends_with_the_time(look: Look) -> None:
    count = 0

    def another(_: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return objects(more=f"mark{count}")

    canned = Canned(list=another, versions=error(501, "NotImplemented"))
    found, _ = await asyncio.wait_for(look(canned, timeout_s=2.0), 4)

    assert found.holdings_complete is False
    assert any("time of this location" in note for note in found.notes)


@pytest.mark.slow
async def test_every_attempt_is_recorded_and_their_number_is_bounded(look: Look) -> None:
    found, server = await look(Canned(list=error(503, "SlowDown")))

    assert [r.status for r in found.requests] == [503] * 3
    assert len(server.log) == 3
    assert found.outcome is Outcome.UNREACHABLE
    assert found.connected is True


async def test_a_server_that_is_down_is_unreachable(assign: MakeAssignment) -> None:
    settings = {"bucket": "wheels", "endpoint_url": "http://127.0.0.1:9"}
    work = assign("s3://wheels/", kind="s3", role=Role.STORE, settings=dict(settings))

    found = await KIND.observe(work)

    assert (found.outcome, found.connected) == (Outcome.UNREACHABLE, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff",
        b"<ListBucketResult>",
        b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><ListBucketResult>&a;</ListBucketResult>",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><ListBucketResult>&a;</ListBucketResult>".encode(
            "utf-16"
        ),
        "<ListBucketResult></ListBucketResult>".encode("utf-16"),
        b"<ListBucketResult><Contents><Key>x</Key><Size>many</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><LastModified>x</LastModified></Contents></ListBucketResult>",
        b"<ListBucketResult>" + b"<Contents/>" * 100_000 + b"</ListBucketResult>",
    ],
    ids=[
        "empty",
        "binary",
        "cut",
        "doctype",
        "doctype in UTF-16",
        "UTF-16",
        "size",
        "date",
        "too large",
    ],
)
async def test_what_is_no_listing_is_never_an_empty_bucket(
    look: Look, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MAX_XML_BYTES", 1_000_000)
    found, _ = await look(Canned(list=web.Response(body=body, content_type=XML)))

    assert found.outcome in (Outcome.MALFORMED, Outcome.UNREACHABLE)
    assert not found.holdings_complete


async def test_hostile_keys_are_shown_safely(look: Look) -> None:
    keys = [f"line\nbreak/{WHEEL}", f"../../etc/{WHEEL}", f"\x1b[2J/{WHEEL}", "b" * 9000]
    keys += [f"brokenpkg-1.2.3.tar.gz\n{WHEEL}", f"\u202e/{WHEEL}"]

    found, _ = await look(Canned(*keys), settings={"list_all": True})

    assert len(broken(found)) == 4
    texts = [h.how for h in found.holdings] + [h.filename for h in found.holdings]
    texts += [text for e in found.evidence for text in (e.request, e.reproduce)]
    assert all(text.isprintable() and len(text) < 3000 for text in texts)


async def test_keys_that_were_not_asked_for_count_for_nothing(look: Look) -> None:
    canned = Canned(list=objects(f"other/{WHEEL}"), versions=versions(f"other/{WHEEL}"))

    found, _ = await look(canned, settings={"prefix": "prod/"})

    assert found.holdings == ()


async def test_with_a_cache_in_front_no_file_is_asked_for(look: Look) -> None:
    canned = Canned(WHEEL, "brokenpkg/index.html")
    canned.headers = {"Via": "1.1 cache.example"}
    canned.pages = {"brokenpkg/index.html": f'<a href="../{WHEEL}">x</a>'.encode()}

    found, server = await look(canned, role=Role.INDEX)
    inert, _ = await look(canned, role=Role.INDEX, policy=GuardPolicy(inert=True))

    assert "HEAD" not in {asked.method for asked in server.log}
    assert broken(found) == [HeldState.HELD]
    pages = [r for r in found.requests if r.url.endswith("index.html")]
    assert [r.touch for r in pages] == [Touch.REFRESHES_INDEX]
    assert any("a cache is in front" in note for note in found.notes)
    assert inert.outcome is Outcome.SKIPPED


async def test_through_a_proxy_no_file_is_asked_for(look: Look, serve: Serve) -> None:
    proxy = await serve(Canned(WHEEL))
    settings = {"endpoint_url": "http://s3.corp.example", "via": proxy.url}

    found, _ = await look(Canned(), settings=settings)

    assert broken(found) == [HeldState.HELD]
    assert all(a.path.startswith("http://s3.corp.example/wheels?") for a in proxy.log)
    assert found.proxy == proxy.url


@pytest.mark.parametrize(
    "operation", ["DeleteObject", "PutObject", "HeadBucket", "GetBucketPolicy", "CreateSession"]
)
async def test_nothing_but_reads_gets_out(
    operation: str, assign: MakeAssignment, serve: Serve
) -> None:
    server = await serve(Canned(WHEEL))
    settings = {"bucket": "wheels", "endpoint_url": server.url}
    work = assign("s3://wheels/", kind="s3", settings=dict(settings), credentials=LOGIN)
    async with S3Client(work, place_of(work.location)) as client:
        key = {"Key": "x"} if "Object" in operation else {}
        with pytest.raises((GuardRefused, ProbeError)):
            await client.call(operation, **key)

    assert server.log == []
    assert work.ledger.records() == ()


async def test_credentials_are_not_fetched_from_anywhere(
    look: Look, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = await serve(Canned())
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata.url}/creds")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url)

    found, server = await look(Canned(WHEEL), credentials=Credentials())

    assert metadata.log == []
    assert broken(found) == [HeldState.HELD]
    assert not any("Authorization" in asked.headers for asked in server.log)


async def test_a_cancelled_look_asks_for_no_more_pages(
    assign: MakeAssignment, serve: Serve
) -> None:
    asked = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        return objects(more="next")

    server = await serve(slow)
    settings = {"bucket": "wheels", "endpoint_url": server.url}
    work = assign("s3://wheels/", kind="s3", role=Role.STORE, settings=dict(settings))
    looking = asyncio.ensure_future(KIND.observe(work))
    await asked.wait()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(looking, 1)
    seen = len(server.log)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("s3-wheels"):  # what the look left behind
            await asyncio.to_thread(thread.join, 5)

    assert len(server.log) == seen == 1


async def test_a_key_that_holds_a_secret_is_not_asked_for(look: Look) -> None:
    token = "canary-session-token-99QQ"
    canned = Canned("brokenpkg/index.html")
    canned.pages = {"brokenpkg/index.html": f'<a href="{token}/{WHEEL}">x</a>'.encode()}
    login = Credentials(username=ACCESS_KEY, password=SECRET_KEY, token=token)

    found, server = await look(canned, role=Role.INDEX, credentials=login)

    assert not any(token in asked.path for asked in server.log)
    assert token not in repr(found)
    assert any(a.headers.get("X-Amz-Security-Token") == token for a in server.log)


@pytest.mark.slow
async def test_the_contract_of_probes_holds() -> None:
    def place(stage: Any) -> dict[str, object]:
        return {"url": "s3://wheels/", "endpoint_url": stage.url}

    # The stage speaks no S3.
    await check_kind(KIND, place, skip={"healthy"})


@pytest.fixture
async def over_tls(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """A bucket behind https, and the file of the authority that vouches for it."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    runner = web.ServerRunner(web.Server(Canned(WHEEL)), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}", str(file)
    await runner.cleanup()


async def test_a_certificate_is_verified_unless_told_otherwise(
    over_tls: tuple[str, str], assign: MakeAssignment
) -> None:
    url, ca_file = over_tls

    async def looked(**trusting: Any) -> Observation:
        login = Credentials(username=ACCESS_KEY, password=SECRET_KEY, **trusting)
        settings = {"bucket": "wheels", "endpoint_url": url}
        work = assign(
            "s3://wheels/", kind="s3", role=Role.STORE, settings=dict(settings), credentials=login
        )
        return await KIND.observe(work)

    unknown = await looked()
    named = await looked(ca_file=ca_file)
    insecure = await looked(insecure=True)

    assert (unknown.outcome, unknown.connected) == (Outcome.UNREACHABLE, True)
    assert "ca_file" in unknown.detail
    assert broken(named) == broken(insecure) == [HeldState.HELD]
    assert ["was not verified" in " ".join(o.notes) for o in (named, insecure)] == [False, True]


async def test_half_a_login_is_not_quietly_replaced_by_another(look: Look) -> None:
    found, server = await look(Canned(WHEEL), credentials=Credentials(username=ACCESS_KEY))

    assert found.outcome is Outcome.MALFORMED
    assert "belong together" in found.detail
    assert server.log == []


def incident(project: str = "my-pkg", *names: str) -> Incident:
    known = tuple(Fingerprint(filename=name) for name in names)
    return Incident(
        id="x", project=project, broken=("1.2.3",), fixed=("1.2.4",), fingerprints=known
    )


def test_a_project_is_looked_for_in_every_usual_spelling() -> None:
    assert spellings(incident("flask")) == ("flask", "Flask")
    known = incident("my-pkg", "MyPkg-1.2.3.tar.gz", "MY_pkg-1.2.3-py3-none-any.whl", "x.zip")
    assert spellings(known) == (
        *("my-pkg", "my_pkg", "my.pkg", "MY_pkg"),
        *("My-Pkg", "My_Pkg", "My.Pkg"),
    )
    assert key_beginnings(incident("flask")) == ("flask-", "flask/", "Flask-", "Flask/")


def at(**settings: str) -> Location:
    return Location(name="x", kind="s3", role=Role.STORE, settings=dict(settings))


@pytest.mark.parametrize(
    "settings",
    [{}, {"bucket": "a/b"}, {"bucket": "arn:aws:s3:x"}, {"bucket": "b", "region": "x.example/"}],
)
def test_a_place_that_is_none_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ProbeError):
        place_of(at(**settings))


@pytest.mark.parametrize(("prefix", "meant"), [("prod", "prod/"), ("/a/b/", "a/b/"), ("/", "")])
def test_a_prefix_is_a_directory(prefix: str, meant: str) -> None:
    assert place_of(at(bucket="b", prefix=prefix)).prefix == meant


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:9000/wheels/a/b%2Bc.whl", "a/b+c.whl"),
        ("http://localhost:9000/wheels/a.whl", "a.whl"),
        ("http://127.0.0.1:9000/a.whl", "a.whl"),  # a website's top
        ("http://127.0.0.1:9001/wheels/a.whl", None),
        ("https://cdn.example/a.whl", None),
        ("http://wheels.s3-website.eu-west-1.s3.example/a.whl", "a.whl"),
        ("mailto:x", None),
        ("http://[::1", None),
    ],
)
def test_a_link_means_a_key_or_leads_out(url: str, key: str | None) -> None:
    place = place_of(at(bucket="wheels"))
    assert place.key_of(url, Origin("http", "127.0.0.1", 9000)) == key


ARTIFACT = build_wheel("brokenpkg", "1.2.3")


@pytest.mark.parametrize(
    ("known", "by"),
    [
        (Identity(sha256=ARTIFACT.sha256), "SHA-256"),
        (Identity(sha256="0" * 64, md5=ARTIFACT.md5, size=ARTIFACT.size), None),
        (Identity(md5=ARTIFACT.md5, size=ARTIFACT.size), "MD5"),
        (Identity(etag_md5=ARTIFACT.md5), "MD5"),
        (Identity(md5=ARTIFACT.md5, size=1), None),
        (Identity(md5="0" * 32, size=ARTIFACT.size), None),
        (Identity(crc32=ARTIFACT.fingerprint().crc32, size=ARTIFACT.size), "size and CRC-32"),
        (Identity(crc32=ARTIFACT.fingerprint().crc32), None),
        (Identity(size=ARTIFACT.size), None),
        (Identity(), None),
    ],
)
def test_bytes_are_identified_by_the_strongest_that_is_known(
    known: Identity, by: str | None
) -> None:
    asked = Incident(
        id="x",
        project="brokenpkg",
        broken=("1.2.3",),
        fixed=("1.2.4",),
        fingerprints=(ARTIFACT.fingerprint(),),
    )
    found = identify(known, asked)
    assert (found[1] if found else None) == by


def test_every_command_of_aws_goes_to_the_server_of_the_place() -> None:
    commands = [remedy.command for remedy in KIND.remedies if "aws " in remedy.command]
    assert commands
    for command in commands:
        assert command.count("aws ") == command.count("aws {endpoint_option}")


def test_what_removes_the_visible_object_is_not_offered_for_an_older_version() -> None:
    remove = next(r for r in KIND.remedies if "s3 rm" in r.command)
    versions = next(r for r in KIND.remedies if "--version-id" in r.command)
    assert (remove.states, versions.traits) == ((HeldState.HELD,), ("versioned",))
