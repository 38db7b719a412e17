"""pip: its configuration files and variables, as pip itself reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import platformdirs

from auditor.config.defaults import PIP_ORIGIN, is_trusted
from auditor.config.machine.found import Found, Machine, Note, cache_at, find_links_at, index_at
from auditor.config.pip_settings import PipSettings, read_pip_settings
from auditor.config.values import split_userinfo
from auditor.errors import UsageError

__all__ = ["read"]


def read(machine: Machine) -> Iterator[Found | Note]:
    """Yield the indexes, find-links and cache of pip."""
    try:
        pip = read_pip_settings()
    except UsageError:  # pip's own text may quote the line with the password
        yield Note(text="pip's configuration is damaged; `python -m pip config list` says where")
        return
    if pip.index_url is not None:
        yield _index(pip, "index-url", pip.index_url)
    for url in pip.extra_index_urls:
        yield _index(pip, "extra-index-url", url)
    for place in pip.find_links:
        settings = _access(pip, place)
        yield find_links_at(
            f"{PIP_ORIGIN} (find-links)", place, machine.directory, settings=settings
        )
    if _proxy_has_login(pip):
        yield Note(
            text=f"{PIP_ORIGIN}: its proxy wants a login, which was not taken over; write "
            'via = {env = "NAME"}'
        )
    cache = Path(pip.cache_dir or platformdirs.user_cache_dir("pip", appauthor=False))
    if found := cache_at("pip's cache", "pip-cache", cache):
        yield found


def _index(pip: PipSettings, option: str, url: str) -> Found | Note:
    is_default = option == "index-url"
    found = index_at(
        f"{PIP_ORIGIN} ({option})", url, settings=_access(pip, url), is_default=is_default
    )
    if is_default and isinstance(found, Found) and url == pip.builtin_url:
        return replace(found, origin="pip's built-in index", kind="pypi", name="PyPI", builtin=True)
    return found


def _access(pip: PipSettings, url: str) -> dict[str, str | bool]:
    via = None if _proxy_has_login(pip) else pip.proxy
    access: dict[str, str | bool | None] = {
        "ca_file": pip.cert,
        "client_cert": pip.client_cert,
        "via": via,
        "insecure": is_trusted(pip, url) or None,
    }
    return {key: value for key, value in access.items() if value}


def _proxy_has_login(pip: PipSettings) -> bool:
    try:
        return bool(pip.proxy) and split_userinfo(pip.proxy or "")[1:] != (None, None)
    except ValueError:
        return True
