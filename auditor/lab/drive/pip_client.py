"""Real pip as the judge of what an index gives: asked with an empty cache, obeying nobody else."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from auditor.lab.drive.preloaded_pip import PIP_LOG, run_pip
from auditor.lab.server import LOOPBACK

__all__ = ["Download", "pip_download"]

_NOT_LISTED = "No matching distribution found"
_YANKED = re.compile(r"candidate selected for download or install is a yanked version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What came of one `pip download`.

    Attributes:
        version: that pip chose; None if it chose none.
        filename: of what it got; None if it got nothing.
        not_listed: whether it failed since the index lists nothing that fits.
        yanked: whether it warned that the choice is yanked.
        output: everything it wrote.
    """

    version: str | None
    filename: str | None
    not_listed: bool
    yanked: bool
    output: str


async def pip_download(index_url: str, requirement: str, *, proxy: str | None = None) -> Download:
    """Let the pip of this environment download one requirement, and forget what it got."""
    project = re.split(r"[=<>!~ ]", requirement, maxsplit=1)[0]
    with tempfile.TemporaryDirectory(prefix="auditor-pip-") as name:
        home = Path(name)
        target = home / "got"
        await run_pip(
            *("download", "--isolated", "--no-cache-dir"),
            *("--disable-pip-version-check", "--no-deps", "--no-input", "--retries", "0"),
            *("--index-url", index_url, "--trusted-host", LOOPBACK),
            *(("--proxy", proxy) if proxy else ()),
            *("--dest", target, requirement),
            home=home,
        )
        got = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
        output = (home / PIP_LOG).read_text(encoding="utf-8", errors="replace")
    return Download(
        version=_chosen(project, got[0] if got else output),
        filename=got[0] if got else None,
        not_listed=_NOT_LISTED in output,
        yanked=bool(_YANKED.search(" ".join(output.split()))),
        output=output,
    )


def _chosen(project: str, text: str) -> str | None:
    """Find the file that pip chose, also where it then could not get it."""
    name = project.replace("-", "_")
    found = re.search(
        rf"\b{re.escape(name)}-(\d[\w.+!]*?)(?:-[\w.]+-[\w.]+-[\w.]+\.whl|\.tar\.gz)", text
    )
    return found.group(1) if found else None
