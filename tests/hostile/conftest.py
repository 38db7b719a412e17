"""Assignments as the tests of the probes make them, away from this machine's proxies and logins."""

from __future__ import annotations

from tests.probes.conftest import _direct, assign, incident, serve

__all__ = ["_direct", "assign", "incident", "serve"]
