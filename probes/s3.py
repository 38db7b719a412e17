"""Kind `s3`: a wheelhouse in a bucket behind the S3 interface, versioned or not."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import HeldState, Observation, RemedyTemplate, Role, Status, Touch, View
from probes.s3_bucket.traits import UNVERSIONED, VERSIONED

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Look into the bucket. boto3 takes long to load, so that it is here only when needed."""
    from probes.s3_bucket.looking import observe_bucket

    return await observe_bucket(assignment)


KIND = ProbeKind(
    name="s3",
    summary="a wheelhouse in an S3 bucket, older versions and static index pages included",
    role=Role.STORE,
    settings=(
        Setting(key="bucket", meaning="its name; either this or url"),
        Setting(key="url", meaning="s3://BUCKET/PREFIX/"),
        Setting(key="prefix", meaning="directory in the bucket below which everything counts"),
        Setting(key="endpoint_url", meaning="server that is not Amazon's own, http(s)://HOST"),
        Setting(key="region", meaning="of the bucket, where boto3's own settings do not say it"),
        Setting(
            key="role",
            meaning="`index` or `store`; without it, what is in it decides",
        ),
        Setting(
            key="list_all",
            meaning="true: read the list of the whole prefix, in place of the project's names",
        ),
        Setting(key="via", meaning="forward proxy through which it is seen"),
        Setting(key="username", meaning="access key; without one, boto3's environment or profile"),
        Setting(key="password", meaning="secret key"),
        Setting(key="token", meaning="session token, if the keys are temporary"),
    ),
    observe=observe,
    # Nothing is copied by itself: somebody uploads and deletes.
    syncs=False,
    touches=(
        TouchNote(
            request="ListObjectsV2, ListObjectVersions, GetBucketVersioning",
            touch=Touch.INERT,
            proof="S3 reads its own lists; objects, versions and markers were the same before and "
            "after every audit of moto 5.2",
        ),
        TouchNote(
            request="HeadObject of broken and fixed files, for their checksums",
            touch=Touch.INERT,
            proof="a bucket fetches nothing from elsewhere; not sent where a header shows a cache "
            "in front of it (Via, Age, X-Cache, …) or a proxy is in use",
        ),
        TouchNote(
            request="GetObject of static index pages, where role is index",
            touch=Touch.INERT,
            proof="a page is read as it lies in the bucket",
        ),
        TouchNote(
            request="GetObject of a file that may be a broken one under another name, where no "
            "header tells (at most 20, of at most 32 MiB)",
            touch=Touch.INERT,
            proof="as for HeadObject, and not sent where that is not",
        ),
        TouchNote(
            request="the same, where a header shows a cache in front of the bucket",
            touch=Touch.REFRESHES_INDEX,
            proof="a page GET never made a cache fetch a file (measured on nginx, squid, Varnish, "
            "Apache)",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="# make the static index below {url} anew, and purge {project} in what is in "
            "front of it",
            effect="lists the fix, and no longer what was deleted",
            caution="until a purge, a delivery network in front keeps the old page for its "
            "Cache-Control",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# find every version of {file} below {url} with `aws {endpoint_option}s3api "
            "list-object-versions`, and delete each by `aws {endpoint_option}s3api delete-object "
            "--version-id …`",
            effect="removes the bytes, which a deletion without a version only hides",
            caution="direct URLs and lock files that name the file stop working",
            statuses=(Status.EXPOSED, Status.LATENT, Status.ROLLED_FORWARD, Status.TAMPERED),
            traits=(VERSIONED,),
        ),
        RemedyTemplate(
            command="aws {endpoint_option}s3 rm --recursive {url} --exclude '*' "
            "--include '*'{file}",
            effect="removes the broken file from what is listed and served",
            caution="in a versioned bucket its bytes stay, as a noncurrent version; afterwards "
            "make the index anew, or installers that choose the file fail",
            statuses=(Status.EXPOSED, Status.LATENT, Status.ROLLED_FORWARD, Status.TAMPERED),
            traits=(VERSIONED, UNVERSIONED),
            states=(HeldState.HELD,),
        ),
    ),
    # A bucket does not negotiate: every client gets the same page.
    views=(View.PIP,),
    verified="moto 5.2.5 with boto3 1.44",
    unverified=(
        "Amazon's own S3: its answers for missing rights are as documented, not as measured",
    ),
)
