"""Kind `proxpi`: its listing, as often as asked for, and its cache directory; never a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from auditor.contracts import GuardPolicy, SourceFacts
from auditor.lab.artifacts import Artifact, build_release, build_wheel
from auditor.model import (
    FileHosting,
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    PageOutcome,
    View,
)
from auditor.testing import check_kind
from probes.proxpi import KIND
from tests.probes.conftest import MakeAssignment, Serve, Server, json_page, page_response

WHEEL, SDIST = build_release("brokenpkg", "1.2.3")
OTHER = build_wheel("brokenpkg", "1.2.3", body="\nOTHER = True\n")
HOST = "files-example-org"


def listing(*artifacts: Artifact) -> bytes:
    files: list[dict[str, object]] = [
        {"filename": a.filename, "url": a.filename, "hashes": {"sha256": a.sha256}}
        for a in artifacts
    ]
    return json_page(*files, serial=None)


def store(cache: Path, artifact: Artifact) -> Path:
    """Put a file where proxpi does: below the host, at the path of its URL."""
    file = cache / HOST / artifact.path.removeprefix("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(artifact.content)
    return file


Look = Callable[..., Awaitable[tuple[Observation, Server]]]


@pytest.fixture
def look(serve: Serve, assign: MakeAssignment) -> Look:
    async def at(
        *bodies: bytes | int, source: SourceFacts | None = None, **keys: object
    ) -> tuple[Observation, Server]:
        """Answer with these bodies or statuses in turn."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            body = bodies[(len(server.log) - 1) % len(bodies)]
            return web.Response(status=body) if isinstance(body, int) else page_response(body)

        server = await serve(answer)
        assignment = assign(f"{server.url}/index/", kind="proxpi", **keys)
        return await KIND.observe(replace(assignment, source=source)), server

    return at


def held(seen: Observation) -> list[tuple[str, HeldState, str | None]]:
    return [(h.filename, h.state, h.sha256) for h in seen.holdings]


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "cache_path"])
async def test_it_keeps_the_contract(key: str | None, tmp_path: Path) -> None:
    more = {key: str(tmp_path)} if key else {}
    await check_kind(KIND, lambda stage: {"url": stage.simple_url, **more})


async def test_over_http_it_is_not_known_what_is_held_even_if_the_source_has_it_no_more(
    look: Look,
) -> None:
    """proxpi keeps a failed fetch too, and redirects from then on: it is never asked for a file."""
    gone = SourceFacts(name="source", lists_fix=True, gone=frozenset({WHEEL.filename}))
    known = (WHEEL.fingerprint(),)

    seen, server = await look(listing(WHEEL), source=gone, fingerprints=known)

    assert {(asked.method, asked.path) for asked in server.log} == {("GET", "/index/brokenpkg/")}
    assert seen.holdings == ()
    assert seen.holdings_complete is None
    assert seen.file_hosting is FileHosting.HERE
    assert [hint.code for hint in seen.hints] == ["no-safe-probe"]


@pytest.mark.parametrize("key", ["cache_path", "path"])
async def test_the_cache_directory_proves_what_is_held(
    key: str, look: Look, tmp_path: Path
) -> None:
    file = store(tmp_path, WHEEL)
    file.with_name(f"{file.name}.metadata").write_bytes(WHEEL.metadata)
    file.with_name(f"{SDIST.filename}.proxpi-partial").write_bytes(b"begun")
    named: dict[str, object] = (
        {"path": str(tmp_path)} if key == "path" else {"settings": {key: str(tmp_path)}}
    )

    seen, _ = await look(listing(WHEEL, SDIST), **named)

    assert held(seen) == [(WHEEL.filename, HeldState.HELD, WHEEL.sha256)]
    assert seen.holdings_complete is True
    assert seen.hints == ()
    (evidence,) = (e for e in seen.evidence if e.id in seen.holdings[0].evidence)
    assert str(file) in evidence.request


@pytest.mark.parametrize(
    ("kept", "complete"),
    [
        (None, False),
        ("notes.txt", False),
        ("other-1.0.tar.gz", False),
        ("downloads/other-1.0.tar.gz", False),
        (f"{HOST}/notes.txt", False),
        (f"{HOST}/packages/other-1.0.tar.gz", True),
        ("127-0-0-1/packages/ab/other-1.0-py3-none-any.whl", True),
        ("nexus/packages/other-1.0.tar.gz", True),  # where the source's files are known to be
    ],
)
async def test_only_a_directory_that_looks_like_proxpis_proves_that_nothing_is_held(
    kept: str | None, complete: bool, look: Look, tmp_path: Path
) -> None:
    if kept is not None:
        (tmp_path / kept).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / kept).write_bytes(b"whatever")

    known = Fingerprint(filename=WHEEL.filename, url=f"http://nexus/packages/{WHEEL.filename}")
    seen, _ = await look(listing(WHEEL), path=str(tmp_path), fingerprints=(known,))

    assert held(seen) == []
    assert seen.holdings_complete is complete
    assert any("PROXPI_CACHE_DIR" in note for note in seen.notes) is not complete


