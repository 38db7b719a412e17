from __future__ import annotations

import base64
import html
import json
import sys
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.kit.redaction import redact_text, redact_url

CANARY = "c4nary-s3cret"


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{CANARY}@files.example/simple/",
        f"https://{CANARY}@files.example/simple/",
        f"https://files.example/a.whl?X-Amz-Signature={CANARY}&X-Amz-Date=1",
        f"https://files.example/a.whl?x-amz-security-token={CANARY}",
        f"https://files.example/a.whl?X-Goog-Credential={CANARY}",
        f"https://files.example/a.whl?sv=1&sig={CANARY}",
        f"https://files.example/a.whl?access_token={CANARY}#sha256=00",
        f"https://files.example/a.whl#token={CANARY}",
        f"https://[broken/a.whl?token={CANARY}",
        f"https://user:{CANARY}@[broken/a.whl",
        f"https://user:x@//other:{CANARY}@files.example/a.whl",
        f"https://user:{CANARY}@",
        f"https://files.example/?Key-Pair-Id={CANARY}",
        f"https://files.example/?next=/other/?token={CANARY}",
        f"https://files.example/?token={CANARY}?x={CANARY}",
        f"https://files.example/?token=REDACTED{CANARY}",
        f"https://files.example/?SIG={CANARY}&token=REDACTED&ſig={CANARY}",
        f"https://files.example/?{'a' * 190}token={CANARY}",
    ],
)
def test_no_secret_survives_in_a_url(url: str) -> None:
    assert CANARY not in redact_url(url)
    assert CANARY not in redact_text(f"see {url} for more")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/simple/brokenpkg/",
        "https://files.example/a.whl#sha256=" + "0" * 64,
        "http://127.0.0.1:8080/simple/?format=x&page=2",
        "file:///srv/simple/brokenpkg/index.html",
        "https://files.example/?a=token&b=sig#c=key",
        "https://files.example/?token=REDACTED&b=é",
    ],
)
def test_an_innocent_url_stays_as_it_is(url: str) -> None:
    assert url == redact_url(url)


@pytest.mark.parametrize(
    "form",
    [
        "pa ss/wo:rd",
        quote("pa ss/wo:rd", safe=""),
        base64.b64encode(b"pa ss/wo:rd").decode(),
        "Authorization: Basic " + base64.b64encode(b"me:pa ss/wo:rd").decode(),
    ],
)
def test_a_secret_is_found_in_every_usual_form(form: str) -> None:
    text = redact_text(f"before {form} after", ["pa ss/wo:rd"])
    assert form not in text
    assert "before" in text
    assert "after" in text


def test_bearer_tokens_are_hidden_even_if_nobody_named_them() -> None:
    assert CANARY not in redact_text(f"authorization: Bearer {CANARY}")


def test_a_secret_within_a_secret_is_hidden_whole() -> None:
    assert "tail" not in redact_text("x secret-tail y", ["secret", "secret-tail"])


@given(st.text(max_size=200))
def test_any_text_can_be_redacted(text: str) -> None:
    redact_url(text)
    redact_text(text, ["canary"])


@given(
    st.from_regex(
        r"https?://[a-z.]{1,20}(:[0-9]{1,4})?/[a-z/]{0,20}(\?[a-z=&]{0,20})?", fullmatch=True
    )
)
def test_redacting_keeps_host_and_path(url: str) -> None:
    before, after = urlsplit(url), urlsplit(redact_url(url))
    assert (before.hostname, before.path) == (after.hostname, after.path)


PASSWORD = 'p&<s/"w#é rd'


def by_sign(template: str) -> str:
    return "".join(template.format(ord(sign)) for sign in PASSWORD)


@pytest.mark.parametrize(
    "form",
    [
        html.escape(PASSWORD),
        html.escape(PASSWORD, quote=False),
        by_sign("&#{0};"),
        by_sign("&#x{0:x};"),
        by_sign("&#X{0:04X};"),
        quote(PASSWORD, safe="").lower(),
        quote(quote(PASSWORD, safe=""), safe=""),
        "".join(f"%{byte:02x}" for byte in PASSWORD.encode()),
        PASSWORD.encode().hex(),
        PASSWORD.encode().hex().upper(),
        json.dumps(PASSWORD)[1:-1],
        json.dumps(PASSWORD)[1:-1].replace("/", "\\/"),
        by_sign("\\u{0:04X}"),
        base64.urlsafe_b64encode(PASSWORD.encode()).decode().rstrip("="),
        base64.b64encode(PASSWORD.encode("latin-1")).decode(),
    ],
)
def test_a_secret_is_found_however_it_is_escaped(form: str) -> None:
    assert redact_text(f"before-{form}-after", [PASSWORD]) == "before-REDACTED-after"


@given(st.integers(4, len(CANARY) - 1), st.sampled_from(["", "x ", "é", "%41"]))
def test_what_is_left_of_a_secret_where_a_text_was_cut_is_hidden(kept: int, before: str) -> None:
    assert redact_text(f"{before}{CANARY[:kept]}…", [CANARY]) == f"{before}REDACTED…"


def test_a_shortened_text_without_a_secret_stays_as_it_is() -> None:
    assert redact_text("nothing here c4n…", [CANARY]) == "nothing here c4n…"


def test_the_lower_case_of_a_text_has_as_many_characters_but_for_one_letter() -> None:
    longer = [chr(code) for code in range(sys.maxunicode + 1) if len(chr(code).lower()) > 1]
    assert longer == ["\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"]


@given(st.text(alphabet="?&;#=sSigIG\u0130\u0131\u017f\u212akKeEyY\u03a3 '\u00df", max_size=30))
def test_a_parameter_is_found_in_every_spelling(text: str) -> None:
    names = ("sig", "key", "SIG", "\u017f\u0130g", "\u212aey", "s\u0131g")
    for name in names:
        assert CANARY not in redact_url(f"https://files.example/?{text}&{name}={CANARY}")
        assert CANARY not in redact_url(f"https://files.example/?{text}?my-{name}s={CANARY}&{text}")
