"""What the reasons mean that settings of those who install give."""

from __future__ import annotations

__all__ = ["SETTINGS_CODES"]

SETTINGS_CODES = {
    "fix-cooling-down": (
        "The fix is listed, but too young for those who install from here.",
        "A setting that keeps new uploads away for a while: uv's exclude-newer, pip's "
        "--uploaded-prior-to, Poetry's min-release-age, Renovate's minimumReleaseAge.",
        "Wait until the time shown, or exempt this project. Where no upload time is stated, pip "
        "gives up and uv passes the file over: give the index one, or exempt the project.",
    ),
    "fix-capped": (
        "The fix is listed, but a constraints file does not admit it.",
        "A cap or a pin that was right before the fix was published.",
        "Raise the constraint to a version that contains the fix.",
    ),
    "client-settings": (
        "The place has the fix, and settings of those who install from it keep it from them.",
        "A constraints file with a cap, or an age that new uploads must have.",
        "Change the setting that is named; the operator of the place can do nothing.",
    ),
    "constraints-unread": (
        "A constraints file is not known to its end, so that it may keep the fix away.",
        "A variable of the environment, an included file that is missing or far away, an option "
        "that changes what is chosen, or a line that pip refuses.",
        "Write out what the line means, or name a file that stands for itself.",
    ),
}
