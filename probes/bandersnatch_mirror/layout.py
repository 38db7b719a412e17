"""Where bandersnatch keeps what: nothing here walks the tree to find a project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from auditor.errors import Malformed
from auditor.model import Outcome

__all__ = ["PAGES", "NoMirror", "Tree", "check_inside", "find_tree", "relative_artifact"]

PAGES = ("index.v1_json", "index.html", "index.v1_html")
_MAX_SEGMENTS = 10


class NoMirror(Exception):
    """A path is no mirror that could be read; carries the outcome and the cause."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A mirror on disk, and where one project is in it.

    Attributes:
        web: the directory that is served.
        home: bandersnatch's `directory`; None if only its `web/` was named.
        project: directory of the project's pages; None: the mirror has none.
    """

    web: Path
    home: Path | None
    project: Path | None


def find_tree(path: Path, project: str) -> Tree:
    """Recognise a mirror by its `web/simple`, or its `simple`.

    Raises:
        NoMirror: it is none, or may not be read.
    """
    try:
        names = {entry.name for entry in os.scandir(path)}
        web = path / "web" if "web" in names else path
        if "simple" not in {entry.name for entry in os.scandir(web)}:
            detail = f"{path} is no mirror: there is no web/simple in it; name bandersnatch's "
            raise NoMirror(Outcome.MALFORMED, f"{detail}`directory`")
        return Tree(web=web, home=_home(path, web), project=_project(web / "simple", project))
    except FileNotFoundError as error:
        # Not *absent*: a path that is mistyped or not mounted says nothing about its content.
        detail = f"{error.filename} does not exist; check the path, and whether it is mounted"
        raise NoMirror(Outcome.UNREACHABLE, detail) from error
    except PermissionError as error:
        detail = f"{error.filename} may not be read by this user; run the audit as bandersnatch's"
        raise NoMirror(Outcome.DENIED, detail) from error
    except OSError as error:
        detail = f"{path} cannot be read: {error.strerror}"
        raise NoMirror(Outcome.MALFORMED, detail) from error


def _home(path: Path, web: Path) -> Path | None:
    if web != path:
        return path
    return path.parent if (path.parent / "generation").exists() else None


def _project(simple: Path, name: str) -> Path | None:
    """Find the project's directory, also where `hash-index` puts it below its first letter.

    A directory `simple/b` is the project `b` if it holds a page, else the shelf of all that begin
    with that letter.
    """
    plain, hashed = simple / name, simple / name[0] / name
    for directory in (plain, hashed):
        if any(os.path.lexists(directory / page) for page in PAGES):
            return directory
    # Listed again, since `exists` also says no where it may not look.
    for directory in (hashed, plain):
        try:
            with os.scandir(directory):
                return directory
        except FileNotFoundError:
            continue
    return None


def relative_artifact(url: str) -> str | None:
    """Return `packages/aa/bb/…/FILENAME`, the path of a file on every mirror; None: it has none.

    A mirror keeps the path that a file has on PyPI's file host, whatever host serves it.
    """
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return None
    start = path.rfind("/packages/")
    parts = path[start + 1 :].split("/")
    unsafe = any(part in ("", ".", "..") or "\0" in part for part in parts)
    if start < 0 or unsafe or not 1 < len(parts) <= _MAX_SEGMENTS:
        return None
    return "/".join(parts)


def check_inside(path: Path, root: Path) -> None:
    """Refuse a page that is a link out of the mirror. Raises `Malformed`, OSError."""
    if not path.resolve(strict=True).is_relative_to(root.resolve()):
        raise Malformed("it is a link that leads out of the mirror, which was not followed")
