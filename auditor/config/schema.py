"""The keys of the configuration, their types and their defaults.

One model per table. Unknown keys are errors; what a key *means* together with others is judged in
`auditor.config.incidents` and `auditor.config.locations`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from auditor.config.checking import AfterValidator, AwareDatetime, Field, PlainValidator, Table
from auditor.config.install_settings import parse_cooldown_text
from auditor.config.values import (
    SecretReference,
    hexadecimal,
    parse_duration,
    parse_file_url,
    parse_filename,
    parse_incident_id,
    parse_moment,
    parse_name,
    parse_project,
    parse_secret,
    parse_sha256,
    parse_status,
    parse_timeout,
    parse_version_rule,
    parse_yes_or_text,
)
from auditor.model import DEFAULT_FAIL_ON, Role, Status

__all__ = [
    "KIND_KEYS",
    "TABLES",
    "AuditTable",
    "BrokenFileTable",
    "IncidentTable",
    "LocationTable",
    "NotifyTable",
    "Table",
    "WaiverTable",
]

Name = Annotated[str, AfterValidator(parse_name)]
Duration = Annotated[float, PlainValidator(parse_duration)]
Timeout = Annotated[float, PlainValidator(parse_timeout)]
Secret = Annotated[SecretReference, PlainValidator(parse_secret)]
Cooldown = Annotated[str, PlainValidator(parse_cooldown_text)]
YesOrText = Annotated[bool | str, PlainValidator(parse_yes_or_text)]
VersionText = Annotated[str, AfterValidator(parse_version_rule)]
Versions = Annotated[tuple[VersionText, ...], Field(min_length=1)]
Digests = tuple[Annotated[str, AfterValidator(parse_sha256)], ...]
Texts = tuple[str, ...]
Statuses = tuple[Annotated[Status, PlainValidator(parse_status)], ...]


class AuditTable(Table):
    """`[audit]`.

    Attributes:
        timeout_s: seconds for one location.
        concurrency: places looked at at once.
        concurrency_per_host: and per host.
        contact: goes into the User-Agent; "" for none.
        history: file of past runs; None: none is kept.
        fail_on: statuses that make the audit fail.
        public_mirrors_file: list of public mirrors in place of the one that is shipped.
        exclude_newer: for every index that has none of its own; None: uploads need no age.
    """

    timeout_s: Timeout = 30.0
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    concurrency_per_host: Annotated[int, Field(ge=1, le=1_000)] = 4
    contact: Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] = ""
    history: str | None = None
    fail_on: Statuses = DEFAULT_FAIL_ON
    public_mirrors_file: Annotated[str, Field(min_length=1)] | None = None
    exclude_newer: Cooldown | None = None


class BrokenFileTable(Table):
    """One element of `broken_files`: a broken artifact, by all that is known of it.

    Attributes:
        filename: as on the index.
        sha256, md5, crc32: hexadecimal digests; None if not known.
        size: bytes; None if not known.
        url: where the source offers it; None if not known.
    """

    filename: Annotated[str, AfterValidator(parse_filename)]
    sha256: Annotated[str, AfterValidator(hexadecimal("sha256", 64))] | None = None
    md5: Annotated[str, AfterValidator(hexadecimal("md5", 32))] | None = None
    crc32: Annotated[str, AfterValidator(hexadecimal("crc32", 8))] | None = None
    size: Annotated[int, Field(ge=0)] | None = None
    url: Annotated[str, AfterValidator(parse_file_url)] | None = None


class IncidentTable(Table):
    """`[[incidents]]`.

    Attributes:
        id: unique; None: made of the project and its first broken version.
        project: normalised name.
        broken, fixed: versions or specifiers.
        broken_hashes: sha256 digests of broken artifacts, without the prefix.
        broken_files: broken artifacts by name, with whatever else is known of each. Stores differ
            in what they can match, and after a deletion the source does not say it any more.
        published_at: when the fix was published; None: learnt from the source.
        environments: interpreter and platform tags; empty means the default matrix.
    """

    id: Annotated[str, AfterValidator(parse_incident_id)] | None = None
    project: Annotated[str, AfterValidator(parse_project)]
    broken: Versions
    fixed: Versions
    broken_hashes: Digests = ()
    broken_files: tuple[BrokenFileTable, ...] = ()
    published_at: Annotated[AwareDatetime, AfterValidator(parse_moment)] | None = None
    environments: Texts = ()


class LocationTable(Table):
    """`[[locations]]`.

    Attributes:
        name: unique; None: the kind, then the kind with a number.
        kind: name of the probe that can look at it.
        url, path: where it is; kinds say which of them they need.
        upstream: name of the location it copies from.
        expected_lag: seconds it may normally be behind.
        required: whether `absent` and `unknown` count here; None: true for an index.
        group: locations that one client uses together.
        role: index, store or pin, where its kind leaves the choice; None: the kind's own.
        samples: how often each page is asked for.
        rebuilds: whether it builds its own wheels, so that other bytes accuse nobody.
        timeout_s: seconds for this location; None: that of `[audit]`.
        username, password, token: how to get in.
        netrc: true for the user's own file, or the path of another.
        keyring: true for the service that pip would ask for, or a service's name.
        ca_file, client_cert, client_key: paths of PEM files.
        insecure: whether certificates are not verified.
        bucket, prefix, endpoint_url, region: of a store that speaks S3.
        cache_path: directory of a cache.
        via: address of a forward proxy, or a reference to one that holds a password.
        exclude_newer: age or time that an upload must have for those who install from there.
        constraints: path of the constraints file that they install with.
        index_strategy: how uv searches the indexes of the group that it belongs to.
        vantages: from which of them it is looked at; empty: from every one.
    """

    name: Name | None = None
    kind: str
    url: str | None = None
    path: Annotated[str, Field(min_length=1)] | None = None
    upstream: str | None = None
    expected_lag: Duration | None = None
    required: bool | None = None
    group: Name | None = None
    role: Role | None = None
    samples: Annotated[int, Field(ge=1, le=100)] = 1
    rebuilds: bool = False
    timeout_s: Timeout | None = None
    username: Secret | None = None
    password: Secret | None = None
    token: Secret | None = None
    netrc: YesOrText = False
    keyring: YesOrText = False
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False
    bucket: str | None = None
    prefix: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    cache_path: str | None = None
    via: Secret | None = None
    exclude_newer: Cooldown | None = None
    constraints: Annotated[str, Field(min_length=1)] | None = None
    index_strategy: Literal["first-index", "unsafe-best-match"] | None = None
    vantages: tuple[Name, ...] = ()


# Keys that only some kinds read; where a kind that is installed does not, they are errors.
KIND_KEYS = ("bucket", "prefix", "endpoint_url", "region", "cache_path")


class WaiverTable(Table):
    """`[[waivers]]`.

    Attributes:
        location: name of the location.
        incident: id of the incident; None for every one.
        until: the last day on which it holds (UTC).
        reason: why.
    """

    location: str
    incident: str | None = None
    until: date
    reason: Annotated[str, Field(min_length=1)]


class NotifyTable(Table):
    """`[[notify]]`.

    Attributes:
        kind: what receives the message.
        url: its address, which may itself be a secret.
        on: what causes one: any change of a status, or only that a place begins to fail, or that
            it no longer does.
        name: under which the history keeps what was told; None: the kind, then with a number.
        threshold: how many runs in a row must see something before it is told.
        remind_every: seconds after which it is told again that places still fail; None: never.
        secret: with which a webhook's messages are signed; None: they are not.
        to: who gets the e-mail.
        sender: who sends it.
    """

    kind: Literal["webhook", "slack", "email", "apprise"]
    url: Secret
    on: Annotated[tuple[Literal["change", "failing", "resolved"], ...], Field(min_length=1)] = (
        "change",
    )
    name: Name | None = None
    threshold: Annotated[int, Field(ge=1, le=1000)] = 1
    remind_every: Duration | None = None
    secret: Secret | None = None
    to: Texts = ()
    sender: str | None = None


# What may stand in the file. The value is the table's model, and whether it repeats.
TABLES: dict[str, tuple[type[Table], bool]] = {
    "audit": (AuditTable, False),
    "incidents": (IncidentTable, True),
    "locations": (LocationTable, True),
    "waivers": (WaiverTable, True),
    "notify": (NotifyTable, True),
}
