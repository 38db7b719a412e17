"""What a rule of the SARIF log means, and what to do about it: shown beside an alert.

In general words first, then with what this run expected and proposes.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model import Reason, Remedy, Status
from auditor.model.document import Document
from reports.safe_text import markdown, markdown_code, one_line
from reports.words import STATUSES

__all__ = ["status_help"]

# What to do, per status that can be in the log.
_STEPS = {
    Status.TAMPERED: (
        "Install this project from nowhere near this place until its bytes are explained.",
        "Ask its operator where they come from; a place that builds its own wheels sets "
        "`rebuilds = true`.",
    ),
    Status.EXPOSED: (
        "Bring the fix here: sync the mirror, refresh the cache, or add the file.",
        "Until then, clients that install from here can exclude the broken version.",
    ),
    Status.PINNED: (
        "Move the pin to the fixed version, hashes included, and build again what was made of it.",
        "Deleting the broken release would not lift the pin: it would break the install.",
    ),
    Status.BEHIND: (
        "Bring the fix here, as for an exposed place, or widen the cap that keeps it out.",
        "A delay that is normal here is over by the time that the message names.",
    ),
    Status.UNKNOWN: (
        "Find out why it could not be read: the reasons name what was expected.",
        "Audit again; an unknown place is never counted as a good one.",
    ),
    Status.LATENT: (
        "Nothing installs these bytes by itself: purge them when it suits you.",
        "Look for pins and hashes that could still ask for them.",
    ),
}


def status_help(status: Status, reasons: Sequence[Reason], remedies: Sequence[Remedy]) -> Document:
    """Return the help in both forms (SARIF 2.1.0, section 3.49.13)."""
    meaning, steps = STATUSES[status].detail, _STEPS.get(status, ())
    explain = f"`auditor explain {status}` says what usually causes this."
    plain = [meaning, *steps]
    plain += [f"{one_line(r.code)}: expected {one_line(r.expected or '–')}." for r in reasons]
    plain.append(explain)
    lines = ["### What it means", "", meaning, ""]
    if steps:
        lines += ["### What to do", "", *(f"{n}. {step}" for n, step in enumerate(steps, 1)), ""]
    if reasons:
        lines += ["### What was expected here", ""]
        lines += [f"* {markdown_code(r.code)}: {markdown(r.expected or '–')}" for r in reasons]
        lines.append("")
    if remedies:
        lines += ["### What this audit proposes", ""]
        lines += [f"* {markdown_code(r.command)}: {markdown(r.effect)}" for r in remedies]
        lines.append("")
    return {"text": " ".join(plain), "markdown": "\n".join((*lines, explain))}