async def test_a_file_that_is_listed_no_more_is_kept_as_an_orphan(
    look: Look, tmp_path: Path
) -> None:
    store(tmp_path, WHEEL)

    seen, _ = await look(listing(*build_release("brokenpkg", "1.2.4")), path=str(tmp_path))

    assert held(seen) == [(WHEEL.filename, HeldState.SHADOWED, WHEEL.sha256)]
    assert "404" in seen.holdings[0].how


async def test_a_listing_that_cannot_be_read_makes_no_orphan(look: Look, tmp_path: Path) -> None:
    store(tmp_path, WHEEL)

    seen, _ = await look(500, path=str(tmp_path))

    assert held(seen) == [(WHEEL.filename, HeldState.HELD, WHEEL.sha256)]


async def test_both_copies_of_a_replaced_file_are_found_and_the_right_one_calms(
    look: Look, tmp_path: Path
) -> None:
    """Replaced at a new path, the old bytes stay beside the new ones; nobody gets them."""
    store(tmp_path, WHEEL)
    only_old, _ = await look(listing(OTHER), path=str(tmp_path))
    store(tmp_path, OTHER)
    both, _ = await look(listing(OTHER), path=str(tmp_path))

    assert WHEEL.path != OTHER.path
    assert [hint.code for hint in only_old.hints] == ["stored-bytes-differ"]
    assert WHEEL.sha256 in only_old.hints[0].observed
    assert {h.sha256 for h in both.holdings} == {WHEEL.sha256, OTHER.sha256}
    assert both.hints == ()


async def test_a_known_digest_is_found_under_any_name(look: Look, tmp_path: Path) -> None:
    store(tmp_path, WHEEL).rename(tmp_path / "9f2b")
    known = Fingerprint(version="1.2.3", sha256=WHEEL.sha256, size=len(WHEEL.content))

    seen, _ = await look(listing(), path=str(tmp_path), fingerprints=(known,))

    assert held(seen) == [("9f2b", HeldState.SHADOWED, WHEEL.sha256)]


async def test_a_cut_copy_accuses_nobody(look: Look, tmp_path: Path) -> None:
    file = store(tmp_path, WHEEL)
    file.write_bytes(WHEEL.content[:-40])

    seen, _ = await look(listing(WHEEL), path=str(tmp_path))

    assert [h.intact for h in seen.holdings] == [False]


@pytest.mark.parametrize("name", ["nowhere", "file"])
async def test_a_cache_directory_that_is_none_proves_nothing(
    name: str, look: Look, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")

    seen, _ = await look(listing(WHEEL), path=str(tmp_path / name))

    assert seen.outcome is Outcome.OBSERVED
    assert seen.holdings_complete is False
    assert any("no directory" in note for note in seen.notes)


async def test_with_inert_the_directory_alone_is_read(look: Look, tmp_path: Path) -> None:
    store(tmp_path, WHEEL)

    seen, server = await look(listing(WHEEL), path=str(tmp_path), policy=GuardPolicy(inert=True))

    assert server.log == []
    assert held(seen) == [(WHEEL.filename, HeldState.HELD, WHEEL.sha256)]


async def test_workers_that_disagree_show_in_the_samples_of_one_view(look: Look) -> None:
    """Two pages in turn: each view is asked in another order each time, so it meets both."""
    old, new = listing(WHEEL), listing(WHEEL, *build_release("brokenpkg", "1.2.4"))

    seen, server = await look(old, new, samples=4)

    assert len(server.log) == 16
    for view in View:
        pages = [page for page in seen.pages if page.view is view]
        assert len({len(page.candidates) for page in pages}) == 2, view
    assert not any("asked once" in note for note in seen.notes)


async def test_a_worker_that_is_out_of_reach_of_its_upstream_is_no_absence(look: Look) -> None:
    seen, _ = await look(500)

    assert {page.outcome for page in seen.pages} == {PageOutcome.UNREACHABLE}
    assert seen.outcome is Outcome.UNREACHABLE
    assert any("answers 500" in note for note in seen.notes)


async def test_an_empty_page_is_shown_with_its_doubt(look: Look) -> None:
    seen, _ = await look(listing())

    assert seen.outcome is Outcome.OBSERVED
    assert any("charset" in note for note in seen.notes)


async def test_one_sample_says_that_workers_may_differ(look: Look) -> None:
    seen, _ = await look(listing(WHEEL))

    assert any("set samples" in note for note in seen.notes)


async def test_every_client_class_names_what_it_accepts(look: Look) -> None:
    """Without an Accept header proxpi answers 406."""
    _, server = await look(listing(WHEEL))

    assert len(server.log) == 4
    assert all(asked.headers.get("Accept") for asked in server.log)


async def test_without_a_url_it_is_not_looked_at(assign: MakeAssignment, tmp_path: Path) -> None:
    seen = await KIND.observe(assign(path=str(tmp_path), kind="proxpi"))

    assert seen.outcome is Outcome.SKIPPED


def test_the_remedies_warn_of_what_was_measured() -> None:
    refresh, wait, remove = KIND.remedies

    assert "first see that its upstream answers" in refresh.caution
    assert "One call reaches one worker" in refresh.caution
    assert "do not DELETE" in wait.caution
    assert "not while it runs" in remove.caution
    assert KIND.expected_lag_s == 1800
