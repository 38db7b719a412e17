"""One entry of `files` on a JSON page, read whatever it is."""

from __future__ import annotations

from auditor.model import Candidate
from auditor.model.filename import version_in
from probes.kit.pages import fields
from probes.kit.pages.links import BadLink, FileLink, LinkReader
from probes.kit.pages.parsed import PIP_STOPS, FaultLog

__all__ = ["note_odd_egg", "read_entry"]


def read_entry(
    entry: object, position: str, links: LinkReader, project: str, faults: FaultLog
) -> Candidate | None:
    """Read one entry; what is wrong with it goes into `faults`.

    Args:
        position: such as `files[12]`, for entries without a readable name.

    Returns:
        The file; None if no installer could find one behind this entry.
    """
    if not isinstance(entry, dict):
        faults.lost(position, f"{PIP_STOPS}: it is no object", entry)
        return None
    name = entry.get("filename")
    subject = name if isinstance(name, str) and name.strip() else position
    link = _link(entry.get("url"), subject, links, faults)
    if link is None:
        return None

    def note(problem: str, seen: object) -> None:
        faults.detail(subject, problem, seen)

    if name != link.filename:
        # pip reads the URL, uv the `filename` key: they may see different files here.
        note(f"its filename and its URL disagree; pip takes {link.filename[:200]!r}", name)

    def stops(problem: str, seen: object) -> None:
        faults.lost(subject, f"{PIP_STOPS}: {problem}", seen)

    note_odd_egg(link, project, faults)
    yanked, reason = fields.read_yank(entry.get("yanked"), note)
    announced = entry.get("core-metadata"), entry.get("dist-info-metadata")
    return Candidate(
        filename=link.filename,
        version=version_in(link.filename, project),
        url=link.url,
        hashes=_hashes(entry.get("hashes"), link, note, stops),
        yanked=yanked,
        yank_reason=reason,
        requires_python=fields.read_requires_python(
            entry.get("requires-python"), note, stops=stops
        ),
        size=fields.read_size(entry.get("size"), note),
        uploaded_at=fields.read_upload_time(entry.get("upload-time"), note, stops=stops),
        has_metadata=fields.read_flag(*announced, note),
        provenance=fields.read_provenance(entry.get("provenance"), note),
    )


def _link(url: object, subject: str, links: LinkReader, faults: FaultLog) -> FileLink | None:
    """Read the address of an entry.

    An address that nobody can fetch loses the entry, although pip would list the file and fail on
    it only when it is chosen: neither "on offer" nor "not on offer" would be true of it.
    """
    if not isinstance(url, str) or not url:
        faults.lost(subject, "it has no URL", url)
        return None
    try:
        return links.read(url)
    except BadLink as error:
        faults.lost(subject, str(error), url)
        return None


def _hashes(value: object, link: FileLink, note: fields.Note, stops: fields.Note) -> dict[str, str]:
    """Read the hashes. As in pip, one in the URL's fragment wins over the same kind beside it."""
    hashes = fields.read_hashes(value, note, stops=stops)
    if link.bad_hash:
        note("the hash in its URL is no digest", link.bad_hash)
    if any(hashes.get(kind, digest) != digest for kind, digest in link.hashes.items()):
        note("its hashes and the hash in its URL disagree; pip takes the latter", value)
    return hashes | link.hashes


def note_odd_egg(link: FileLink, project: str, faults: FaultLog) -> None:
    """Note an `#egg=` fragment that makes pip see another version than the file name says."""
    if not link.egg:
        return
    # pip splits the fragment by the rule that it has for names of source distributions.
    if version_in(f"{link.egg}.tar.gz", project) != version_in(link.filename, project):
        problem = "pip reads its version from an #egg= fragment, which is not followed here"
        faults.lost(link.filename, problem, link.egg)
