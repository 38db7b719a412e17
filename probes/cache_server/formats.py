"""The files that nginx, squid and Apache keep answers in: from their first bytes, pure.

Each was read off files that the named version wrote, and off its source.
"""

from __future__ import annotations

import struct
from datetime import datetime

from probes.cache_server.kept import Damaged, KeptAnswer, fields_of, header_of, moment
from probes.cache_server.lifetime import lifetime_s
from probes.cache_server.signs import Program
from probes.kit.answer import Headers, shown

__all__ = ["HEAD_BYTES", "read_apache", "read_kept", "vary_names"]

# No header that these programs accept is larger: nginx 8 x 4 KiB by default, squid 64 KiB.
HEAD_BYTES = 2**17
_MAX_KEY_CHARS = 4000

# nginx 1.11.10 to 1.29, ngx_http_file_cache_header_t on a 64-bit little-endian machine: version,
# valid_sec, updating_sec, error_sec, last_modified, date; crc32, valid_msec, header_start,
# body_start; etag, vary, each with its length; variant; padding to eight bytes.
_NGINX = struct.Struct("<6q I3H B128s B128s 16s 4x")
_NGINX_VERSION = 5
_NGINX_KEY = b"\nKEY: "

# squid 3 to 6, `swap_meta`: 0x03, length of all, then type, length and value of each field.
_SQUID_MAGIC = 3
_SQUID_URL, _SQUID_TIMES_32, _SQUID_VARY, _SQUID_TIMES = 4, 5, 8, 9
_MAX_SQUID_META = 2**17

# Apache 2.4, `disk_cache_info_t`, format 6: format, status, name_len, entity_version; date, expire,
# request_time and response_time in microseconds; inode, device, flags, cache_control_t.
_APACHE = struct.Struct("<Ii2Q 4q Q")
_APACHE_ENTRY, _APACHE_VARIANTS = 6, 5
_MICRO = 1_000_000


def read_kept(head: bytes) -> KeptAnswer | None:
    """Read the beginning of a file of nginx's or squid's; None: it is neither's.

    Raises:
        Damaged: it is one, and cannot be read.
    """
    if head[:1] == b"\x03" and len(head) > 5:
        found = _read_squid(head)
        if found is not None:
            return found
    return _read_nginx(head)


def _read_nginx(head: bytes) -> KeptAnswer | None:
    if len(head) < _NGINX.size or _NGINX_KEY not in head[: _NGINX.size + 64]:
        return None
    version, valid_s, _, _, _, date_s, _, _, header_at, body_at, *varies = _NGINX.unpack_from(head)
    if version != _NGINX_VERSION:
        raise Damaged(f"it is of nginx's cache format {version}, and only 5 is known")
    key_at = head.find(_NGINX_KEY) + len(_NGINX_KEY)
    key, end, _ = head[key_at:header_at].partition(b"\n")
    if not end or not key_at < header_at < body_at <= len(head):
        raise Damaged("its header is cut short")
    status, headers = header_of(head[header_at:body_at])
    _, _, vary_length, vary, variant = varies
    names = vary[: min(vary_length, 128)].decode("latin-1")
    return KeptAnswer(
        program=Program.NGINX,
        key=_text(key),
        status=status,
        headers=headers,
        variant=f"{shown(names, 200)}, variant {variant.hex()[:12]}" if names else "",
        body_at=body_at,
        stored_at=moment(date_s),
        expires_at=moment(valid_s),
    )


def _read_squid(head: bytes) -> KeptAnswer | None:
    (length,) = struct.unpack_from("<i", head, 1)
    if not 5 < length <= _MAX_SQUID_META:
        return None
    fields = _squid_fields(head[:length])
    url = fields.get(_SQUID_URL)
    if url is None:
        return None
    end = head.find(b"\r\n\r\n", length)
    if end < 0:
        raise Damaged("its header is cut short")
    status, headers = header_of(head[length:end])
    stored_s, expires_s = _squid_times(fields)
    vary = fields.get(_SQUID_VARY, b"").rstrip(b"\0").decode("latin-1")
    return KeptAnswer(
        program=Program.SQUID,
        key=_text(url.rstrip(b"\0")),
        status=status,
        headers=headers,
        variant=shown(vary, 600),
        body_at=end + 4,
        # squid's list of variants is an entry of its own, of this type.
        has_body=(headers.get("content-type") or "") != "x-squid-internal/vary",
        stored_at=moment(stored_s),
        expires_at=moment(expires_s),
    )


def _squid_fields(meta: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 5
    while at + 5 <= len(meta):
        (size,) = struct.unpack_from("<i", meta, at + 1)
        if size < 0 or at + 5 + size > len(meta):
            break
        fields[meta[at]] = meta[at + 5 : at + 5 + size]
        at += 5 + size
    return fields


def _squid_times(fields: dict[int, bytes]) -> tuple[int, int]:
    """When it came, and when it expires; -1 each if not known."""
    times, old = fields.get(_SQUID_TIMES, b""), fields.get(_SQUID_TIMES_32, b"")
    if len(times) >= 32:
        stored, _, expires, _ = struct.unpack_from("<4q", times)
    elif len(old) >= 32:
        stored, _, expires, _ = struct.unpack_from("<4q", old)
    else:
        return -1, -1
    return int(stored), int(expires)


def read_apache(head: bytes) -> KeptAnswer | None:
    """Read a `.header` file; None for one that only lists what the answer varies by.

    Raises:
        Damaged: it is no such file, or is cut short.
    """
    if len(head) < 12:
        raise Damaged("it is cut short")
    (form,) = struct.unpack_from("<I", head)
    if form == _APACHE_VARIANTS:
        return None
    if form != _APACHE_ENTRY or len(head) < _APACHE.size:
        raise Damaged(f"it is of mod_cache_disk's format {form}, and only 6 is known")
    _, status, name_length, _, _, expire, _, received, inode = _APACHE.unpack_from(head)
    name_at = head.find(b"http", _APACHE.size)
    name = head[name_at : name_at + name_length] if 0 < name_length <= len(head) else b""
    if name_at < 0 or len(name) < name_length:
        raise Damaged("its header is cut short")
    answer, _, request = head[name_at + name_length :].partition(b"\r\n\r\n")
    headers = fields_of(answer)
    asked = fields_of(request)
    return KeptAnswer(
        program=Program.APACHE,
        key=_text(name),
        status=status,
        headers=headers,
        variant="; ".join(
            f"{varied}: {asked.get(varied) or ''}" for varied in vary_names(headers.joined("vary"))
        )[:600],
        body_at=0,
        body_inode=inode or None,
        stored_at=moment(received / _MICRO),
        expires_at=_apache_expiry(headers, received, expire),
    )


def _apache_expiry(headers: Headers, received: int, expire: int) -> datetime | None:
    """Until when Apache gives an entry: what the answer says comes before its own `expire`.

    CacheMaxExpire bounds the latter alone, as ap_cache_check_freshness reads them.
    """
    lifetime = lifetime_s(headers)
    return moment(expire / _MICRO if lifetime is None else received / _MICRO + lifetime)


def vary_names(vary: str | None) -> list[str]:
    """Return the request headers that an answer varies by, in lower case."""
    return [name.strip().lower() for name in (vary or "").split(",") if name.strip()]


def _text(key: bytes) -> str:
    return shown(key.decode("utf-8", "surrogateescape"), _MAX_KEY_CHARS)
