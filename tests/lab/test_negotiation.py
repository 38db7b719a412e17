from __future__ import annotations

import pytest

from auditor.lab.negotiation import HTML_ONLY, JSON_ONLY, PYPI_FORMATS, PageFormat, negotiate

# What the clients send, to the letter.
PIP = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
    "text/html; q=0.01"
)
UV = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.01"
)
POETRY = "application/vnd.pypi.simple.v1+json, */*;q=0.1"
PIP_BEFORE_22_2 = "text/html"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(PIP, PageFormat.V1_JSON, id="pip"),
        pytest.param(UV, PageFormat.V1_JSON, id="uv"),
        pytest.param(POETRY, PageFormat.V1_JSON, id="poetry"),
        pytest.param(PIP_BEFORE_22_2, PageFormat.HTML, id="pip-before-22.2"),
        pytest.param(None, PageFormat.HTML, id="no-header"),
        pytest.param("", PageFormat.HTML, id="empty-header"),
        pytest.param("*/*", PageFormat.HTML, id="anything"),
        pytest.param("application/*", PageFormat.V1_HTML, id="any-application"),
        pytest.param("text/html;q=0, */*", PageFormat.V1_HTML, id="specific-zero-beats-wildcard"),
        pytest.param(
            "text/html;q=0.5, application/vnd.pypi.simple.v1+json;q=0.6",
            PageFormat.V1_JSON,
            id="weight-decides",
        ),
        pytest.param(
            "application/vnd.pypi.simple.v1+json, text/html", PageFormat.HTML, id="tie-is-html"
        ),
        pytest.param(
            "application/vnd.pypi.simple.latest+json", PageFormat.V1_JSON, id="latest-alias"
        ),
        pytest.param("APPLICATION/VND.PYPI.SIMPLE.V1+JSON", PageFormat.V1_JSON, id="any-case"),
        pytest.param("image/png", PageFormat.HTML, id="nothing-acceptable"),
        pytest.param(
            "application/vnd.pypi.simple.v1+json;q=lots", PageFormat.HTML, id="weight-is-no-number"
        ),
    ],
)
def test_pypi_chooses_a_form(accept: str | None, expected: PageFormat) -> None:
    assert expected is negotiate(accept, PYPI_FORMATS)


@pytest.mark.parametrize("accept", [PIP, UV, POETRY, PIP_BEFORE_22_2, None, JSON_ONLY.offers[0]])
def test_a_server_with_html_only_sends_it_to_everybody(accept: str | None) -> None:
    assert PageFormat.HTML is negotiate(accept, HTML_ONLY)


def test_a_server_with_json_only_refuses_who_cannot_read_it() -> None:
    assert negotiate(PIP_BEFORE_22_2, JSON_ONLY) is None
    assert PageFormat.V1_JSON is negotiate(PIP, JSON_ONLY)
    assert PageFormat.V1_JSON is negotiate("*/*", JSON_ONLY)


def test_the_format_in_the_url_comes_before_the_header() -> None:
    assert PageFormat.V1_JSON is negotiate(
        "text/html", PYPI_FORMATS, wanted="application/vnd.pypi.simple.v1+json"
    )
