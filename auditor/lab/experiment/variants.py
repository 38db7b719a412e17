"""What is played on: each program with each of its settings, as far as it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from auditor.lab.drive.bandersnatch import BandersnatchMirror
from auditor.lab.drive.caches.apache import ApacheCache
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import Lifetime, serving_together
from auditor.lab.drive.caches.squid import SquidCache
from auditor.lab.drive.caches.varnish import VarnishCache
from auditor.lab.drive.devpi import DevpiServers
from auditor.lab.drive.proxpi import ProxpiCache
from auditor.lab.drive.pypiserver import PypiServers
from auditor.lab.drive.s3 import S3Bucket
from auditor.lab.drive.subject import Subject
from auditor.lab.drive.swift import SwiftBucket
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.experiment.chains import NginxChain
from auditor.lab.experiment.client_caches import (
    PdmCache,
    PipCache,
    PoetryCache,
    UvCache,
    Wheelhouse,
)
from auditor.lab.experiment.programs import Programs
from auditor.lab.index import EmbeddedIndex
from auditor.model import SettingValue

__all__ = ["Variant", "one_each", "variants_of"]

Serve = Callable[[EmbeddedIndex], AbstractAsyncContextManager[Upstream]]

# Nothing that happens at the source reaches a directory of a client: these say enough.
_FOR_CLIENTS = ("yank", "delete-with-file", "re-upload", "upstream-down")
_AS_INSTALLED = "as installed"
_SHORT = "pages live for 1 s"
_LONG = "pages live for 600 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One program with one set of settings.

    Attributes:
        program: as `Programs` names it.
        settings: in words.
        make: makes the subject.
        serve: serves the source.
        traits: what its operator knows, beside what an audit can see.
        waits: whether it is given its time before anybody asks again; False: they ask at once.
        catches_up: whether its operator's job is run in that time.
        warm: whether the broken release was installed from it before.
        table: more keys of its places.
        only: scenarios to play on it; empty: all.
    """

    program: str
    settings: str
    make: Callable[[], Subject]
    serve: Serve = serving
    traits: tuple[str, ...] = ()
    waits: bool = True
    catches_up: bool = False
    warm: bool = True
    table: Mapping[str, SettingValue] | None = None
    only: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """For a line of progress."""
        return f"{self.program} ({self.settings})"


def variants_of(programs: Programs) -> tuple[Variant, ...]:
    """Return every variant of what is installed; the slow ones first, to share the work well."""
    found = programs.found
    makers: Mapping[str, Callable[[Path], Iterator[Variant]]] = {
        "devpi-server": _devpi,
        "bandersnatch": partial(_bandersnatch, found.get("nginx")),
        "proxpi": _proxpi,
        "varnish": _varnish,
        "swift": _swift,
        "moto": _s3,
        "pypiserver": _pypiserver,
        "squid": _squid,
        "apache": _apache,
        "nginx": _nginx,
        "poetry": partial(_client, "poetry", PoetryCache),
        "pdm": partial(_client, "pdm", PdmCache),
        "uv": partial(_client, "uv", UvCache),
        "pip": _pip,
    }
    return tuple(v for name, make in makers.items() if name in found for v in make(found[name]))


def one_each(variants: Sequence[Variant]) -> list[Variant]:
    """Return one variant of each program: the first one that is given its time, if any is."""
    chosen: dict[str, Variant] = {}
    for variant in sorted(variants, key=lambda v: not v.waits):
        chosen.setdefault(variant.program, variant)
    return list(chosen.values())


def _devpi(command: Path) -> Iterator[Variant]:
    yield Variant(
        program="devpi-server",
        settings="mirror_cache_expiry 1 s, with a replica",
        make=lambda: DevpiServers(command=command),
    )
    yield Variant(
        program="devpi-server",
        settings="mirror_cache_expiry 1800 s",
        make=lambda: DevpiServers(command=command, expiry_s=1800, with_replica=False),
        waits=False,
    )
    yield Variant(
        program="devpi-server",
        settings="mirror_use_external_urls",
        make=lambda: DevpiServers(command=command, with_replica=False, external=True),
    )


def _bandersnatch(nginx: Path | None, command: Path) -> Iterator[Variant]:
    if nginx is None:
        return
    make = partial(BandersnatchMirror, command=command, nginx=nginx)
    yield Variant(program="bandersnatch", settings="before its next run", make=make, waits=False)
    yield Variant(
        program="bandersnatch",
        settings="after its next run",
        make=make,
        catches_up=True,
        table={"expected_lag": "1s"},
    )
    yield Variant(
        program="bandersnatch",
        settings="after its next run, hash-index",
        make=partial(make, settings={"hash-index": "true"}),
        catches_up=True,
        table={"expected_lag": "1s"},
    )


