"""What a constraints file leaves of a page: caps and pins that an installer is given beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from auditor.model.observation import Candidate, Yank
from auditor.model.version import normalise_project, parse_version

__all__ = ["caps_in", "constrained"]

# Real files have some hundred lines.
MAX_LINES = 20_000


def caps_in(text: str, projects: Iterable[str]) -> dict[str, str]:
    """Return the specifiers that a constraints file states for some projects; by project.

    Lines for other projects, options and what is no requirement are passed over. Environment
    markers are not looked at: a line that holds on one platform alone is taken to hold on all.

    Args:
        text: of the file.
        projects: normalised names.
    """
    wanted = set(projects)
    found: dict[str, list[str]] = {}
    for line in text.splitlines()[:MAX_LINES]:
        plain = line.split(" #")[0].split(" --")[0].strip()
        if not plain or plain.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(plain)
        except InvalidRequirement:
            continue
        project = normalise_project(requirement.name)
        if project in wanted and str(requirement.specifier):
            found.setdefault(project, []).append(str(requirement.specifier))
    return {project: ",".join(specifiers) for project, specifiers in found.items()}


def constrained(candidates: Sequence[Candidate], specifier: str) -> tuple[Candidate, ...]:
    """Return the files of the versions that a specifier admits, in page order.

    A yanked release is taken after all where the specifier is a pin to that very version, so that
    its files come back as not yanked (PEP 592; pip and uv).
    """
    specifiers = SpecifierSet(specifier)
    verdicts: dict[str | None, bool] = {}
    kept = []
    for candidate in candidates:
        if candidate.version not in verdicts:
            version = parse_version(candidate.version or "")
            verdicts[candidate.version] = version is not None and specifiers.contains(
                version, prereleases=True
            )
        if verdicts[candidate.version]:
            kept.append(candidate)
    pins = [s for s in specifiers if s.operator in ("==", "===") and not s.version.endswith(".*")]
    if not pins:
        return tuple(kept)
    return tuple(structs.replace(candidate, yanked=Yank.NO) for candidate in kept)
