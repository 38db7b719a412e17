"""What may be shown to the public, and that nothing else is left, in every format."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from auditor.model import Run
from auditor.model.document import run_to_document
from auditor.model.stored_run import document_to_run
from auditor.redacted_text import TextRedactor, Vocabulary
from auditor.redacting import public_hosts, redact
from auditor.registry import format_names, load_format
from tests.reports import sample_runs
from tests.reports.embedded import embedded
from tests.reports.hostile import NASTY, hostile_run
from tests.reports.private_run import (
    CANARY,
    DIGEST,
    FILE,
    HOST,
    PATH,
    PUBLIC_HOST,
    SENTENCE,
    URL,
    private_run,
)

ADDRESSES = ("10.11.12.13", "2001:db8:ca:7::1")


def redacted() -> Run:
    return redact(private_run(), {PUBLIC_HOST})


def document(run: Run) -> Any:
    return json.loads(json.dumps(run_to_document(run)))


@pytest.mark.parametrize("name", format_names())
def test_no_canary_is_left_in_any_format(name: str) -> None:
    report = load_format(name)
    before = report.render(private_run(), {"width": 4_000})
    after = report.render(redacted(), {"width": 4_000})
    if name == "html":
        after += json.dumps(embedded(after))

    assert CANARY in before.lower()
    assert CANARY not in after.lower()
    assert not [address for address in ADDRESSES if address in after]


def test_public_facts_are_kept() -> None:
    text = json.dumps(document(redacted()))

    for fact in (FILE, DIGEST, f"https://{PUBLIC_HOST}/simple/brokenpkg/", "1.2.4", "stale-page"):
        assert fact in text
    assert redacted().incident.project == "brokenpkg"
    assert redacted().summary.exit_code == private_run().summary.exit_code


def test_a_sentence_stays_a_sentence() -> None:
    (note, bucket) = redacted().verdicts[0].notes

    assert bucket == "bucket setting-1 holds it"
    for kept in ("refused;", " answered, so did ", "wrote path-", f"/{FILE}", " lists ", " read "):
        assert kept in note
    assert re.search(r"https://host-\d+\.invalid/…/simple/brokenpkg/", note)
    assert "1.2.3+local" in note


def test_the_same_stand_in_stands_everywhere() -> None:
    row = document(redacted())["locations"][0]
    request = document(redacted())["requests"][0]
    host = re.match(r"https://([^/]+)/", row["url"])

    assert host
    assert row["name"] == request["location"] == "place-1"
    assert request["url"].startswith(f"https://{host[1]}/")
    assert row["evidence"][0]["request"].startswith(f"GET https://{host[1]}/")
    assert host[1] in row["reasons"][0]["text"]
    assert document(redacted())["deletion"]["locations"] == ["place-1"]


def test_evidence_of_private_places_keeps_its_digest_and_its_command() -> None:
    (evidence,) = redacted().verdicts[0].evidence

    assert evidence.digest == f"sha256:{DIGEST}"
    assert evidence.excerpt == "(withheld)"
    assert sorted(evidence.response) == ["error", "etag", "status"]
    assert re.fullmatch(
        r"curl -H 'Accept: text/html' https://host-\d+\.invalid/…/simple/brokenpkg/",
        evidence.reproduce,
    )


def test_evidence_of_public_places_is_kept_as_it_is() -> None:
    before = next(v for v in private_run().verdicts if v.is_source)
    after = next(v for v in redacted().verdicts if v.is_source)

    assert after.location == replace(before.location, declared_at=None)
    assert [e.excerpt for e in after.evidence] == [e.excerpt for e in before.evidence]


def test_a_lock_file_keeps_its_name_only_if_everybody_has_one_like_it() -> None:
    pins = [pin.where for pin in redacted().verdicts[0].pins]

    assert pins[0] == "requirements.txt:3"
    assert re.fullmatch(r"path-\d+:9", pins[1])


def test_names_that_say_nothing_are_kept() -> None:
    names = {v.location.name for v in redact(sample_runs.world()).verdicts}

    assert {"source", "pip-cache", "wheelhouse"} <= names
    assert not [name for name in names if "mirror" in name]


def test_redacting_is_pure_and_its_result_is_a_run_like_any_other() -> None:
    assert redacted() == redacted()
    assert document(document_to_run(document(redacted()))) == document(redacted())


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_hostile_text_can_be_redacted_in_no_time(text: str) -> None:
    run = redact(hostile_run(text))

    assert run.verdicts
    assert not [v for v in run.verdicts if v.location.name == text]


def redactor(**changes: Any) -> TextRedactor:
    words = Vocabulary(
        project="brokenpkg",
        versions=frozenset({"1.2.3", "1.2.3.4"}),
        public_hosts=frozenset({PUBLIC_HOST}),
        private_hosts=frozenset({"mirror.acme.example"}),
        names={"Oslo": "place-1", "ab": "place-2"},
    )
    return TextRedactor(replace(words, **changes))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Oslo is late", "place-1 is late"),
        ("Osloer is a word, and ab is one", "Osloer is a word, and ab is one"),
        ("see http://mirror.acme.example:8080/simple/", "see http://host-1.invalid/simple/"),
        ("mirror.acme.example:80 and www.acme.example", "host-1.invalid and host-2.invalid"),
        ("http://me:secret@index.example/x/", "http://index.example/…/"),
        ("https://index.example/simple/a/", "https://index.example/simple/a/"),
        ("from 192.0.2.1 to 1.2.3.4", "from host-1.invalid to 1.2.3.4"),
        ("db.corp and printer.local", "host-1.invalid and host-2.invalid"),
        ("[::1]:3141 or fe80::1:2:3", "host-1.invalid or host-2.invalid"),
        ("at 13:00:04, sha256:00ff", "at 13:00:04, sha256:00ff"),
        ("pip/26.3 sent text/html, HTTP/1.1", "pip/26.3 sent text/html, HTTP/1.1"),
        ("n/a and 3/4 on 2026/11/20", "n/a and 3/4 on 2026/11/20"),
        ("/home/me/x.txt", "path-1"),
        ("--dest /srv/wheels brokenpkg==1.2.3", "--dest path-1 brokenpkg==1.2.3"),
        ("me@acme.example wrote", "somebody@host.invalid wrote"),
        ("brokenpkg-1.2.3+acme.4-py3-none-any.whl", "brokenpkg-1.2.3+local-py3-none-any.whl"),
        ("brokenpkg-1.2.3+acme.4.tar.gz", "brokenpkg-1.2.3+local.tar.gz"),
        ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+json"),
        ("2026-11-20T13:00:04+00:00", "2026-11-20T13:00:04+00:00"),
        ("s3://acme-wheels/prod/x.whl", "s3://host-1.invalid/…"),
        ("file:///srv/acme/simple/", "file:///…/"),
        ("http://[broken/", "https://host-0.invalid/…"),
    ],
)
def test_a_text_is_redacted_where_it_is_private(text: str, shown: str) -> None:
    assert redactor()(text) == shown


def test_the_hosts_that_everybody_knows_are_those_of_pip_and_of_the_mirror_list() -> None:
    hosts = public_hosts()

    assert len(hosts) > 10
    assert HOST not in hosts
    assert all("." in host and "/" not in host for host in hosts)


def test_the_sample_sentence_holds_what_the_tests_speak_of() -> None:
    assert CANARY in SENTENCE
    assert CANARY in URL
    assert CANARY in PATH