def _proxpi(command: Path) -> Iterator[Variant]:
    for workers in (1, 3):
        settings = {"PROXPI_INDEX_TTL": "1"}
        yield Variant(
            program="proxpi",
            settings=f"PROXPI_INDEX_TTL 1 s, workers: {workers}",
            make=partial(
                ProxpiCache, command=command, workers=workers, samples=workers, settings=settings
            ),
            table={"expected_lag": "1s"},
        )
    yield Variant(
        program="proxpi",
        settings=_AS_INSTALLED,
        make=partial(ProxpiCache, command=command),
        waits=False,
    )


def _pypiserver(command: Path) -> Iterator[Variant]:
    make = partial(PypiServers, command=command)
    yield Variant(program="pypiserver", settings="with a fallback", make=make, warm=False)


def _s3(command: Path) -> Iterator[Variant]:
    yield from _buckets("moto", partial(S3Bucket, command=command))


def _swift(command: Path) -> Iterator[Variant]:
    memcached = Path(shutil.which("memcached") or "/usr/bin/memcached")
    yield from _buckets("swift", partial(SwiftBucket, command=command, memcached=memcached))


def _buckets(program: str, make: Callable[..., S3Bucket]) -> Iterator[Variant]:
    """A bucket that its owner filled once: it has no upstream that could tell it anything."""
    for versioned, settings in ((True, "a versioned bucket"), (False, "a bucket without versions")):
        yield Variant(
            program=program,
            settings=f"{settings} that nobody syncs",
            make=partial(make, versioned=versioned),
        )


def _front(
    make: Callable[[], CachingFront | NginxChain],
    settings: str,
    *,
    pages_s: int = 1,
    **more: object,
) -> Variant:
    serve = partial(serving_together, lifetime=Lifetime(pages_s=pages_s))
    known = {"waits": pages_s < 60, "serve": serve, "settings": settings, "make": make}
    return Variant(program=make().name, **{**known, **more})  # type: ignore[arg-type]  # by name


def _nginx(command: Path) -> Iterator[Variant]:
    make = partial(NginxCache, command=command)
    yield _front(make, _LONG, pages_s=600)
    yield _front(make, _SHORT)
    yield _front(make, f"{_SHORT}, and it never had the file", warm=False)
    yield _front(partial(NginxChain, command=command), f"{_SHORT}, one behind another")
    for errors, trait in (("", "use-stale-error"), (" http_404", "use-stale-404")):
        more = f"proxy_cache_use_stale error timeout http_502 http_504{errors};"
        yield _front(
            partial(make, more=more),
            f"{_SHORT}, proxy_cache_use_stale error{errors}",
            traits=(trait,),
        )
    valid = "proxy_ignore_headers Cache-Control Expires Vary; proxy_cache_valid 200 24h;"
    kept = "keeps every page for 24 h"
    yield _front(partial(make, more=valid), kept, waits=False)
    said = {"expected_lag": "24h"}
    yield _front(
        partial(make, more=valid), f"{kept}, and so it is declared", waits=False, table=said
    )


def _squid(command: Path) -> Iterator[Variant]:
    make = partial(SquidCache, command=command)
    yield _front(make, _LONG, pages_s=600)
    yield _front(make, _SHORT)


def _varnish(command: Path) -> Iterator[Variant]:
    make = partial(VarnishCache, command=command, peek=True)
    yield _front(make, _LONG, pages_s=600)
    yield _front(make, _SHORT)


def _apache(command: Path) -> Iterator[Variant]:
    # It shows itself to clients on hits alone.
    make = partial(ApacheCache, command=command)
    yield _front(make, _LONG, pages_s=600, traits=("apache",))
    yield _front(make, _SHORT, traits=("apache",))


def _pip(command: Path) -> Iterator[Variant]:
    yield from _client("pip", PipCache, command)
    yield Variant(
        program="pip",
        settings="a wheelhouse of somebody who downloaded it",
        make=partial(Wheelhouse, command=command),
        waits=False,
        warm=False,
    )


def _client(name: str, cache: Callable[..., Subject], command: Path) -> Iterator[Variant]:
    yield Variant(
        program=name,
        settings="a cache of somebody who installed it",
        make=partial(cache, command=command),
        waits=False,
        warm=False,
        only=_FOR_CLIENTS,
    )
