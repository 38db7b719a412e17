"""What real pip and real uv install with constraints and ages of uploads, and what is judged."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from auditor.config.install_settings import with_caps
from auditor.contracts import Credentials
from auditor.lab.artifacts import build_release
from auditor.model import Choice, Location, SettingValue, View
from auditor.selection import running_environment
from probes.kit.pages import parse_page
from tests.real.programs import clean_environment
from tests.verdict.stage import INCIDENT, location, observe, page, plan, run

pytestmark = [pytest.mark.real]

UPLOADED = {
    "1.2.2": "2026-11-01T00:00:00Z",
    "1.2.3": "2026-11-10T00:00:00Z",
    "1.2.4": "2026-11-20T00:00:00Z",
}
WHEELS = {version: build_release("brokenpkg", version)[0] for version in UPLOADED}
BROKEN_WHEEL = WHEELS["1.2.3"].filename
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"
DIGEST = hashlib.sha256(WHEELS["1.2.2"].content).hexdigest()


def _html() -> bytes:
    names = [wheel.filename for wheel in WHEELS.values()]
    links = "".join(f'<a href="/files/{name}">{name}</a>' for name in names)
    return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


def _json(timeless: str = "") -> bytes:
    files = [
        {
            "filename": wheel.filename,
            "url": f"/files/{wheel.filename}",
            "hashes": {"sha256": hashlib.sha256(wheel.content).hexdigest()},
            **({} if version == timeless else {"upload-time": UPLOADED[version]}),
        }
        for version, wheel in WHEELS.items()
    ]
    return json.dumps(
        {"meta": {"api-version": "1.1"}, "name": "brokenpkg", "versions": [], "files": files}
    ).encode()


ANSWERS: Mapping[str, tuple[str, bytes]] = {
    "/html/brokenpkg/": (HTML, _html()),
    "/json/brokenpkg/": (JSON, _json()),
    "/mixed/brokenpkg/": (JSON, _json("1.2.2")),
    **{f"/files/{w.filename}": ("application/zip", w.content) for w in WHEELS.values()},
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, body = ANSWERS.get(self.path, (HTML, b""))
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        """Answer uv, which asks so before it reads the end of a wheel."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.02))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def pip_gets(index: str, home: Path, *options: str) -> str | None:
    """The version that pip would install; None if it installs nothing."""
    command = [sys.executable, "-m", "pip", "install", "--isolated", "--disable-pip-version-check"]
    command += ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--no-cache-dir"]
    command += ["--retries", "0", "--report", "-", "--index-url", index, "brokenpkg", *options]
    done = subprocess.run(
        command, capture_output=True, env=clean_environment(home), timeout=60, check=False, cwd=home
    )
    if done.returncode:
        return None
    (installed,) = json.loads(done.stdout)["install"]
    return str(installed["metadata"]["version"])


def uv_gets(uv: Path, index: str, home: Path, *options: str) -> str | None:
    """The version that uv would install; None if it installs nothing."""
    command = [
        str(uv),
        "pip",
        "compile",
        "-",
        "--no-config",
        "--no-cache",
        "--no-header",
        "--quiet",
    ]
    command += ["--python", sys.executable, "--index-url", index, "--no-annotate", *options]
    done = subprocess.run(
        command,
        input=b"brokenpkg",
        capture_output=True,
        env=clean_environment(home),
        timeout=60,
        check=False,
        cwd=home,
    )
    return None if done.returncode else done.stdout.decode().strip().rpartition("==")[2]


def judged(
    index: str, view: View, settings: Mapping[str, SettingValue]
) -> tuple[Choice, str | None]:
    """What we say that a client gets from the page, in the environment of this interpreter."""
    kind, body = ANSWERS[f"/{index.rstrip('/').rpartition('/')[2]}/brokenpkg/"]
    files = parse_page(
        body, url=f"{index}brokenpkg/", content_type=kind, project="brokenpkg"
    ).candidates
    place: Location = location("m", url=index, settings=settings)
    ((place, _),) = with_caps([(place, Credentials())], [INCIDENT])
    environments = (running_environment(),)
    found = run(replace(plan(place), environments=environments), observe("m", page(files, view)))
    row = next(v for v in found.verdicts if v.location.name == "m")
    (cell,) = row.selections
    return cell.choice, cell.version


