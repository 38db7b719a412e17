"""`auditor doctor`: what could keep an audit from working here, checked before it does."""

from __future__ import annotations

import argparse
import os
import platform
import re
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["SUMMARY", "Check", "Mark", "add_arguments", "checks", "run"]

SUMMARY = "Check Python, what is installed, pip's index, proxies, certificates and the terminal."
EXIT_PROBLEM = 1
MIN_PYTHON = (3, 11)
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CA_VARIABLES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"),
)
_ONLINE_TIMEOUT_S = 10.0


class Mark(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor.

    Attributes:
        mark: how it ended.
        subject: what was checked.
        text: what was found, and the next step unless it is fine.
    """

    mark: Mark
    subject: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--online", action="store_true", help="ask the index that pip is configured to ask, once"
    )


def run(args: argparse.Namespace) -> int:
    """Check; return 1 if something fails."""
    from auditor.cli.messages import one_line

    found = list(checks(os.environ, online=args.online))
    for check in found:
        sys.stdout.write(f"{check.mark:<4}  {check.subject}: {one_line(check.text)}\n")
    return EXIT_PROBLEM if any(check.mark is Mark.FAIL for check in found) else 0


def checks(environ: Mapping[str, str], *, online: bool = False) -> Iterator[Check]:
    """Make every check; asks no server unless `online`."""
    yield _python()
    yield from _dependencies()
    yield from _plugins()
    yield from _pip(online=online)
    yield from _variables("proxy", _PROXY_VARIABLES, environ)
    yield from _variables("certificates", _CA_VARIABLES, environ)
    yield _trust_store()
    yield from _caches(environ)
    yield _own_directory()
    yield _terminal(environ)


def _python() -> Check:
    found = platform.python_version()
    is_new_enough = sys.version_info[:2] >= MIN_PYTHON
    wanted = ".".join(map(str, MIN_PYTHON))
    text = f"{found} ({sys.executable})" if is_new_enough else f"{found}; install {wanted} or newer"
    return Check(mark=Mark.OK if is_new_enough else Mark.FAIL, subject="Python", text=text)


def _dependencies() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("propagation-auditor") or ()]
    except PackageNotFoundError:
        text = "propagation-auditor is not installed; run `pip install` on it"
        yield Check(mark=Mark.FAIL, subject="installation", text=text)
        return
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = ""
        is_fine = bool(found) and requirement.specifier.contains(found, prereleases=True)
        text = found if is_fine else f"{found or 'missing'}; run `pip install '{requirement}'`"
        mark = Mark.OK if is_fine else Mark.FAIL
        yield Check(mark=mark, subject=requirement.name, text=text)


def _plugins() -> Iterator[Check]:
    from auditor.registry import describe_plugins

    plugins = describe_plugins()
    for plugin in plugins:
        if not plugin.ok:
            yield Check(mark=Mark.FAIL, subject=f"plugin {plugin.name}", text=plugin.problem)
    usable = sum(plugin.ok for plugin in plugins)
    mark = Mark.OK if usable else Mark.FAIL
    yield Check(mark=mark, subject="plugins", text=f"{usable} usable; see `auditor plugins`")


def _pip(*, online: bool) -> Iterator[Check]:
    from auditor.config.pip_settings import PipIndex
    from auditor.errors import AuditorError

    index = PipIndex()
    try:
        url = index.clean_url
    except (AuditorError, ValueError) as error:
        yield Check(mark=Mark.FAIL, subject="pip's index", text=str(error))
        return
    if url is None:
        text = "none (no-index is set); name places with --location"
        yield Check(mark=Mark.WARN, subject="pip's index", text=text)
        return
    origin = "built in" if index.url == index.builtin_url else "from pip's configuration"
    yield Check(mark=Mark.OK, subject="pip's index", text=f"{url} ({origin})")
    if online:
        yield _reachable(url)


def _reachable(url: str) -> Check:
    """Ask the index once, with the standard library: what it says does not matter, that it does."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    request = Request(url, method="HEAD")  # noqa: S310 (http or https: `PipIndex.clean_url` saw to it)
    try:
        with urlopen(request, timeout=_ONLINE_TIMEOUT_S) as answer:  # noqa: S310 (as above)
            return Check(mark=Mark.OK, subject="pip's index answers", text=f"HTTP {answer.status}")
    except HTTPError as error:
        error.close()
        return Check(mark=Mark.OK, subject="pip's index answers", text=f"HTTP {error.code}")
    except (URLError, OSError) as error:
        text = f"no: {getattr(error, 'reason', error)}; check network, proxy and certificates"
        return Check(mark=Mark.FAIL, subject="pip's index answers", text=text)


def _variables(subject: str, names: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[Check]:
    both = [name for upper in names for name in (upper, upper.lower()) if environ.get(name)]
    for name in both:
        yield Check(
            mark=Mark.OK, subject=subject, text=f"{name}={_without_password(environ[name])}"
        )
    if not both:
        yield Check(mark=Mark.OK, subject=subject, text=f"none of {', '.join(names)} is set")


def _without_password(value: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//…@", value)


def _trust_store() -> Check:
    paths = ssl.get_default_verify_paths()
    found = paths.cafile or paths.capath
    if found or sys.platform in ("win32", "darwin"):  # there the system itself verifies
        return Check(mark=Mark.OK, subject="trust store", text=found or "the system's own")
    text = "none found; install ca-certificates, or set SSL_CERT_FILE"
    return Check(mark=Mark.WARN, subject="trust store", text=text)


def _caches(environ: Mapping[str, str]) -> Iterator[Check]:
    from auditor.config.defaults import client_caches
    from auditor.config.pip_settings import read_pip_settings
    from auditor.errors import AuditorError

    try:
        settings = read_pip_settings()
    except AuditorError:
        return  # has been reported with pip's index
    for _, program, path in client_caches(settings, environ):
        is_readable = os.access(path, os.R_OK)
        state = "" if is_readable else " (not readable)" if Path(path).exists() else " (none there)"
        mark = Mark.WARN if "readable" in state else Mark.OK
        yield Check(mark=mark, subject=f"{program}'s cache", text=f"{path}{state}")


def _own_directory() -> Check:
    import tempfile

    directory = tempfile.gettempdir()
    is_writable = os.access(directory, os.W_OK)
    text = directory if is_writable else f"{directory} is not writable; set TMPDIR"
    return Check(
        mark=Mark.OK if is_writable else Mark.FAIL, subject="temporary directory", text=text
    )


def _terminal(environ: Mapping[str, str]) -> Check:
    is_terminal: Callable[[], bool] = sys.stdout.isatty
    encoding = (sys.stdout.encoding or "unknown").lower()
    parts = [
        "a terminal" if is_terminal() else "not a terminal",
        f"encoding {encoding}",
        "NO_COLOR is set" if environ.get("NO_COLOR") else "colour allowed",
    ]
    is_unicode = encoding.replace("-", "").startswith("utf")
    hint = "" if is_unicode else "; signs will show as '?': set PYTHONUTF8=1"
    mark = Mark.OK if is_unicode else Mark.WARN
    return Check(mark=mark, subject="stdout", text=", ".join(parts) + hint)
