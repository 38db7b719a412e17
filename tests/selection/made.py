"""Candidates for the tests of selection, with every fact stated unless a test drops one."""

from __future__ import annotations

from auditor.model import Candidate, Yank
from auditor.model.filename import version_in
from auditor.selection import parse_environment

LINUX = parse_environment("cp312-manylinux_2_28_x86_64")
OLD_PYTHON = parse_environment("cp39-manylinux_2_28_x86_64")
WINDOWS = parse_environment("cp312-win_amd64")
MAC = parse_environment("cp312-macosx_14_0_arm64")

WHEEL = "py3-none-any.whl"


def file(
    rest: str, *, yanked: bool = False, requires_python: str = "", project: str = "foo"
) -> Candidate:
    """A file of the project `foo`, by the rest of its name: `1.0.tar.gz`."""
    filename = f"{project}-{rest}"
    return Candidate(
        filename=filename,
        version=version_in(filename, "foo"),
        url=f"https://files.example/{filename}",
        yanked=Yank.YES if yanked else Yank.NO,
        requires_python=requires_python,
    )
