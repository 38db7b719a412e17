"""aiohttp, imported without reading every certificate of the system.

aiohttp makes its default TLS settings while it is imported, which takes as long as a third of the
import. We hand it settings of our own for each https request, and most audits of a private network
have none. So its default is made here such that it reads the certificates when it is first used:
to everybody else in this process it is what it was.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["LateContext", "aiohttp"]


class LateContext(ssl.SSLContext):
    """Trusts what `ssl.create_default_context()` trusts, and reads that before its first use."""

    _is_loaded = False

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin a handshake, as asyncio and uvloop do."""
        self._load()
        return super().wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Begin a handshake on a blocking socket."""
        self._load()
        return super().wrap_socket(*args, **options)

    def _load(self) -> None:
        if not self._is_loaded:
            self.load_default_certs()
            self._is_loaded = True


def _late_default_context() -> ssl.SSLContext:
    """Do what `ssl.create_default_context()` does, apart from reading the certificates."""
    context = LateContext(ssl.PROTOCOL_TLS_CLIENT)  # which verifies names and certificates
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    keys = os.environ.get("SSLKEYLOGFILE")
    if keys and not sys.flags.ignore_environment:
        context.keylog_filename = keys
    return context


@contextmanager
def _reading_certificates_later() -> Iterator[None]:
    at_once = ssl.create_default_context

    def create(*args: Any, **options: Any) -> ssl.SSLContext:
        ours = threading.get_ident() == here and not args and not options
        return _late_default_context() if ours else at_once(*args, **options)

    def nothing(context: ssl.SSLContext) -> None:
        """Leave out what settings that verify nothing have no use for; aiohttp makes such too."""
        if threading.get_ident() != here:
            super(ssl.SSLContext, context).set_default_verify_paths()

    here = threading.get_ident()
    ssl.create_default_context = create
    ssl.SSLContext.set_default_verify_paths = nothing  # type: ignore[assignment]  # it is inherited
    try:
        yield
    finally:
        ssl.create_default_context = at_once
        del ssl.SSLContext.set_default_verify_paths


with _reading_certificates_later():
    import aiohttp
