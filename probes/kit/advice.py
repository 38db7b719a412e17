"""What a recognised server means for its reader: a better kind, how to log in, its usual lag.

All of it is words and defaults. None of it decides a status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from auditor.model import Hint, Location, Page, PageOutcome, StatedLag
from probes.kit.fingerprint import Recognition, SerialNature, Software

__all__ = ["ADVICE", "Advice", "serial_hints", "told_of_software", "usual_lag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is known of one software.

    Attributes:
        kind: that can ask it more than its pages; None if there is none.
        gain: what that kind would tell, or what to know without one.
        login: how installers log in; "" if nothing is special.
        lag_s: seconds that it is usually behind its upstream; None if nothing is usual.
        lag_source: where that number comes from.
    """

    kind: str | None = None
    gain: str = ""
    login: str = ""
    lag_s: float | None = None
    lag_source: str = ""


_DAY_S = 86_400.0

# Lags and logins: the vendors' documentation; seen on none of the real services.
ADVICE: Mapping[Software, Advice] = MappingProxyType(
    {
        Software.DEVPI: Advice(
            kind="devpi",
            gain="would also tell what it holds, what hides the fix, and how far a replica is",
            lag_s=1800.0,
            lag_source="devpi-server answers from its cache for 1800 s unless told otherwise",
        ),
        Software.NEXUS: Advice(
            kind="nexus",
            gain="would also ask its search for the files that it holds",
            lag_s=_DAY_S,
            lag_source="a proxy repository keeps pages, and misses, for 1440 min unless told "
            "otherwise",
        ),
        Software.ARTIFACTORY: Advice(
            kind="artifactory",
            gain="would also ask its search for the files that it holds",
            lag_s=7200.0,
            lag_source="a remote repository keeps pages for 7200 s unless told otherwise",
        ),
        Software.PULP: Advice(
            kind="pulp", gain="would also ask its content interface for the files that it holds"
        ),
        Software.PROXPI: Advice(
            kind="proxpi",
            gain="would also look into its cache directory (`cache_path`)",
            lag_s=1800.0,
            lag_source="proxpi answers from its memory for 1800 s unless told otherwise",
        ),
        Software.BANDERSNATCH: Advice(
            kind="bandersnatch", gain="would also tell what it holds, without asking any cache"
        ),
        Software.PYPISERVER: Advice(
            kind="pypiserver",
            gain="would also tell which files are its own, and that these hide all others",
        ),
        Software.GITLAB: Advice(
            gain="a project that it does not know is looked up at PyPI by a redirect, unless its "
            "owner forbade that",
            login="username = any name, password = a personal, deploy or job token",
        ),
        Software.AZURE: Advice(
            gain="what its upstream has new arrives after hours, and only when somebody with the "
            "right to save it asks",
            login="username = any name, password = a personal access token",
            lag_s=6 * 3600.0,
            lag_source="Azure Artifacts learns of new upstream versions within 3 to 6 hours",
        ),
        Software.CODEARTIFACT: Advice(
            gain="yanks of its upstream arrive when a package is next fetched",
            login='username = "aws", password = a token, which lives for 12 hours at most',
            lag_s=1800.0,
            lag_source="CodeArtifact asks its upstream again after 30 minutes at the latest",
        ),
        Software.GOOGLE: Advice(
            gain="a remote repository keeps what it once fetched",
            login='username = "oauth2accesstoken" and an access token, or "_json_key_base64" and a '
            "key, as password",
        ),
        Software.NGINX_LISTING: Advice(
            kind="wheelhouse", gain='with role = "index" would read its disk, given a `path`'
        ),
        Software.APACHE_LISTING: Advice(
            kind="wheelhouse", gain='with role = "index" would read its disk, given a `path`'
        ),
        Software.PYTHON_LISTING: Advice(gain="nothing syncs it, and it states no digests"),
        Software.SIMPLEINDEX: Advice(
            gain="its directories have no digests and no yanks, and nothing syncs them; what it "
            "redirects is somebody else's page"
        ),
    }
)


def told_of_software(
    recognition: Recognition, declared: str, pages: Sequence[Page]
) -> Iterator[str]:
    """Say what answers, which kind would tell more, and how one logs in where that failed.

    Args:
        recognition: of the place.
        declared: the kind that the configuration names.
        pages: as they were read.
    """
    software = recognition.software
    advice = ADVICE.get(software) if software else None
    if software is None or advice is None or advice.kind == declared:
        return
    looks = f"this looks like {software.value} ({recognition.sign})"
    if advice.kind is not None:
        yield f'{looks}: kind = "{advice.kind}" {advice.gain}'
    else:
        yield f"{looks}: {advice.gain}"
    if advice.login and any(page.outcome is PageOutcome.DENIED for page in pages):
        yield f"{software.value} wants {advice.login}"


def usual_lag(recognition: Recognition, location: Location) -> StatedLag | None:
    """Return how far behind such a server usually is, where nobody configured anything.

    None also where it copies from nowhere that is declared: a hosted repository has no lag.
    """
    software = recognition.software
    advice = ADVICE.get(software) if software else None
    if advice is None or advice.lag_s is None or location.expected_lag_s is not None:
        return None
    if location.upstream is None:
        return None
    return StatedLag(seconds=advice.lag_s, basis=f"as is usual: {advice.lag_source}")


def serial_hints(recognition: Recognition, pages: Sequence[Page]) -> Iterator[Hint]:
    """Say which serials say nothing. Constants that the judge knows by their value are left to it.

    That none is shown, or an older or a younger one than at the source, the judge sees by itself.
    """
    if recognition.serial is SerialNature.CONTRADICTORY:
        read = [page for page in pages if page.outcome is PageOutcome.OBSERVED]
        yield Hint(
            code="serial-fake",
            text="Header and page state different serials, so that one of them is somebody's own.",
            expected="one serial in header and page",
            observed="two different ones in the same answer",
            evidence=tuple(dict.fromkeys(e for page in read for e in page.evidence[:1])),
        )
