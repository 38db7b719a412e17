"""What the reasons mean that locks, images and environments give."""

from __future__ import annotations

__all__ = ["PIN_CODES"]

PIN_CODES = {
    "fix-excluded": (
        "A cap or a pin admits no version that contains the fix.",
        "A requirement such as `<1.2.4` or `==1.2.2`, or a lock that was not updated.",
        "Relax the requirement so that it admits the fix, and lock again.",
    ),
    "code-patched": (
        "Installed files differ from what their own RECORD says.",
        "Somebody mended the release in place, copied other code over it, or damaged it; or a "
        "system's packager changed it (Debian strips compiled modules).",
        "Install the fix anew (`pip install --force-reinstall`); a mended copy is lost with the "
        "next installation. Name the broken wheel as `reference`, and its code is recognised.",
    ),
    "code-replaced": (
        "What is installed under this version is not what the release contains.",
        "The release was replaced under its own number, or built from other sources.",
        "Install the fix, which has a number of its own.",
    ),
    "code-editable": (
        "What is installed is a link to a source tree (`pip install -e`).",
        "Its metadata says what the tree was when it was linked, not what it is now.",
        "Look at the tree itself, such as by `git describe`, or install a release.",
    ),
    "code-unread": (
        "The installed files could not be compared with what was released.",
        "RECORD or a file that it lists may not be read, or RECORD is damaged.",
        "Run the audit as the owner of the environment, or install the fix anew.",
    ),
    "outside-environments": (
        "A lock forces the broken release, in environments only that are not audited.",
        "An entry whose marker holds for other platforms or versions of Python.",
        "Add that environment to the incident if anybody uses it, and lock again in any case.",
    ),
    "local-build": (
        "A local build of the broken release is installed or locked (PEP 440, `1.2.3+…`).",
        "Somebody built it anew, with or without a change that mends it.",
        "Ask who built it what it contains, or move on to the fix.",
    ),
}
