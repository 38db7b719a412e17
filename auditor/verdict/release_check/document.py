"""Checks of releases as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.verdict.release_check.finding import ReleaseCheck, ReleaseFinding

__all__ = ["SCHEMA_VERSION", "as_document"]

SCHEMA_VERSION = 1


def as_document(checks: Sequence[ReleaseCheck], exit_code: int) -> Mapping[str, object]:
    """All checks of one call, with its exit code."""
    return {
        "schema_version": SCHEMA_VERSION,
        "exit_code": exit_code,
        "checks": [_check(check) for check in checks],
    }


def _check(check: ReleaseCheck) -> Mapping[str, object]:
    return {
        "incident": check.incident,
        "project": check.project,
        "broken": check.broken,
        "fixed": check.fixed,
        "last_good": check.last_good,
        "proposed": list(check.proposed),
        "source": check.source,
        "environments": check.environments,
        "exit_code": check.exit_code,
        "sentence": check.sentence,
        "findings": [_finding(finding) for finding in check.findings],
    }


def _finding(finding: ReleaseFinding) -> Mapping[str, object]:
    return {
        "code": finding.code,
        "level": finding.level.value,
        "text": finding.text,
        "expected": finding.expected,
        "observed": finding.observed,
        "next_step": finding.next_step,
    }
