"""Which bucket, and where in it: settings, prefixes, and the keys that links on a page mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from auditor.errors import ProbeError
from auditor.model import Location
from probes.kit.origins import Origin, is_same_host, origin_of

__all__ = ["BucketPlace", "place_of"]

# Amazon's rules are stricter (3 to 63 signs, lower case); other servers are not as strict. What
# must not get through is what makes boto3 ask another host: ARNs of access points.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
# boto3 must name some region in its signature; servers other than Amazon's ignore which.
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPlace:
    """A bucket, and the part of it that is looked at.

    Attributes:
        bucket: its name.
        prefix: with which all keys begin that count; "" for the whole bucket, else ends in `/`.
        endpoint_url: of the server; None: Amazon's own, or what boto3's own settings say.
        region: None: what boto3's own settings say.
    """

    bucket: str
    prefix: str
    endpoint_url: str | None
    region: str | None

    @property
    def uri(self) -> str:
        """The place as the `aws` command takes it."""
        return f"s3://{self.bucket}/{self.prefix}"

    def url_of(self, key: str, endpoint: Origin) -> str:
        """Return the address of an object, as far as a page's relative links need it."""
        return f"{endpoint.scheme}://{endpoint.host_and_port}/{self.bucket}/{quote(key)}"

    def key_of(self, url: str, endpoint: Origin) -> str | None:
        """Return the key that a link on a page means; None if it leads out of the bucket.

        A link that begins with `/` means the top of the bucket where the bucket is a website.
        """
        try:
            origin, path = origin_of(url), urlsplit(url).path
        except (ProbeError, ValueError):
            return None
        key = unquote(path.removeprefix("/"))
        if is_same_host(origin.host, endpoint.host) and origin.port == endpoint.port:
            return key.removeprefix(f"{self.bucket}/")
        # Virtual-host addressing, and Amazon's websites: the bucket is a part of the host's name.
        website = origin.host.startswith(
            (f"{self.bucket}.s3-website.", f"{self.bucket}.s3-website-")
        )
        return key if website or origin.host == f"{self.bucket}.{endpoint.host}" else None


def place_of(location: Location) -> BucketPlace:
    """Read the settings of a location.

    Raises:
        ProbeError: they name no bucket, or one that no server has.
    """
    found = {key: str(value) for key, value in location.settings.items()}
    bucket, prefix = found.get("bucket"), found.get("prefix", "")
    if not bucket:
        raise ProbeError('no bucket is named; write bucket = "NAME" or url = "s3://NAME/PREFIX/"')
    if not _BUCKET.fullmatch(bucket):
        raise ProbeError(f"{bucket[:100]!r} is no name of a bucket; access points are not read")
    region = found.get("region")
    if region is not None and not _REGION.fullmatch(region):
        raise ProbeError(f"{region[:100]!r} is no region; write one such as {DEFAULT_REGION}")
    # `prod` means what is below `prod/`, as `aws s3 sync` means it, and not `production/`.
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return BucketPlace(
        bucket=bucket, prefix=prefix, endpoint_url=found.get("endpoint_url"), region=region
    )
