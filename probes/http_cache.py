"""Kind `http-cache`: an index seen through nginx, squid, Varnish or Apache."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, Role, Touch
from probes.cache_server.remedies import REMEDIES
from probes.kit.index import VIEWS
from probes.kit.session import prepare
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read what the cache keeps on disk, then the page in every view, then ask what is safe."""
    # Reading archives and hashing is nothing that the list of kinds needs.
    from probes.cache_server import observing

    return await observing.observe(assignment)


KIND = ProbeKind(
    name="http-cache",
    summary="an index seen through nginx, squid, Varnish or Apache, or through a forward proxy",
    role=Role.INDEX,
    settings=(
        Setting(
            key="url",
            required=True,
            meaning="the index as clients of the cache name it to pip as --index-url",
        ),
        Setting(
            key="cache_path",
            meaning="directory of nginx's proxy_cache_path, squid's cache_dir (ufs) or Apache's "
            "CacheRoot, if it is on this machine; several with a colon between them",
        ),
        Setting(
            key="files_expire",
            meaning="false: files that are kept here never expire, so that one which is gone from "
            "every place above may be asked for; not with a proxy_cache_valid for files that ends",
        ),
        Setting(key="via", meaning="forward proxy that caches, such as squid; https is a tunnel"),
        Setting(
            key="peek",
            meaning="Varnish alone: true, or a header's name, if its VCL looks such requests up "
            "(vcl_recv: hash), answers 504 for what it lacks (vcl_miss, vcl_pass) and never "
            "fetches for them (vcl_backend_fetch: abandon); the remedies show the lines",
        ),
    ),
    observe=observe,
    prepare=prepare,
    expected_lag_s=600.0,
    expected_lag_source="PyPI lets caches keep its pages for 600 s; what the pages here say comes "
    "first",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="HEAD of a name beside the broken file that nobody has, with only-if-cached "
            "(squid, Apache) or the peek header (Varnish)",
            touch=Touch.REFRESHES_INDEX,
            proof="squid 5.7 and Apache 2.4.71 answer 504 of their own and ask nobody; any other "
            "answer ends the questions, and left at most one refusal for a name without use",
        ),
        TouchNote(
            request="HEAD of each broken file, and of a few of the fix's once the source lists it, "
            "with only-if-cached, max-stale (squid, Apache) or the peek header (Varnish), after "
            "the canary alone",
            touch=Touch.INERT,
            proof="cold and warm, disk, upstream log and the next plain request were the same "
            "without it; never sent to nginx, nor where another cache leaves a sign",
        ),
        TouchNote(
            request="with files_expire = false: HEAD, then GET, of each broken file that is gone "
            "from all places above",
            touch=Touch.INERT,
            proof="what every place of the declared chain answered 404 or 410 for cannot be "
            "fetched from there; where a copy may have expired it is not sent, since nginx and "
            "Varnish can put the 404 in place of the bytes (measured)",
        ),
        TouchNote(
            request="read of the cache's directory (cache_path)",
            touch=Touch.INERT,
            proof="opened for reading only, without changing access times where that is allowed; "
            "no link followed; tests compare every file before and after",
        ),
    ),
    remedies=REMEDIES,
    views=VIEWS,
    verified="nginx 1.22.1, squid 5.7, Varnish 7.1.1, Apache 2.4.71",
    unverified=(
        "an entry that its origin marked must-revalidate and that has expired may answer 504 "
        "although its bytes are there",
    ),
)
