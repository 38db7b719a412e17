"""Locks that are TOML tables of packages: uv.lock, poetry.lock, pdm.lock and pylock.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.model import Pin, PinnedFile
from probes.locks.entries import (
    Damaged,
    LockReading,
    digests,
    file_of_url,
    is_named,
    lines_naming,
    pin_of,
    text_of,
    version_of,
)

__all__ = ["read_pdm", "read_poetry", "read_pylock", "read_uv"]

Table = Mapping[str, object]

_NAME_LINE = r"""^\s*name\s*=\s*["']([^"']+)["']"""


def read_uv(text: str, project: str, where: str) -> LockReading:
    """Read uv.lock (uv 0.13). Every file stands there with the URL it was found at."""
    pins: list[Pin] = []
    notes: list[str] = []
    for place, package in _ours(text, project, where, "package"):
        source = package.get("source")
        own = _own_source(source if isinstance(source, dict) else {})
        if own:
            notes.append(f"{place}: the project itself, from {own}: no release is pinned")
            continue
        files = _files(package, "wheels", "sdist")
        markers = [text_of(m) for m in _list(package.get("resolution-markers"))]
        marker = " or ".join(f"({m})" for m in markers if m)
        version = text_of(package.get("version")) or version_of(files, project)
        pins.append(pin_of(place, version, files, marker=marker, how="uv.lock"))
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def read_poetry(text: str, project: str, where: str) -> LockReading:
    """Read poetry.lock (2.x; in 1.x the digests stand in a table of their own)."""
    document = _document(text, where)
    apart = _table(_table(document.get("metadata")).get("files"))
    pins = [
        pin_of(
            place,
            text_of(package.get("version")),
            _named_files([*_list(package.get("files")), *_apart(apart, project)]),
            marker=_poetry_marker(package.get("markers")),
            how="poetry.lock",
        )
        for place, package in _ours(text, project, where, "package")
    ]
    return LockReading(pins=tuple(pins))


def read_pdm(text: str, project: str, where: str) -> LockReading:
    """Read pdm.lock (2.x), with file names or, with static URLs, with addresses."""
    pins = [
        pin_of(
            place,
            text_of(package.get("version")),
            _named_files(_list(package.get("files"))),
            marker=text_of(package.get("marker")),
            how="pdm.lock",
        )
        for place, package in _ours(text, project, where, "package")
        if package.get("path") is None
    ]
    return LockReading(pins=tuple(pins))


def read_pylock(text: str, project: str, where: str) -> LockReading:
    """Read pylock.toml with packaging's own parser (PEP 751)."""
    from packaging.pylock import Pylock, PylockValidationError

    try:
        lock = Pylock.from_dict(_document(text, where))
    except (PylockValidationError, TypeError, ValueError) as error:
        raise Damaged(f"{where}: no valid pylock.toml: {error}") from error
    ours = [package for package in lock.packages if is_named(package.name, project)]
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
                how="pylock.toml",
            )
        )
    return LockReading(pins=tuple(pins), notes=tuple(notes))


def _document(text: str, where: str) -> Table:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Damaged(f"{where}: no TOML: {error}") from error


def _ours(text: str, project: str, where: str, key: str) -> Iterator[tuple[str, Table]]:
    """Every package of that name, with the file and line where it stands."""
    packages = _document(text, where).get(key, [])
    if not isinstance(packages, list) or not all(isinstance(p, dict) for p in packages):
        raise Damaged(f"{where}: `{key}` is no array of tables")
    lines = lines_naming(text, project, _NAME_LINE)
    ours = [package for package in packages if is_named(package.get("name"), project)]
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
