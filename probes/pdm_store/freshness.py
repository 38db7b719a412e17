"""Until when PDM trusts a stored page, computed as hishel 1.2 computes it.

hishel takes itself for a shared cache: s-maxage comes first, then max-age, then Expires - Date;
else a tenth of the time since Last-Modified, at most a week. Age is now - Date, whatever the Age
header says, and zero without a Date. An answer with no-cache is asked for again each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from probes.kit.freshness import http_date

__all__ = ["expires_at"]

_MAX_LIFETIME_S = 2**31
_WEEK_S = 7 * 86_400
# PDM keeps no answer for longer (CACHES_TTL in pdm/models/session.py).
_KEPT_S = _WEEK_S
_DIRECTIVE = re.compile(r'([\w-]+)\s*(?:=\s*"?(\d{0,12})"?)?')


def expires_at(headers: Mapping[str, str], stored_at: datetime) -> datetime:
    """Return when PDM asks the index again.

    Args:
        headers: of the answer; names in lower case.
        stored_at: UTC.
    """
    stated = _DIRECTIVE.findall(headers.get("cache-control", ""))
    directives = {name.lower(): digits for name, digits in stated}
    date = http_date(headers.get("date"))
    if "no-cache" in directives:
        return stored_at
    lifetime_s = _lifetime_s(headers, directives, date or stored_at)
    if date is None and lifetime_s > 0:
        # Without a Date it never ages, until PDM throws it away.
        return stored_at + timedelta(seconds=_KEPT_S)
    try:
        return (date or stored_at) + timedelta(seconds=max(0, min(lifetime_s, _MAX_LIFETIME_S)))
    except OverflowError:  # a Date in the year 9999
        return stored_at


def _lifetime_s(headers: Mapping[str, str], directives: Mapping[str, str], date: datetime) -> int:
    for name in ("s-maxage", "max-age"):
        if directives.get(name):
            return int(directives[name])
    until = http_date(headers.get("expires"))
    if until is not None:
        return int((until - date).total_seconds())
    modified = http_date(headers.get("last-modified"))
    if modified is None:
        return 0
    # The share grows while the page ages: t - date = (t - modified) / 10, for t the end.
    return min(_WEEK_S, int((date - modified).total_seconds() / 9))
