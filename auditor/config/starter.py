"""What `auditor config init` writes: the least that works, and the lines that come next."""

from __future__ import annotations

__all__ = ["STARTER"]

STARTER = """\
# Which release is broken, and which one fixes it.
[[incidents]]
project = "brokenpkg"
broken = ["1.2.3"]          # versions, or specifiers such as ">=1.2.0,<1.2.4"
fixed = ["1.2.4"]

# Where copies may live. Without any [[locations]]: PyPI as pip is configured on this machine.
#
# [[locations]]
# name = "PyPI"
# kind = "pypi"             # no url: the index that pip asks here
#
# [[locations]]
# name = "office mirror"
# kind = "simple"           # `auditor plugins` lists the kinds
# url = "https://mirror.example/simple/"
# upstream = "PyPI"         # what it copies from
# expected_lag = "2h"       # how far it may normally be behind
# username = {env = "MIRROR_USER"}
# password = {env = "MIRROR_PASSWORD"}
#
# [[locations]]
# name = "wheels"
# kind = "wheelhouse"
# path = "/srv/wheels"

# Silences a failure until a day; it stays visible in the report.
#
# [[waivers]]
# location = "office mirror"
# until = 2026-12-31
# reason = "is switched off on that day"
"""
