"""Turns `[[incidents]]` into incidents, and refuses questions that make no sense."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from packaging.version import Version

from auditor.config.lines import KeyPath
from auditor.config.problems import Problems
from auditor.config.schema import BrokenFileTable, IncidentTable
from auditor.config.suggest import did_you_mean
from auditor.config.tables import Placed
from auditor.model import Fingerprint, Incident, VersionRule
from auditor.model.filename import version_in
from auditor.selection.environments import parse_environment

__all__ = ["build_incidents", "chosen_incidents", "default_id"]

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._+!-]+")


def build_incidents(
    placed: Sequence[Placed[IncidentTable]], problems: Problems
) -> tuple[tuple[KeyPath, Incident], ...]:
    """Return the incidents with their places; what is wrong goes to `problems`."""
    built = tuple((each.path, _incident(each.table)) for each in placed)
    _check_ids(built, problems)
    for path, incident in built:
        _check_environments(path, incident, problems)
        _check_files(path, incident, problems)
        for key, text in _version_problems(incident):
            problems.add((*path, key), text)
    return built


def chosen_incidents(
    incidents: Sequence[Incident], ids: Sequence[str], problems: Problems
) -> tuple[Incident, ...]:
    """Return the incidents that `--incident` names; all of them if it names none."""
    known = {incident.id: incident for incident in incidents}
    for wanted in ids:
        if wanted not in known:
            hint = did_you_mean(wanted, known) or f"known: {', '.join(known) or 'none'}"
            problems.add_from("--incident", f"there is no incident {wanted!r}; {hint.rstrip()}")
    return tuple(i for i in incidents if not ids or i.id in ids)


def _incident(table: IncidentTable) -> Incident:
    return Incident(
        id=table.id or default_id(table.project, table.broken[0]),
        project=table.project,
        broken=table.broken,
        fixed=table.fixed,
        fingerprints=(
            *(_fingerprint(file, table.project) for file in table.broken_files),
            *(Fingerprint(sha256=digest) for digest in table.broken_hashes),
        ),
        environments=table.environments,
        published_at=table.published_at,
    )


def _fingerprint(file: BrokenFileTable, project: str) -> Fingerprint:
    return Fingerprint(
        filename=file.filename,
        version=version_in(file.filename, project),
        size=file.size,
        sha256=file.sha256,
        md5=file.md5,
        crc32=file.crc32,
        url=file.url,
    )


def default_id(project: str, first_broken: str) -> str:
    """Return `PROJECT-FIRSTBROKEN`, fit for a file name also where that is a specifier."""
    named = VersionRule(first_broken).named_versions()
    text = first_broken if VersionRule(first_broken).version or not named else str(min(named))
    return f"{project}-{_NOT_IN_IDS.sub('-', text).strip('-.')}"


def _check_ids(built: Sequence[tuple[KeyPath, Incident]], problems: Problems) -> None:
    seen: set[str] = set()
    for path, incident in built:
        if incident.id in seen:
            problems.add((*path, "id"), f"{incident.id!r} is used twice; give each its own id")
        seen.add(incident.id)


def _check_files(path: KeyPath, incident: Incident, problems: Problems) -> None:
    seen: set[str] = set()
    for index, file in enumerate(f for f in incident.fingerprints if f.filename):
        key, name = (*path, "broken_files", index, "filename"), file.filename or ""
        if not incident.is_broken(file.version):
            problems.add(
                key, f"{name!r} is no file of a broken release of {incident.project}; remove it"
            )
        if name in seen:
            problems.add(key, f"{name!r} is named twice; say all that is known of it in one place")
        seen.add(name)


def _check_environments(path: KeyPath, incident: Incident, problems: Problems) -> None:
    for index, text in enumerate(incident.environments):
        try:
            parse_environment(text)
        except ValueError as error:
            problems.add((*path, "environments", index), str(error))


def _version_problems(incident: Incident) -> Iterator[tuple[str, str]]:
    """Refuse a fix that is broken itself, and one that nobody who has the broken one would get."""
    broken = tuple(chain.from_iterable(r.named_versions() for r in incident.broken_rules))
    fixed = tuple(chain.from_iterable(r.named_versions() for r in incident.fixed_rules))
    refused = [v for v in fixed if incident.is_broken(v) or _is_prerelease_of_any(v, broken)]
    for version in refused:
        cause = "is itself broken" if incident.is_broken(version) else "is a pre-release of it"
        yield (
            "fixed",
            f"{version} is not above the broken release, it {cause}; "
            "name the release that installers should get instead",
        )
    if fixed and broken and not refused and max(fixed) <= max(broken):
        yield (
            "fixed",
            f"{max(fixed)} is not above the broken release {max(broken)}, so no installer would "
            "choose it; name a higher version",
        )


def _is_prerelease_of_any(version: Version, broken: Sequence[Version]) -> bool:
    # 1.2.3rc1 sorts before 1.2.3 (PEP 440) and says nothing about being a cure for it.
    return version.is_prerelease and any(
        Version(version.base_version) == Version(b.base_version) and version < b for b in broken
    )
