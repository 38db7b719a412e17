"""What aiohttp's default TLS settings are, whoever imported it first."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys

import pytest

from probes.kit.lean_aiohttp import LateContext, _late_default_context

CODE = """
import json, ssl
real = ssl.create_default_context
loads = []
plain = ssl.SSLContext.load_default_certs
ssl.SSLContext.load_default_certs = lambda self, *a: (loads.append(1), plain(self, *a))[1]
{imports}
import aiohttp.connector as connector
from probes.kit.lean_aiohttp import LateContext
verified = connector._SSL_CONTEXT_VERIFIED
print(json.dumps({{
    "restored": ssl.create_default_context is real,
    "late": isinstance(verified, LateContext),
    "loads": len(loads),
    "mine": len(ssl.create_default_context().get_ca_certs()),
    "attributes": "set_default_verify_paths" in vars(ssl.SSLContext),
}}))
"""


def told(imports: str) -> dict[str, object]:
    command = [sys.executable, "-c", CODE.format(imports=imports)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_no_certificate_is_read_while_aiohttp_is_imported() -> None:
    found = told("import probes.kit.transport")
    assert (found["late"], found["loads"]) == (True, 0)


def test_nothing_is_left_behind_in_the_ssl_module() -> None:
    found = told("import probes.kit.transport")
    assert (found["restored"], found["attributes"]) == (True, False)
    assert found["mine"] == len(ssl.create_default_context().get_ca_certs())


def test_an_aiohttp_that_is_here_already_stays_as_it_is() -> None:
    assert told("import aiohttp")["late"] is False


def test_the_late_settings_are_those_of_the_standard_library() -> None:
    late, usual = _late_default_context(), ssl.create_default_context()
    for name in ("verify_mode", "check_hostname", "verify_flags", "options", "minimum_version"):
        assert getattr(usual, name) == getattr(late, name)
    assert late.get_ca_certs() == []
    late.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="index.example")
    assert usual.get_ca_certs() == late.get_ca_certs()


def test_the_certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[ssl.SSLContext] = []
    monkeypatch.setattr(LateContext, "load_default_certs", lambda context: loads.append(context))
    late = _late_default_context()
    for _ in range(2):
        late.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="index.example")
    assert loads == [late]
