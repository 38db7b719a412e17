"""Whether older versions of objects can be seen here, and whether there can be any."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.errors import ProbeError
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.listing import ListPage, list_versions

__all__ = ["VersionSight", "look_at_versions"]

_SURVEY_KEYS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSight:
    """What is known of versioning.

    Attributes:
        state: `Enabled`, `Suspended` or `never`, as the bucket says; None if it does not say.
        listed: whether versions can be listed, and are.
        problem: why not; "" if they are.
    """

    state: str | None
    listed: bool
    problem: str = ""

    @property
    def known(self) -> bool:
        """Whether no older version can hide: they are listed, or there never were any."""
        return self.listed or self.state == "never"

    @property
    def note(self) -> str:
        """The same for a reader."""
        state = f"versioning: {self.state}" if self.state else "versioning: unknown"
        if self.listed:
            return f"{state}; older versions and delete markers are listed"
        if self.state == "never":
            return f"{state}, so that there are no older versions"
        return (
            f"{state}; older versions are not known ({self.problem}): a deleted or replaced file "
            "may still be here; grant s3:ListBucketVersions, or look with "
            "`aws s3api list-object-versions`"
        )


async def look_at_versions(
    client: S3Client, current: ListPage
) -> tuple[VersionSight, ListPage | None]:
    """Find out by two questions whether versions are listed here.

    Returns:
        What was found out, and the first versions below the prefix, if they are listed.

    Args:
        client: of the bucket.
        current: the first page of what is there now. A server that ignores the question for
            versions answers with something that has none, and must not pass for an empty bucket.
    """
    state, why_not = await _state(client)
    try:
        page = await _first_page(client)
    except ProbeError as error:
        return VersionSight(state=state, listed=False, problem=str(error)), None
    if (current.objects or current.directories) and not (page.objects or page.markers):
        problem = "the server lists objects, and no version of any"
        return VersionSight(state=state, listed=False, problem=problem), None
    return VersionSight(state=state, listed=True, problem=why_not), page


async def _first_page(client: S3Client) -> ListPage:
    """Return the first versions below the prefix. Raises ProbeError."""
    pages = list_versions(client, client.place.prefix, page_keys=_SURVEY_KEYS)
    try:
        return await anext(pages)
    finally:
        await pages.aclose()


async def _state(client: S3Client) -> tuple[str | None, str]:
    """Ask whether the bucket keeps versions. One that never did says nothing at all."""
    try:
        reply = await client.call("GetBucketVersioning")
    except ProbeError as error:
        return None, str(error)
    state = reply.data.get("Status")
    return (state if state in ("Enabled", "Suspended") else "never"), ""