CONSTRAINTS = {
    "a cap": "brokenpkg<1.2.4\n",
    "a compiled file": f"brokenpkg==1.2.2 \\\n    --hash=sha256:{DIGEST}\n",
    "a digest of another file": f"brokenpkg==1.2.4 --hash=sha256:{DIGEST}\n",
    "a continued line": "brokenpkg \\\n  ==1.2.3\n",
    "an included file": "-c inner.txt\n",
    "a required file": "-r inner.txt\n",
    "an address": "brokenpkg @ {origin}/files/" + BROKEN_WHEEL + "\n",
    "a bare address": "{origin}/files/" + BROKEN_WHEEL + "\n",
    "a marker that holds": 'brokenpkg<1.2.4; python_version > "3"\n',
    "a marker that does not": 'brokenpkg<1.2.4; python_version < "3.0"\n',
    "several lines": "BrokenPkg>1.0\nbrokenpkg<1.2.4  # a comment\nother==1\n",
    "an arbitrary version": "brokenpkg===1.2.3\n",
    "no version": "brokenpkg\n",
}
# One run of pip takes a second or two.
IN_CI = ("a cap", "a compiled file", "an included file", "an address", "a marker that does not")


@pytest.mark.real_program("pip")
@pytest.mark.parametrize(
    "name",
    [
        name if name in IN_CI else pytest.param(name, marks=pytest.mark.heavy)
        for name in CONSTRAINTS
    ],
)
def test_constraints_leave_what_pip_takes(name: str, origin: str, tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    (tmp_path / "inner.txt").write_text("brokenpkg==1.2.3\n", encoding="utf-8")
    text = CONSTRAINTS[name].replace("{origin}", origin)
    # The same text in any coding that it says.
    path.write_bytes(text.encode("utf-16" if name == "a cap" else "utf-8"))
    index = f"{origin}/json/"
    installed = pip_gets(index, tmp_path, "-c", str(path))
    choice, version = judged(index, View.PIP, {"constraints": str(path)})

    assert version == installed
    assert choice is (Choice.CHOSEN if installed else Choice.NOTHING)


@pytest.mark.real_program("pip")
@pytest.mark.parametrize(
    "text",
    [
        "brokenpkg==${VERSION_THAT_NOBODY_SET}\n",
        pytest.param("brokenpkg<1.2.4#c\n", marks=pytest.mark.heavy),
        pytest.param("-c none.txt\n", marks=pytest.mark.heavy),
    ],
)
def test_what_pip_refuses_is_never_green(text: str, origin: str, tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text(text, encoding="utf-8")
    index = f"{origin}/json/"

    assert pip_gets(index, tmp_path, "-c", str(path)) is None
    assert judged(index, View.PIP, {"constraints": str(path)})[0] is Choice.UNKNOWN


AGES = [
    ("json", "2026-11-15T00:00:00Z"),
    pytest.param("json", "2026-11-21T00:00:00Z", marks=pytest.mark.heavy),
    pytest.param("json", "2026-10-01T00:00:00Z", marks=pytest.mark.heavy),
    ("html", "2026-11-21T00:00:00Z"),
    ("mixed", "2026-11-21T00:00:00Z"),
]


@pytest.mark.real_program("pip", "uv")
@pytest.mark.parametrize(("form", "before"), AGES)
def test_an_age_of_uploads_leaves_what_pip_and_uv_take(
    form: str, before: str, origin: str, tmp_path: Path, real_program: Callable[[str], Path]
) -> None:
    index, settings = f"{origin}/{form}/", {"exclude_newer": before}
    by_pip = pip_gets(index, tmp_path, "--uploaded-prior-to", before)
    by_uv = uv_gets(real_program("uv"), index, tmp_path, "--exclude-newer", before)

    assert judged(index, View.PIP, settings)[1] == by_pip
    assert judged(index, View.UV, settings)[1] == by_uv


@pytest.mark.real_program("uv")
def test_the_exemption_that_is_advised_brings_the_fix(
    origin: str, tmp_path: Path, real_program: Callable[[str], Path]
) -> None:
    uv, index = real_program("uv"), f"{origin}/json/"
    waits = ("--exclude-newer", "2026-11-15T00:00:00Z")
    exempt = ("--exclude-newer-package", "brokenpkg=2026-11-21T00:00:00Z")

    assert uv_gets(uv, index, tmp_path, *waits) == "1.2.3"
    assert uv_gets(uv, index, tmp_path, *waits, *exempt) == "1.2.4"
