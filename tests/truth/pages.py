"""Random index pages of one project, as odd as pages get, written as JSON and as HTML."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from hashlib import sha256
from html import escape
from pathlib import Path
from random import Random
from urllib.parse import quote

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"

PROJECTS = ("demo", "demo-pkg", "Big.Proj_name", "x1")

# Each list has the odd and, more than once, the usual.
_ODDITIES = tomllib.loads(Path(__file__).with_name("oddities.toml").read_text(encoding="utf-8"))
ODD_VERSIONS: list[str] = _ODDITIES["versions"]
TAGS: list[str] = _ODDITIES["tags"]
USUAL_TAGS: list[str] = _ODDITIES["usual_tags"]
BUILDS: list[str] = _ODDITIES["builds"]
ENDINGS: list[str] = _ODDITIES["endings"]
REQUIRES: list[str | None] = [*_ODDITIES["requires"], *[None] * 8]


@dataclass(frozen=True)
class Made:
    """One entry of a made page.

    Attributes:
        filename: unquoted.
        url: as written on the page.
        sha256: None: the page states none.
        yanked: as a JSON page would say it.
        requires_python: None: the page states none.
    """

    filename: str
    url: str
    sha256: str | None
    yanked: bool | str
    requires_python: str | None


@dataclass(frozen=True)
class MadePage:
    """A page and what is special about it.

    Attributes:
        project: in some spelling.
        entries: in page order.
        unreadable: whether one file is listed with two digests. Whether pip keeps the first or the
            last then depends on where the digest was written, so that *unknown* is the right
            answer where it matters.
    """

    project: str
    entries: tuple[Made, ...]
    unreadable: bool


def make_page(random: Random, project: str | None = None) -> MadePage:
    """Make one page; equal generators make equal pages. Without a project, of any."""
    project = project or random.choice(PROJECTS)
    versions = _versions(random)
    base = random.choice(
        ("https://files.example/p/", "../../files/", "https://files.example/a%40b/")
    )
    count = random.choice((0, 1, 2, 3, 5, 8, 13, 21))
    yank_rate = random.choice((0, 0.1, 0.5, 0.9))
    kinds = random.choice(((_wheel, _archive), (_wheel, _wheel, _archive), (_archive,), (_wheel,)))
    entries: list[Made] = []
    for _ in range(count):
        filename = random.choice(kinds)(random, _spelling(random, project), random.choice(versions))
        entries.append(_entry(random, filename, base, yank_rate))
    if entries and random.random() < 0.3:
        entries += [_repeat(random, random.choice(entries)) for _ in range(random.randrange(1, 4))]
    if random.random() < 0.7:
        random.shuffle(entries)
    digests = {(entry.filename, entry.sha256) for entry in entries}
    unreadable = len(digests) > len({entry.filename for entry in entries})
    return MadePage(project, tuple(entries), unreadable)


def as_json(page: MadePage) -> bytes:
    """Write the page as PEP 691 has it."""
    files = [_json_entry(entry) for entry in page.entries]
    body = {"meta": {"api-version": "1.1"}, "name": page.project, "files": files}
    return json.dumps(body).encode()


def as_html(page: MadePage) -> bytes:
    """Write the page as PEP 503 has it."""
    head = '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1">'
    body = "\n".join(_anchor(entry) for entry in page.entries)
    return (
        f"{head}<title>Links for {page.project}</title></head><body>{body}</body></html>".encode()
    )


def _json_entry(entry: Made) -> dict[str, object]:
    written: dict[str, object] = {"filename": entry.filename, "url": entry.url}
    written["hashes"] = {"sha256": entry.sha256} if entry.sha256 else {}
    if entry.yanked is not False:
        written["yanked"] = entry.yanked
    if entry.requires_python is not None:
        written["requires-python"] = entry.requires_python
    return written


def _anchor(entry: Made) -> str:
    href = entry.url + (f"#sha256={entry.sha256}" if entry.sha256 else "")
    attributes = f'href="{escape(href)}"'
    if entry.yanked is not False:
        reason = entry.yanked if isinstance(entry.yanked, str) else ""
        attributes += f' data-yanked="{escape(reason)}"'
    if entry.requires_python is not None:
        attributes += f' data-requires-python="{escape(entry.requires_python)}"'
    return f"<a {attributes}>{escape(entry.filename)}</a><br>"


def _versions(random: Random) -> tuple[str, ...]:
    """Few versions per page, so that several files share one; sometimes only pre-releases."""
    if random.random() < 0.15:
        return tuple(
            random.sample([f"1.{n}{s}{n}" for n in range(4) for s in ("a", "rc", ".dev")], 4)
        )
    if random.random() < 0.25:  # a crowd: tags, build numbers and positions decide
        return random.choice((("1.0",), ("1.0", "1.0.0"), ("2.0", "1.0", "2.0.dev1")))
    plain = [f"{random.randrange(4)}.{random.randrange(12)}" for _ in range(4)]
    odd = random.sample(ODD_VERSIONS, random.randrange(6))
    suffixed = [
        random.choice(plain) + random.choice((".0", "rc1", ".post1", "+cpu", "b2", ".dev1"))
    ]
    return tuple(plain + odd + suffixed)


def _spelling(random: Random, project: str) -> str:
    if random.random() < 0.06:
        return project + random.choice(("-tools", "_tools", "x", ".extra"))
    plain = project.replace("-", "_").replace(".", "_")
    odd = (project, plain.upper(), plain.title(), plain.replace("_", "."), plain.replace("_", "__"))
    return random.choice((plain,) * 6 + odd)


def _wheel(random: Random, name: str, version: str) -> str:
    tags = random.choice(USUAL_TAGS if random.random() < 0.3 else TAGS)
    if random.random() < 0.9:
        version = version.replace("-", "_") or "1"
    return f"{name}-{version}{random.choice(BUILDS)}-{tags}.whl"


def _archive(random: Random, name: str, version: str) -> str:
    return f"{name}{'.' if random.random() < 0.02 else '-'}{version}{random.choice(ENDINGS)}"


def _entry(random: Random, filename: str, base: str, yank_rate: float) -> Made:
    quoted = quote(filename, safe="+!~" if random.random() < 0.9 else "")
    if random.random() < 0.1:
        quoted = quoted.replace("-", "%2d").replace("_", "%5F")
    if random.random() < 0.03:
        quoted += "?signature=1"
    yanked = random.random() < yank_rate
    return Made(
        filename=filename,
        url=base + quoted,
        sha256=sha256(filename.encode()).hexdigest() if random.random() < 0.98 else None,
        yanked=random.choice((True, "bad wheel", "<b> & \"'")) if yanked else False,
        requires_python=random.choice(REQUIRES),
    )


def _repeat(random: Random, entry: Made) -> Made:
    """List a URL again, with other facts; rarely with another digest."""
    digest = entry.sha256 if random.random() < 0.95 else f"{random.getrandbits(256):064x}"
    url = entry.url.replace("-", "%2D") if random.random() < 0.2 else entry.url
    return replace(
        entry,
        url=url,
        sha256=digest,
        yanked=random.choice((False, True, "again")),
        requires_python=random.choice(REQUIRES),
    )
