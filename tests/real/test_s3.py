"""Buckets of moto's real server: what lies in them, in every version, and how it is found."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.contracts import Credentials
from auditor.lab.artifacts import Artifact, build_release, build_wheel
from auditor.model import (
    FileHosting,
    Fingerprint,
    HeldState,
    Observation,
    Outcome,
    PageOutcome,
    Role,
    Touch,
    View,
)
from auditor.observations import encode
from probes.s3_bucket import layout, listing
from tests.real.s3_buckets import ACCESS_KEY, SECRET_KEY, Bucket, by_name, moto
from tests.real_programs import require

pytestmark = [
    pytest.mark.real,
    pytest.mark.real_program("moto"),
    # One server for all of them.
    pytest.mark.xdist_group("moto"),
]

GOOD, BROKEN, FIXED = (build_release("brokenpkg", v)[0] for v in ("1.2.2", "1.2.3", "1.2.4"))
OTHER = build_wheel("brokenpkg", "1.2.3", body="\nOTHER = True\n")
HELD, SHADOWED = HeldState.HELD, HeldState.SHADOWED


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto(require("moto"), tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent/aws")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made = Bucket(server)
    yield made
    made.client.close()


def broken_holdings(found: Observation) -> list[tuple[str, HeldState]]:
    return [(h.filename, h.state) for h in found.holdings if h.version == "1.2.3"]


@pytest.mark.parametrize(
    "key",
    [
        "{}",
        "brokenpkg/{}",
        "simple/brokenpkg/{}",
        "Brokenpkg/1.2.3/{}",
        "linux/{}",
        "linux/brokenpkg/{}",
        "linux/x86_64/{}",
    ],
)
async def test_a_file_is_found_by_its_name_in_every_usual_place(bucket: Bucket, key: str) -> None:
    bucket.put(key.format(BROKEN.filename), BROKEN.content, ChecksumAlgorithm="SHA256")
    for place in ("linux/", "linux/x86_64/", "windows/", "flask/"):
        bucket.put(f"{place}flask-3.0-py3-none-any.whl")

    found = await bucket.look()

    (holding,) = found.holdings
    assert (found.outcome, found.holdings_complete) == (Outcome.OBSERVED, True)
    assert (HELD, BROKEN.sha256) == (holding.state, holding.sha256)


async def test_a_name_with_parts_is_found_in_each_spelling(bucket: Bucket) -> None:
    names = ["my-pkg-1.2.3.tar.gz", "my_pkg-1.2.3.tar.gz", "My_Pkg-1.2.3.tar.gz"]
    names += ["my.pkg-1.2.3.tar.gz", "mY-PkG-1.2.3.tar.gz"]
    for name in names:
        bucket.put(name)
    known = Fingerprint(filename="mY-PkG-1.2.3.tar.gz", version="1.2.3")

    found = await bucket.look(project="my-pkg", fingerprints=(known,))

    assert sorted(names) == sorted(h.filename for h in found.holdings)


async def test_a_bucket_too_large_to_be_listed_is_searched_by_names_and_never_clean(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "SURVEY_KEYS", 5)
    monkeypatch.setattr("probes.s3_bucket.versions._SURVEY_KEYS", 5)
    monkeypatch.setattr(listing, "PAGE_KEYS", 5)
    monkeypatch.setattr("probes.s3_bucket.search.SWEEP_PAGES", 2)
    for number in range(30):
        bucket.put(f"a{number}-1.0-py3-none-any.whl")
    bucket.put(BROKEN.filename, BROKEN.content)
    bucket.put("brokenpkg_extra-1.0-py3-none-any.whl")

    found = await bucket.look()
    whole = await bucket.look(list_all=True)

    assert [(BROKEN.filename, HELD)] == broken_holdings(found) == broken_holdings(whole)
    assert (found.holdings_complete, whole.holdings_complete) == (False, True)
    assert any("list_all = true" in note for note in found.notes)
    assert len([r for r in found.requests if "prefix=&" in r.url]) == 4
    assert all("brokenpkg" in note.lower() for note in found.notes if "searched" in note)


ELSEWHERE = {
    "after 100 flat keys": "wheels/{}",
    "after 100 directories of projects": "wheels/{}",
    "beside 25 others that sort": "team-zz/{}",
    "after 100 wheels in a project's directory": "acme/{}",
    "deep": "a/b/c/d/e/{}",
}


@pytest.mark.parametrize("layout_of", ELSEWHERE)
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_copy_in_a_directory_of_any_name_is_found(
    bucket: Bucket, layout_of: str, deleted: bool
) -> None:
    others = {
        "after 100 flat keys": [f"0fill-{n}.0.tar.gz" for n in range(110)],
        "after 100 directories of projects": [f"a{n}/a{n}-1.0.tar.gz" for n in range(110)],
        "beside 25 others that sort": [f"team-{n}/foo-{n}.0.tar.gz" for n in range(25)],
        "after 100 wheels in a project's directory": [f"acme/acme-{n}.tar.gz" for n in range(110)],
        "deep": ["x-1.0.tar.gz", "y/y-1.0.tar.gz", "z/z-1.0.tar.gz"],
    }
    key = ELSEWHERE[layout_of].format(BROKEN.filename)
    bucket.keep_versions()
    for other in others[layout_of]:
        bucket.put(other)
    bucket.put(key, BROKEN.content)
    if deleted:
        bucket.delete(key)

    found = await bucket.look()

    assert [(BROKEN.filename, SHADOWED if deleted else HELD)] == broken_holdings(found)
    assert found.holdings_complete
    assert not [note for note in found.notes if "not known" in note]


@pytest.mark.parametrize("list_all", [False, True])
async def test_directories_in_which_everything_was_deleted_are_listed_too(
    bucket: Bucket, list_all: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain listing does not show them, so that no part of a whole listing is theirs."""
    monkeypatch.setattr("probes.s3_bucket.versions._SURVEY_KEYS", 1)
    bucket.keep_versions()
    for key in (f"old/{BROKEN.filename}", "a/a-1.0.tar.gz", "z/z-1.0.tar.gz"):
        bucket.put(key, BROKEN.content)
    bucket.delete(f"old/{BROKEN.filename}")

    found = await bucket.look(list_all=list_all)

    assert [(BROKEN.filename, SHADOWED)] == broken_holdings(found)
    assert found.holdings_complete


