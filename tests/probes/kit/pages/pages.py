"""Builders of index pages in both forms, and strategies that generate projects."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from hypothesis import strategies as st

from probes.kit.pages import ParsedPage, parse_page

URL = "https://index.example/simple/foo/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
SHA = "a" * 63 + "0"

Entry = dict[str, Any]


def entry(filename: str = "foo-1.0.tar.gz", **changes: Any) -> Entry:
    """An entry of a JSON page; keyword arguments spell `-` as `_`."""
    made = {
        "filename": filename,
        "url": f"https://files.example/packages/{filename}",
        "hashes": {"sha256": SHA},
    }
    made |= {key.replace("_", "-"): value for key, value in changes.items()}
    return made


def document(*files: object, **changes: Any) -> dict[str, Any]:
    made = {"meta": {"api-version": "1.4"}, "name": "foo", "files": list(files)}
    return made | {key.replace("_", "-"): value for key, value in changes.items()}


def read_json(*files: object, url: str = URL, **changes: Any) -> ParsedPage:
    body = json.dumps(document(*files, **changes)).encode()
    return parse_page(body, url=url, content_type=JSON, project="foo")


def anchor(made: Entry) -> str:
    """The anchor that says the same as an entry, as far as HTML can."""
    attributes = {}
    fragment = "".join(f"#{kind}={digest}" for kind, digest in made["hashes"].items())
    attributes["href"] = made["url"] + fragment
    if made.get("requires-python"):
        attributes["data-requires-python"] = made["requires-python"]
    if made.get("yanked"):
        attributes["data-yanked"] = "" if made["yanked"] is True else made["yanked"]
    if made.get("core-metadata"):
        attributes["data-core-metadata"] = "true"
    if made.get("provenance"):
        attributes["data-provenance"] = made["provenance"]
    text = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
    return f"<a {text}>{escape(made['filename'])}</a><br />"


def html(*anchors: str, head: str = "", name: str = "foo") -> str:
    meta = '<meta name="pypi:repository-version" content="1.4">'
    title = f"<title>Links for {name}</title>"
    return (
        f"<!DOCTYPE html>\n<html><head>{meta}{head}{title}</head>\n"
        f"<body><h1>Links for {name}</h1>\n" + "\n".join(anchors) + "\n</body></html>\n"
    )


def read_html(
    text: str | bytes, *, url: str = URL, content_type: str = "text/html", project: str = "foo"
) -> ParsedPage:
    body = text.encode() if isinstance(text, str) else text
    return parse_page(body, url=url, content_type=content_type, project=project)


VERSIONS = st.from_regex(
    r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9]|\.post[0-9]|\.dev[0-9])?", fullmatch=True
)
FILENAMES = st.one_of(
    st.builds("foo-{}.tar.gz".format, VERSIONS),
    st.builds("Foo-{}.zip".format, VERSIONS),
    st.builds("foo-{}-py3-none-any.whl".format, VERSIONS),
    st.builds("foo-{}-cp312-cp312-manylinux_2_28_x86_64.whl".format, VERSIONS),
)
REASONS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30
).filter(lambda text: text == text.strip())
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """A well-formed entry."""
    filename = draw(FILENAMES)
    prefix = draw(st.sampled_from(["https://files.example/p/", "../../p/", "/p/", ""]))
    return {
        "filename": filename,
        "url": prefix + filename,
        "hashes": {"sha256": draw(DIGESTS)},
        "requires-python": draw(st.sampled_from([None, ">=3.8", ">=3.8,<4", "!=3.9.*"])),
        "yanked": draw(st.one_of(st.booleans(), REASONS)),
        "size": draw(st.integers(0, 2**40)),
        "upload-time": draw(
            st.sampled_from(["2026-11-20T10:00:00.123456Z", "2026-11-20T10:00:00Z"])
        ),
        "core-metadata": draw(st.sampled_from([True, False, {"sha256": SHA}])),
        "provenance": draw(st.sampled_from([None, f"https://index.example/i/{filename}/p"])),
    }


PROJECTS = st.lists(entries(), max_size=6)
