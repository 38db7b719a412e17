"""Cells of the sample runs: environments × views, with the rejections an installer would state."""

from __future__ import annotations

from auditor.model import Choice, Rejection, RejectionCode, Selection, View

INTERPRETERS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp314", "cp314t")
PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_28_aarch64",
    "musllinux_1_2_x86_64",
    "musllinux_1_2_aarch64",
    "macosx_14_0_arm64",
    "macosx_13_0_x86_64",
    "win_amd64",
)
ENVIRONMENTS = tuple(f"{i}-{p}" for i in INTERPRETERS for p in PLATFORMS)
CLIENTS = {View.PIP: "pip", View.PIP_HTML: "pip", View.UV: "uv", View.POETRY: "poetry"}


def file_of(version: str) -> str:
    return f"brokenpkg-{version}-py3-none-any.whl"


def lower(version: str, chosen: str) -> Rejection:
    return Rejection(
        filename=file_of(version),
        version=version,
        code=RejectionCode.LOWER_VERSION,
        text=f"{version} is lower than {chosen}",
    )


def yanked(version: str) -> Rejection:
    return Rejection(
        filename=file_of(version),
        version=version,
        code=RejectionCode.YANKED,
        text="yanked: an unpinned install takes yanked files only if nothing else is left",
    )


def cell(environment: str, view: View, version: str | None, sample: int = 1) -> Selection:
    rejected = {
        "1.2.4": (yanked("1.2.3"), lower("1.2.2", "1.2.4")),
        "1.2.3": (lower("1.2.2", "1.2.3"),),
        "1.2.2": (yanked("1.2.3"),),
    }.get(version or "", ())
    return Selection(
        client=CLIENTS[view],
        environment=environment,
        view=view,
        sample=sample,
        choice=Choice.CHOSEN if version else Choice.UNKNOWN,
        filename=file_of(version) if version else None,
        version=version,
        seen=len(rejected) + 1 if version else 0,
        applicable=len(rejected) + 1 if version else 0,
        is_fix=version == "1.2.4" if version else None,
        is_broken=version == "1.2.3" if version else None,
        reason=f"{version} is the highest version on offer that is not yanked"
        if version
        else "half of the page could not be read, so a higher version may be on it",
        rejected=rejected,
    )


def everywhere(version: str | None) -> tuple[Selection, ...]:
    return tuple(cell(e, view, version) for e in ENVIRONMENTS for view in View)


def split(old_view: View) -> tuple[Selection, ...]:
    return tuple(
        cell(e, view, "1.2.3" if view is old_view else "1.2.4")
        for e in ENVIRONMENTS
        for view in View
    )


def flapping(samples: int) -> tuple[Selection, ...]:
    return tuple(
        cell(e, view, "1.2.3" if sample % 2 == 0 else "1.2.4", sample)
        for e in ENVIRONMENTS
        for view in View
        for sample in range(1, samples + 1)
    )
