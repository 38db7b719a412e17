"""Locks that are TOML tables of packages: uv.lock, poetry.lock, pdm.lock and pylock.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.model import Pin, PinnedFile
from probes.locks.entries import (
    MAX_MARKER_CHARS,
    MAX_PINS,
    Damaged,
    LockReading,
    digests,
    file_of_url,
    is_file,
    is_named,
    lines_naming,
    pin_of,
    text_of,
    version_of,
)

__all__ = ["read_pdm", "read_poetry", "read_pylock", "read_uv"]

Table = Mapping[str, object]

# Strings of every kind, and comments: what is left are keys, numbers and signs. One that never
# closes is taken to its end at once: looking for the end anew from each quote is quadratic.
_TEXTS = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{0,5}|"(?:[^"\\\n]|\\.)*+"?'''
    r"""|'''(?:[^']|'{1,2}(?!'))*+'{0,5}|'[^'\n]*+'?|#[^\n]*+""",
    re.DOTALL,
)
_SIGNS = re.compile(r"[=,{}\[\]\n]")
# The deepest key of a real lock has three; the parser takes quadratic time for each.
_USUAL_DOTS = 3
_MAX_DEPTH_COST = 5_000
_NAME_LINE = r"""^\s*name\s*=\s*["']([^"']+)["']"""


def read_uv(text: str, project: str, where: str) -> LockReading:
    """Read uv.lock (uv 0.13). Every file stands there with the URL it was found at."""
    document = _document(text, where)
    _demand(document, where, "uv.lock", (), ("version",))
    pins: list[Pin] = []
    notes: list[str] = []
    for place, package in _ours(document, text, project, where):
        own = _own_source(_table(package.get("source")))
        if own:
            notes.append(f"{place}: the project itself, from {own}: no release is pinned")
            continue
        files = _files(package, "wheels", "sdist")
        markers = [text_of(m) for m in _list(package.get("resolution-markers"))]
        marker = " or ".join(f"({m})" for m in markers if m)
        version = text_of(package.get("version")) or version_of(files, project)
        pins.append(pin_of(place, version, files, marker=marker, form="uv.lock"))
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def read_poetry(text: str, project: str, where: str) -> LockReading:
    """Read poetry.lock (2.x; in 1.x the digests stand in a table of their own)."""
    document = _document(text, where)
    keys = ("content-hash", "lock-version", "python-versions", "files")
    _demand(document, where, "poetry.lock", ("metadata",), keys)
    apart = _table(_table(document.get("metadata")).get("files"))
    pins: list[Pin] = []
    notes: list[str] = []
    for place, package in _ours(document, text, project, where):
        source = _table(package.get("source"))
        if source.get("type") == "directory":
            notes.append(_own_tree(place, text_of(source.get("url"))))
            continue
        files = _named_files([*_list(package.get("files")), *_apart(apart, project)])
        marker = _poetry_marker(package.get("markers"))
        version = text_of(package.get("version"))
        pins.append(pin_of(place, version, files, marker=marker, form="poetry.lock"))
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def read_pdm(text: str, project: str, where: str) -> LockReading:
    """Read pdm.lock (2.x), with file names or, with static URLs, with addresses."""
    document = _document(text, where)
    _demand(document, where, "pdm.lock", ("metadata",), ("lock_version", "content_hash"))
    pins: list[Pin] = []
    notes: list[str] = []
    for place, package in _ours(document, text, project, where):
        path = package.get("path")
        if path is not None and not is_file(text_of(path)):
            notes.append(_own_tree(place, text_of(path)))
            continue
        files = _named_files(_list(package.get("files")))
        marker, version = text_of(package.get("marker")), text_of(package.get("version"))
        pins.append(pin_of(place, version, files, marker=marker, form="pdm.lock"))
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def read_pylock(text: str, project: str, where: str) -> LockReading:
    """Read pylock.toml with packaging's own parser (PEP 751)."""
    from packaging.pylock import Pylock, PylockValidationError

    try:
        # The parser reads every marker of every package, which takes long.
        lock = Pylock.from_dict(_about(_document(text, where), project, where))
    except (PylockValidationError, TypeError, ValueError, RecursionError) as error:
        raise Damaged(f"{where}: no valid pylock.toml: {error}") from error
    ours = lock.packages
    lines = lines_naming(text, project, _NAME_LINE)
    pins: list[Pin] = []
    notes: list[str] = []
    for number, package in enumerate(ours):
        place = _place(where, lines, number)
        if package.directory is not None:
            notes.append(f"{place}: the project itself, from a directory: no release is pinned")
            continue
        stated = [*(package.wheels or ()), package.sdist, package.archive]
        files = tuple(
            PinnedFile(
                filename=getattr(file, "name", None) or file_of_url(file.url or file.path or ""),
                url=file.url,
                hashes={name: str(value) for name, value in file.hashes.items()},
                size=file.size,
            )
            for file in stated
            if file is not None
        )
        pins.append(
            pin_of(
                place,
                str(package.version or "") or version_of(files, project),
                files,
                marker=str(package.marker or ""),
                form="pylock.toml",
            )
        )
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def _about(document: Table, project: str, where: str) -> dict[str, object]:
    """A pylock.toml with the packages of one project only."""
    packages = document.get("packages")
    if not isinstance(packages, list) or not all(isinstance(p, dict) for p in packages):
        raise Damaged(f"{where}: no valid pylock.toml: `packages` is no array of tables")
    if not all(isinstance(package.get("name"), str) for package in packages):
        raise Damaged(f"{where}: no valid pylock.toml: a package has no name")
    ours = [package for package in packages if is_named(package["name"], project)]
    if any(len(str(package.get("marker", ""))) > MAX_MARKER_CHARS for package in ours):
        raise Damaged(f"{where}: a marker is longer than those of any lock")
    kept = {key: document[key] for key in ("lock-version", "created-by") if key in document}
    return {**kept, "packages": ours[: MAX_PINS + 1]}


def _demand(
    document: Table, where: str, form: str, below: tuple[str, ...], keys: Sequence[str]
) -> None:
    """Refuse a document without what every lock of a format has: it says nothing of a project."""
    table = document
    for key in below:
        table = _table(table.get(key))
    if not any(key in table for key in keys):
        named = " or ".join(f"`{'.'.join((*below, key))}`" for key in keys[:2])
        raise Damaged(f"{where}: no {form}: it has no {named}; write it again with its tool")


def _own_tree(place: str, path: str) -> str:
    return f"{place}: the project itself, from directory {path[:300]}: no release is pinned"


def _document(text: str, where: str) -> Table:
    left = _TEXTS.sub("", text)
    deep = (key.count(".") - _USUAL_DOTS for key in _SIGNS.split(left) if "." in key)
    if sum(dots * dots for dots in deep if dots > 0) > _MAX_DEPTH_COST:
        raise Damaged(f"{where}: its keys are deeper than those of any lock")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where}: no TOML: {error}") from error


def _ours(document: Table, text: str, project: str, where: str) -> Iterator[tuple[str, Table]]:
    """Every package of that name, with the file and line where it stands."""
    packages = document.get("package", [])
    if not isinstance(packages, list) or not all(isinstance(p, dict) for p in packages):
        raise Damaged(f"{where}: `package` is no array of tables")
    lines = lines_naming(text, project, _NAME_LINE)
    ours = [package for package in packages if is_named(package.get("name"), project)]
    ours = ours[: MAX_PINS + 1]
    for number, package in enumerate(ours):
        if not isinstance(package.get("version", ""), str):
            raise Damaged(f"{_place(where, lines, number)}: the version is no text")
        yield _place(where, lines, number), package


def _place(where: str, lines: Sequence[int], number: int) -> str:
    return f"{where}:{lines[number]}" if number < len(lines) else where


def _own_source(source: Table) -> str:
    """Say where the project's own tree is, if that is what an entry means; else ""."""
    keys = ("editable", "virtual", "directory")
    return next((f"{key} {text_of(source[key])}" for key in keys if key in source), "")


def _files(package: Table, *keys: str) -> tuple[PinnedFile, ...]:
    stated: list[object] = []
    for key in keys:
        value = package.get(key)
        stated += value if isinstance(value, list) else [value]
    return tuple(_file(entry) for entry in stated if isinstance(entry, dict))


def _named_files(entries: Iterable[object]) -> tuple[PinnedFile, ...]:
    return tuple(_file(entry) for entry in entries if isinstance(entry, dict))


def _file(entry: Table) -> PinnedFile:
    url = text_of(entry.get("url")) or None
    size = entry.get("size")
    name = text_of(entry.get("file")) or text_of(entry.get("filename"))
    return PinnedFile(
        filename=name or file_of_url(url or text_of(entry.get("path"))),
        url=url,
        hashes=digests(entry.get("hash")),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
    )


def _apart(files: Table, project: str) -> list[object]:
    return [entry for name in files if is_named(name, project) for entry in _list(files[name])]


def _poetry_marker(value: object) -> str:
    """One text, or one per group since Poetry 2: any of them can bring the package in."""
    if isinstance(value, dict):
        stated = [text_of(marker) for marker in value.values()]
        return " or ".join(f"({marker})" for marker in stated) if all(stated) else ""
    return text_of(value)


def _table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