@pytest.mark.parametrize("name", ["BROKENPKG-1.2.3.tar.gz", "BrokenPkg-1.2.3.tar.gz"])
async def test_the_case_of_a_name_hides_nothing(bucket: Bucket, name: str) -> None:
    for number in range(110):
        bucket.put(f"0fill-{number}.0.tar.gz")
    bucket.put(name)

    found = await bucket.look()

    assert [(name, HELD)] == broken_holdings(found)


async def test_the_same_bytes_under_another_name_are_found_if_all_is_listed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("backup/old.bin", BROKEN.content)
    bucket.put("backup/same-size.bin", b"y" * BROKEN.size)
    known = BROKEN.fingerprint()
    only_sha256 = replace(known, md5=None, crc32=None)

    by_md5 = await bucket.look(fingerprints=(known,), list_all=True)
    by_bytes = await bucket.look(fingerprints=(only_sha256,), list_all=True)
    monkeypatch.setattr("probes.s3_bucket.holdings.MAX_READ", 0)
    by_nothing = await bucket.look(fingerprints=(only_sha256,), list_all=True)

    (holding,) = by_md5.holdings
    assert ("old.bin", BROKEN.sha256, "1.2.3") == (
        holding.filename,
        holding.sha256,
        holding.version,
    )
    assert by_md5.holdings_complete
    assert [h.filename for h in by_bytes.holdings] == ["old.bin"]
    assert by_bytes.holdings_complete
    # As large as the broken file, and nothing to compare: nobody can say that it is not.
    assert by_nothing.holdings_complete is False
    assert any("as large as a broken file" in note for note in by_nothing.notes)


