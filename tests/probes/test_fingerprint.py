"""Recognising a server by what it answered, and what kind `simple` makes of that."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from auditor.contracts import Assignment
from auditor.model import Observation, PageOutcome
from probes import simple
from probes.kit.answer import Answer, Headers
from probes.kit.fingerprint import Recognition, SerialNature, Software
from tests.probes.conftest import (
    Handler,
    MakeAssignment,
    Serve,
    entry,
    json_page,
    page_response,
)

URL = "https://index.example/simple/brokenpkg/"
JSON = "application/vnd.pypi.simple.v1+json"


def answer(body: str = "", url: str = URL, status: int = 200, **headers: str) -> Answer:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(
        method="GET",
        sent_headers=(),
        asked_url=url,
        url=url,
        status=status,
        headers=Headers(fields),
        body=body.encode(),
        fetched_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def seen(*answers: Answer) -> Recognition:
    recognition = Recognition()
    for one in answers:
        recognition.see(one)
    return recognition


HEADERS = {
    Software.DEVPI: {"X_Devpi_Api_Version": "2"},
    Software.NEXUS: {"Server": "Nexus/3.75.1-01 (OSS)"},
    Software.ARTIFACTORY: {"X_Artifactory_Id": "abc", "X_JFrog_Version": "Artifactory/7.98.7"},
    Software.GITLAB: {"X_Gitlab_Meta": '{"version":"1"}'},
    Software.AZURE: {"X_TFS_ProcessId": "e5f0", "X_VSS_E2EID": "77"},
    Software.PULP: {"X_PyPI_Last_Serial": "1000000000"},
}
BODIES = {
    Software.PROXPI: '<head><meta name="generator" content="proxpi"><title>brokenpkg</title>',
    Software.PULP: '<a href="https://h.example/pulp/content/main/brokenpkg-1.2.3.tar.gz#sha256=1">',
    Software.PYPISERVER: '<meta name="viewport" content="width=device-width">\n<title>Links for '
    "brokenpkg</title>\n</head>\n<body>\n<h1>Links for brokenpkg</h1>",
    Software.NGINX_LISTING: "<html><head><title>Index of /simple/brokenpkg/</title></head>\n<body>"
    '\n<h1>Index of /simple/brokenpkg/</h1><hr><pre><a href="../">../</a>',
    Software.APACHE_LISTING: '<h1>Index of /simple/brokenpkg</h1>\n<ul><li><a href="/simple/">',
    Software.PYTHON_LISTING: "<h1>Directory listing for /simple/brokenpkg/</h1>",
    Software.SIMPLEINDEX: '\n<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n</head>\n'
    '<body>\n<a href="./brokenpkg-1.2.3.tar.gz">brokenpkg-1.2.3.tar.gz</a>\n</body>',
    Software.BANDERSNATCH: '<a href="../../packages/aa/bb/cc/brokenpkg-1.2.3.tar.gz">x</a>\n'
    "<!--SERIAL 1091-->",
}
ADDRESSES = {
    Software.ARTIFACTORY: "https://h.example/artifactory/api/pypi/pypi-remote/simple/brokenpkg/",
    Software.NEXUS: "https://h.example/repository/pypi-proxy/simple/brokenpkg/",
    Software.GITLAB: "https://h.example/api/v4/projects/42/packages/pypi/simple/brokenpkg",
    Software.AZURE: "https://pkgs.example/org/_packaging/feed/pypi/simple/brokenpkg/",
    Software.CODEARTIFACT: "https://d-1.d.codeartifact.eu.example/pypi/repo/simple/brokenpkg/",
    Software.GOOGLE: "https://eu-python.pkg.example/project/repo/simple/brokenpkg/",
}


@pytest.mark.parametrize("software", HEADERS)
def test_a_header_that_only_one_software_sends_is_certain(software: Software) -> None:
    found = seen(answer(status=401, **HEADERS[software]))
    assert found.software is software
    assert found.is_certain(software)


@pytest.mark.parametrize("software", BODIES)
def test_the_form_of_a_page_is_certain(software: Software) -> None:
    found = seen(answer(BODIES[software], Content_Type="text/html"))
    assert found.software is software
    assert found.is_certain(software)


@pytest.mark.parametrize("software", ADDRESSES)
def test_an_address_is_a_guess_and_never_certain(software: Software) -> None:
    found = seen(answer(url=ADDRESSES[software]))
    assert found.software is software
    assert not found.is_certain(software)


def test_a_page_of_an_error_is_not_looked_into() -> None:
    assert seen(answer(BODIES[Software.PROXPI], status=500)).software is None


def test_two_kinds_of_answers_make_neither_certain() -> None:
    found = seen(
        answer(**HEADERS[Software.DEVPI]),
        answer(BODIES[Software.PROXPI], Content_Type="text/html"),
    )
    assert found.software is Software.DEVPI
    assert not found.is_certain(Software.DEVPI)
    assert not found.is_certain(Software.PROXPI)


def test_an_ordinary_page_is_recognised_as_nothing() -> None:
    assert seen(answer('<a href="x-1.0.tar.gz">x</a>', Content_Type="text/html")).software is None


@pytest.mark.parametrize(
    ("body", "header", "nature"),
    [
        ('{"meta": {"_last-serial": 1091}}', "1091", SerialNature.REAL),
        ('{"meta": {"_last-serial": 1091}}', None, SerialNature.REAL),
        ('{"meta": {"_last-serial": "1091"}}', None, SerialNature.STRING),
        ('{"meta": {"_last-serial": 1091}}', "1090", SerialNature.CONTRADICTORY),
        ('{"meta": {}}', "1000000000", SerialNature.CONSTANT),
        ('{"meta": {}}', None, SerialNature.ABSENT),
        ("<!--SERIAL 1091-->", None, SerialNature.REAL),
        ("<!--SERIAL 99999999999999999999999999-->", None, SerialNature.ABSENT),
    ],
)
def test_what_a_serial_is_worth(body: str, header: str | None, nature: SerialNature) -> None:
    """Trap 13: a number, a text, a header or a comment; absent on many, constant on some."""
    headers = {"X_PyPI_Last_Serial": header} if header else {}
    assert seen(answer(body, Content_Type=JSON, **headers)).serial is nature


def serving(body: bytes = b"", status: int = 200, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        if status != 200:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, headers=named)
        return page_response(body, **headers)

    return handler


PAGE = json_page(entry("1.2.3"), serial=None)


def copying(assignment: Assignment, **facts: object) -> Assignment:
    """The same place, which copies from a source."""
    return replace(assignment, location=replace(assignment.location, upstream="source", **facts))


async def look(serve: Serve, assign: MakeAssignment, handler: Handler) -> Observation:
    server = await serve(handler)
    return await simple.KIND.observe(copying(assign(f"{server.url}/simple/")))


async def test_a_better_kind_is_suggested(serve: Serve, assign: MakeAssignment) -> None:
    found = await look(serve, assign, serving(PAGE, X_Devpi_Api_Version="2"))
    (note,) = found.notes
    assert note.startswith('this looks like devpi (its header x-devpi-api-version): kind = "devpi"')
    assert "would also tell what it holds" in note


async def test_no_request_is_made_to_recognise(serve: Serve, assign: MakeAssignment) -> None:
    server = await serve(serving(PAGE, Server="Nexus/3.75"))
    found = await simple.KIND.observe(assign(f"{server.url}/simple/"))
    assert {asked.path for asked in server.log} == {"/simple/brokenpkg/"}
    assert len(found.requests) == 4


async def test_how_to_log_in_is_said_where_that_failed(
    serve: Serve, assign: MakeAssignment
) -> None:
    denied = await look(serve, assign, serving(status=401, X_TFS_ProcessId="e5f0"))
    assert {page.outcome for page in denied.pages} == {PageOutcome.DENIED}
    assert any("personal access token" in note for note in denied.notes)
    read = await look(serve, assign, serving(PAGE, X_TFS_ProcessId="e5f0"))
    assert not any("personal access token" in note for note in read.notes)


async def test_the_usual_lag_stands_in_for_one_that_nobody_configured(
    serve: Serve, assign: MakeAssignment
) -> None:
    server = await serve(serving(PAGE, X_TFS_ProcessId="e5f0"))
    assignment = assign(f"{server.url}/simple/")
    usual = await simple.KIND.observe(copying(assignment))
    configured = await simple.KIND.observe(copying(assignment, expected_lag_s=60.0))
    hosted = await simple.KIND.observe(assignment)
    assert usual.stated_lag is not None
    assert usual.stated_lag.seconds == 6 * 3600
    assert configured.stated_lag is None
    assert hosted.stated_lag is None


async def test_a_serial_that_contradicts_itself_is_told_to_the_judge(
    serve: Serve, assign: MakeAssignment
) -> None:
    body = json_page(entry("1.2.3"), serial=7)
    found = await look(serve, assign, serving(body, X_PyPI_Last_Serial="9"))
    (hint,) = found.hints
    assert hint.code == "serial-fake"
    assert set(hint.evidence) <= {evidence.id for evidence in found.evidence}
    agreeing = await look(serve, assign, serving(body, X_PyPI_Last_Serial="7"))
    assert agreeing.hints == ()


async def test_pypis_own_software_needs_no_advice(serve: Serve, assign: MakeAssignment) -> None:
    body = json_page(entry("1.2.3"), serial=7)
    assert json.loads(body)["meta"]["_last-serial"] == 7
    assert (await look(serve, assign, serving(body))).notes == ()