@pytest.mark.parametrize("name", [FIXED.filename, "brokenpkg-1.2.4.post1-py3-none-any.whl"])
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("read", [True, False])
async def test_broken_bytes_under_the_name_of_the_fix_are_never_clean(
    bucket: Bucket, name: str, sized: bool, read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 stores CRC-32 and MD5 with a file, an index page states SHA-256."""
    monkeypatch.setattr("probes.s3_bucket.holdings.MAX_READ", 20 if read else 0)
    bucket.put(name, BROKEN.content)
    known = replace(BROKEN.fingerprint(), md5=None, crc32=None)
    known = known if sized else replace(known, size=None)
    other = replace(known, size=known.size + 1 if known.size else None)

    found = await bucket.look(fingerprints=(known,))
    of_another_size = await bucket.look(fingerprints=(other,))

    if read:
        assert broken_holdings(found) == [(name, HELD)]
    else:
        assert found.holdings_complete is False
        assert any("and shows no digest" in note for note in found.notes)
        assert of_another_size.holdings_complete is sized
    bucket.put(name, BROKEN.content, ChecksumAlgorithm="SHA256")
    by_digest = await bucket.look(fingerprints=(known,))
    assert broken_holdings(by_digest) == [(name, HELD)]
    assert not [r for r in by_digest.requests if r.method == "GET" and name in r.url]


async def test_the_fix_itself_is_told_from_the_broken_file_by_its_digest(bucket: Bucket) -> None:
    bucket.put(FIXED.filename, FIXED.content, ChecksumAlgorithm="SHA256")
    only_sha256 = replace(BROKEN.fingerprint(), md5=None, crc32=None, size=None)

    found = await bucket.look(fingerprints=(only_sha256,))

    assert found.holdings_complete


async def test_a_whole_listing_in_parts_misses_nothing(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_KEYS", 3)
    bucket.keep_versions()
    for place in ("", "a/", "b/c/", "d/"):
        bucket.put(f"{place}{BROKEN.filename}", place.encode())
        bucket.put(f"{place}x-1.0.tar.gz")
    bucket.delete(f"a/{BROKEN.filename}")

    found = await bucket.look(list_all=True)

    assert sorted((h.state for h in found.holdings), key=lambda s: s.value, reverse=True) == [
        SHADOWED,
        HELD,
        HELD,
        HELD,
    ]
    assert found.holdings_complete


async def test_a_deleted_file_is_shadowed_where_versions_are_kept(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put(BROKEN.filename, BROKEN.content, ChecksumAlgorithm="SHA256")
    bucket.delete(BROKEN.filename)

    found = await bucket.look()

    (holding,) = found.holdings
    assert (SHADOWED, BROKEN.sha256) == (holding.state, holding.sha256)
    assert "delete marker" in holding.how
    assert any("Enabled" in note for note in found.notes)


async def test_a_replaced_file_is_there_twice(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put(BROKEN.filename, BROKEN.content, ChecksumAlgorithm="SHA256")
    bucket.put(BROKEN.filename, OTHER.content, ChecksumAlgorithm="SHA256")

    found = await bucket.look()

    states = {h.sha256: h.state for h in found.holdings}
    assert {OTHER.sha256: HELD, BROKEN.sha256: SHADOWED} == states
    assert "replaced by a newer version" in by_name(found)[BROKEN.filename][1].how


async def test_versions_of_before_versioning_was_suspended_are_seen(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put(BROKEN.filename, BROKEN.content)
    bucket.put(BROKEN.filename, OTHER.content)
    bucket.keep_versions("Suspended")

    found = await bucket.look()

    assert any("versioning: Suspended" in note for note in found.notes)

    assert sorted([HELD, SHADOWED]) == sorted(h.state for h in found.holdings)


async def test_pages_may_split_versions_and_markers(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_KEYS", 4)
    monkeypatch.setattr("probes.s3_bucket.versions._SURVEY_KEYS", 4)
    bucket.keep_versions()
    for _ in range(4):
        bucket.put(BROKEN.filename, BROKEN.content)
        bucket.put(FIXED.filename, FIXED.content)
        bucket.delete(BROKEN.filename)

    found = await bucket.look()

    states = [h.state for h in found.holdings]
    assert (states.count(SHADOWED), states.count(HELD)) == (7, 1)
    pages = [r for r in found.requests if "versions&prefix=&" in r.url]
    assert len(pages) == 4  # the first, and then all


async def test_a_digest_of_parts_is_not_taken_for_that_of_the_file(bucket: Bucket) -> None:
    bucket.put_in_parts(BROKEN.filename, BROKEN.content, ChecksumAlgorithm="SHA256")

    (holding,) = (await bucket.look()).holdings

    assert (
        holding.state,
        holding.sha256,
        holding.md5,
        holding.crc32,
    ) == (HELD, None, None, None)
    assert "uploaded in parts" in holding.how
    assert holding.size == BROKEN.size


async def test_a_default_upload_is_identified_by_md5_and_crc32(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename, BROKEN.content)
    known = BROKEN.fingerprint()

    (named,) = (await bucket.look()).holdings
    (identified,) = (await bucket.look(fingerprints=(known,))).holdings
    without_md5 = replace(known, md5=None, sha256=None)
    (by_crc,) = (await bucket.look(fingerprints=(without_md5,))).holdings

    assert (None, known.md5, known.crc32) == (named.sha256, named.md5, named.crc32)
    assert (BROKEN.sha256, "MD5 are those") == (
        identified.sha256,
        identified.how[identified.how.index("MD5 are") :][:13],
    )
    assert "size and CRC-32 are those of a broken artifact" in by_crc.how


async def test_other_bytes_of_a_file_without_sha256_have_another_md5(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename, OTHER.content)

    (holding,) = (await bucket.look(fingerprints=(BROKEN.fingerprint(),))).holdings

    assert (None, OTHER.md5) == (holding.sha256, holding.md5)
    assert "those of a broken artifact" not in holding.how


async def test_the_etag_of_an_encrypted_object_accuses_nobody(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename, OTHER.content, ServerSideEncryption="aws:kms")

    (holding,) = (await bucket.look(fingerprints=(BROKEN.fingerprint(),))).holdings

    assert holding.md5 is None


async def test_an_empty_file_is_damaged(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename, b"")

    (holding,) = (await bucket.look()).holdings

    assert (holding.size, holding.intact) == (0, False)


async def test_a_public_bucket_is_read_without_credentials(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename)

    found = await bucket.look(credentials=Credentials())

    assert broken_holdings(found) == [(BROKEN.filename, HELD)]
    assert any("without credentials" in note for note in found.notes)


async def test_keys_of_the_environment_and_of_a_profile_are_used(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket.put(BROKEN.filename)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    from_environment = await bucket.look(credentials=Credentials())
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    file = tmp_path / "credentials"
    file.write_text(
        f"[ci]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "ci")
    from_profile = await bucket.look(credentials=Credentials())

    for found in (from_environment, from_profile):
        assert [(BROKEN.filename, HELD)] == broken_holdings(found)


async def test_a_profile_that_is_not_there_is_said(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    found = await bucket.look(credentials=Credentials())

    assert found.outcome is Outcome.MALFORMED
    assert "nobody" in found.detail
    assert found.requests == ()


@pytest.mark.slow
async def test_wrong_keys_are_refused(bucket: Bucket, tmp_path: Path) -> None:
    # Only a server of its own can be told to check keys.
    environment = {"INITIAL_NO_AUTH_ACTION_COUNT": "3"}
    with moto(require("moto"), tmp_path, environment) as url:
        strict = Bucket(url)
        strict.put(BROKEN.filename)
        found = await strict.look()
        strict.client.close()

    assert found.outcome is Outcome.DENIED
    assert "check the rights of these credentials" in found.detail
    assert found.holdings_complete is False


@pytest.mark.parametrize("level", [logging.DEBUG])
async def test_no_secret_is_ever_written(
    bucket: Bucket, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    token = "canary-session-token-99QQ"
    login = Credentials(username=ACCESS_KEY, password=SECRET_KEY, token=token)
    bucket.put(BROKEN.filename)
    bucket.put(
        "brokenpkg/index.html",
        f'<a href="{token}/{BROKEN.filename}">{SECRET_KEY}</a>'.encode(),
        ContentType="text/html",
    )
    with caplog.at_level(level):
        store = await bucket.look(credentials=login)
        index = await bucket.look(credentials=login, role=Role.INDEX)

    assert store.holdings
    assert index.pages[0].candidates
    for written in (repr(store), repr(index), encode(index).decode(), caplog.text):
        for secret in (ACCESS_KEY, SECRET_KEY, token):
            assert secret not in written


async def test_an_audit_changes_nothing_and_asks_only_to_read(bucket: Bucket) -> None:
    bucket.keep_versions()
    for artifact in (GOOD, BROKEN, FIXED):
        bucket.put(f"brokenpkg/{artifact.filename}", artifact.content)
    bucket.delete(f"brokenpkg/{BROKEN.filename}")
    put_page(bucket, GOOD, FIXED)
    before = bucket.everything()

    found = await bucket.look(role=Role.INDEX, list_all=True)

    assert before == bucket.everything()
    assert {"GET", "HEAD"} >= {r.method for r in found.requests}
    assert {Touch.INERT} == {r.touch for r in found.requests}
    bodies = [r.url for r in found.requests if r.method == "GET" and ".whl" in r.url]
    assert bodies == []


async def test_a_mistyped_prefix_is_not_an_absent_project(bucket: Bucket) -> None:
    bucket.put(f"prod/{BROKEN.filename}")

    found = await bucket.look(prefix="prdo/")

    assert found.outcome is Outcome.MALFORMED
    assert "nothing is below" in found.detail


async def test_a_prefix_whose_files_are_all_deleted_is_there(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put("prod/flask-1.0.tar.gz")
    bucket.delete("prod/flask-1.0.tar.gz")

    found = await bucket.look(prefix="prod")

    assert (found.outcome, found.holdings_complete) == (Outcome.ABSENT, True)


async def test_a_bucket_that_is_not_there_is_not_an_absent_project(bucket: Bucket) -> None:
    found = await bucket.look(bucket="no-such-bucket")

    assert found.outcome is Outcome.MALFORMED
    assert "NoSuchBucket" in found.detail


async def test_directories_by_digest_hide_files_from_names(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.s3_bucket.versions._SURVEY_KEYS", 1)
    monkeypatch.setattr(layout, "MAX_DIRECTORIES", 1)
    monkeypatch.setattr(listing, "PAGE_KEYS", 1)
    monkeypatch.setattr("probes.s3_bucket.search.SWEEP_PAGES", 1)
    bucket.put("packages/00/11/x-0.9.tar.gz")
    bucket.put(f"packages/ab/cd/{BROKEN.filename}")
    bucket.put("packages/ef/01/x-1.0.tar.gz")

    by_names = await bucket.look()
    whole = await bucket.look(list_all=True)

    assert (by_names.holdings_complete, by_names.holdings) == (False, ())
    assert any("list_all = true" in note for note in by_names.notes)
    assert [(BROKEN.filename, HELD)] == broken_holdings(whole)
    assert whole.holdings_complete


HOSTILE = [
    "\x1b[31mred\x1b[0m/{}",
    "a" * 900 + "/{}",
    "100%41+&=/{}",
    "\N{SNOWMAN}/{}",
    "<script>alert(1)</script>/{}",
]


async def test_hostile_keys_are_read_and_shown_safely(bucket: Bucket) -> None:
    for key in HOSTILE:
        bucket.put(key.format(BROKEN.filename), BROKEN.content, ChecksumAlgorithm="SHA256")

    found = await bucket.look(list_all=True, fingerprints=(BROKEN.fingerprint(),))

    assert len(HOSTILE) == len(broken_holdings(found))
    assert {BROKEN.sha256} == {h.sha256 for h in found.holdings}
    texts = [h.how for h in found.holdings]
    texts += [text for e in found.evidence for text in (e.request, e.reproduce)]
    assert all(text.isprintable() for text in (*texts, *found.notes))


def page_of(*artifacts: Artifact, base: str = "") -> bytes:
    links = [f'<a href="{base}{a.filename}#sha256={a.sha256}">{a.filename}</a>' for a in artifacts]
    return f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>".encode()


def put_page(bucket: Bucket, *artifacts: Artifact, key: str = "brokenpkg/index.html") -> None:
    body = page_of(*artifacts)
    bucket.put(key, body, ContentType="text/html", CacheControl="private, max-age=600")


@pytest.mark.parametrize(
    "key", ["brokenpkg/index.html", "simple/brokenpkg/index.html", "simple/brokenpkg/"]
)
async def test_an_index_page_is_read_as_what_clients_get(bucket: Bucket, key: str) -> None:
    directory = key.rpartition("/")[0]
    for artifact in (BROKEN, FIXED):
        bucket.put(f"{directory}/{artifact.filename}", artifact.content)
    put_page(bucket, BROKEN, FIXED, key=key)

    found = await bucket.look(role=Role.INDEX)

    (page,) = found.pages
    assert (page.outcome, page.view, page.complete) == (PageOutcome.OBSERVED, View.PIP, True)
    assert [c.version for c in page.candidates] == ["1.2.3", "1.2.4"]
    assert (found.file_hosting, found.holdings_complete) == (FileHosting.HERE, True)
    assert found.hints == ()
    fetched, expires = page.freshness.fetched_at, page.freshness.expires_at
    assert fetched is not None
    assert expires == fetched + timedelta(seconds=600)


async def test_an_index_that_lists_a_deleted_file_breaks_its_clients(bucket: Bucket) -> None:
    for artifact in (GOOD, BROKEN, FIXED):
        bucket.put(f"brokenpkg/{artifact.filename}", artifact.content)
    put_page(bucket, GOOD, BROKEN)
    bucket.delete(f"brokenpkg/{BROKEN.filename}")

    found = await bucket.look(role=Role.INDEX)

    (hint,) = found.hints
    assert (hint.code, BROKEN.filename in hint.text) == ("listed-but-missing", True)
    assert [(BROKEN.filename, HeldState.NOT_HELD)] == broken_holdings(found)
    assert any(FIXED.filename in note and "does not list it" in note for note in found.notes)


async def test_a_listed_file_that_is_only_hidden_is_shadowed(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put(f"brokenpkg/{BROKEN.filename}", BROKEN.content)
    put_page(bucket, BROKEN)
    bucket.delete(f"brokenpkg/{BROKEN.filename}")

    found = await bucket.look(role=Role.INDEX)

    assert [hint.code for hint in found.hints] == ["listed-but-missing"]
    assert [(BROKEN.filename, SHADOWED)] == broken_holdings(found)


async def test_files_that_a_page_links_elsewhere_in_the_bucket_are_asked_for(
    bucket: Bucket,
) -> None:
    bucket.put(f"files/ab/{BROKEN.filename}", BROKEN.content, ChecksumAlgorithm="SHA256")
    page = page_of(BROKEN, FIXED, base="../files/ab/")
    bucket.put("brokenpkg/index.html", page, ContentType="text/html")

    found = await bucket.look(role=Role.INDEX)

    assert [(BROKEN.filename, HELD)] == broken_holdings(found)
    assert [hint.code for hint in found.hints] == ["listed-but-missing"]


async def test_one_page_that_lists_every_file_is_an_index_too(bucket: Bucket) -> None:
    body = page_of(BROKEN, build_wheel("flask", "1.0"))
    bucket.put("index.html", body, ContentType="text/html")
    bucket.put(BROKEN.filename)

    found = await bucket.look(role=Role.INDEX)

    assert [[c.version for c in page.candidates] for page in found.pages] == [["1.2.3"]]


async def test_an_index_without_the_project_is_absent_and_a_bucket_without_index_is_wrong(
    bucket: Bucket,
) -> None:
    bucket.put("flask-1.0-py3-none-any.whl")
    none = await bucket.look(role=Role.INDEX)
    bucket.put("simple/flask/index.html", page_of(GOOD), ContentType="text/html")
    some = await bucket.look(role=Role.INDEX)

    assert (none.outcome, some.outcome) == (Outcome.MALFORMED, Outcome.ABSENT)


async def test_a_json_page_beside_it_is_a_view_of_its_own(bucket: Bucket) -> None:
    put_page(bucket, BROKEN)
    files = [{"filename": FIXED.filename, "url": FIXED.filename, "hashes": {}}]
    body = json.dumps({"meta": {"api-version": "1.0"}, "name": "brokenpkg", "files": files})
    bucket.put(
        "brokenpkg/index.json", body.encode(), ContentType="application/vnd.pypi.simple.v1+json"
    )

    found = await bucket.look(role=Role.INDEX)

    listed = {page.view: [c.version for c in page.candidates] for page in found.pages}
    assert listed == {View.PIP: ["1.2.3"], View.UV: ["1.2.4"]}


async def test_a_page_of_no_type_is_none_to_pip(bucket: Bucket) -> None:
    bucket.put("brokenpkg/index.html", page_of(BROKEN), ContentType="binary/octet-stream")

    found = await bucket.look(role=Role.INDEX)

    assert found.outcome is Outcome.MALFORMED
    assert "Content-Type" in found.detail


async def test_a_store_with_pages_says_that_it_could_be_an_index(bucket: Bucket) -> None:
    put_page(bucket, BROKEN)

    found = await bucket.look()

    assert found.pages == ()
    assert any('role = "index"' in note for note in found.notes)


@pytest.mark.parametrize("key", ["brokenpkg/index.html", "simple/brokenpkg/index.html"])
async def test_where_no_role_is_given_pages_of_the_project_make_it_an_index(
    bucket: Bucket, key: str
) -> None:
    bucket.put(FIXED.filename, FIXED.content)
    put_page(bucket, BROKEN, key=key)

    found = await bucket.look(role_open=True)

    (page,) = found.pages
    assert (found.outcome, page.outcome) == (Outcome.OBSERVED, PageOutcome.OBSERVED)
    assert [BROKEN.filename] == [c.filename for c in page.candidates]


async def test_where_no_role_is_given_a_page_of_a_website_leaves_it_a_store(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename, BROKEN.content)
    bucket.put("index.html", b"<html><body>Welcome</body></html>", ContentType="text/html")

    found = await bucket.look(role_open=True)
    bucket.put("index.html", index_of(BROKEN), ContentType="text/html")
    listed = await bucket.look(role_open=True)

    assert (found.outcome, found.pages) == (Outcome.OBSERVED, ())
    assert [BROKEN.filename] == [c.filename for page in listed.pages for c in page.candidates]


async def test_a_bucket_says_whether_a_deletion_would_leave_the_bytes(bucket: Bucket) -> None:
    bucket.put(BROKEN.filename, BROKEN.content)
    assert (await bucket.look()).traits == ("unversioned",)
    bucket.keep_versions()
    assert (await bucket.look()).traits == ("versioned",)


def index_of(*artifacts: Artifact) -> bytes:
    links = (f'<a href="{a.filename}#sha256={a.sha256}">{a.filename}</a>' for a in artifacts)
    return f"<html><body>{''.join(links)}</body></html>".encode()


async def test_a_page_under_another_spelling_is_a_finding_and_not_the_page(bucket: Bucket) -> None:
    """pip asks for simple/brokenpkg/, and S3 answers 404: it compares case."""
    bucket.put(f"simple/Brokenpkg/{FIXED.filename}", FIXED.content)
    bucket.put("simple/Brokenpkg/index.html", index_of(FIXED), ContentType="text/html")
    only_other = await bucket.look(role=Role.INDEX)
    bucket.put("simple/brokenpkg/index.html", index_of(BROKEN), ContentType="text/html")
    both = await bucket.look(role=Role.INDEX)

    assert only_other.outcome is Outcome.ABSENT
    assert [hint.code for hint in only_other.hints] == ["misspelt-page"]
    assert [c.filename for page in both.pages for c in page.candidates] == [BROKEN.filename]
    assert "misspelt-page" in [hint.code for hint in both.hints]


async def test_every_place_that_may_be_the_index_is_read(bucket: Bucket) -> None:
    for artifact in (BROKEN, FIXED):
        bucket.put(f"brokenpkg/{artifact.filename}", artifact.content)
    bucket.put("simple/brokenpkg/index.html", index_of(FIXED), ContentType="text/html")
    bucket.put("brokenpkg/index.html", index_of(BROKEN), ContentType="text/html")

    found = await bucket.look(role=Role.INDEX)

    assert [(p.sample, [c.filename for c in p.candidates]) for p in found.pages] == [
        (1, [FIXED.filename]),
        (2, [BROKEN.filename]),
    ]


async def test_pages_of_other_projects_fill_no_memory(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.s3_bucket.search.MAX_KEPT", 3)
    for number in range(9):
        bucket.put(f"simple/other{number}/index.html", b"")
    bucket.put("simple/index.html", b"")

    assert (await bucket.look()).holdings_complete
