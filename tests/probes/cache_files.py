"""Files as nginx 1.22, squid 5.7 and Apache 2.4 write them into their cache directories."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

__all__ = ["EXPIRES_S", "STORED_S", "apache_entry", "nginx_entry", "squid_entry"]

STORED_S = 1_795_420_000
EXPIRES_S = STORED_S + 600


def header(status: int, size: int, kind: str, **more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Told", f"Content-Type: {kind}", f"Content-Length: {size}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def nginx_entry(
    home: Path,
    key: str,
    body: bytes,
    *,
    status: int = 200,
    kind: str = "application/octet-stream",
    size: int | None = None,
    vary: str = "",
    variant: bytes = b"",
    version: int = 5,
    expires_s: int = EXPIRES_S,
    **more: str,
) -> Path:
    """Write one file; `levels=1:2`."""
    text = header(status, len(body) if size is None else size, kind, **more)
    key_line = f"\nKEY: {key}\n".encode()
    fixed = struct.calcsize("<6q I3H B128s B128s 16s 4x")
    header_at = fixed + len(key_line)
    made = struct.pack(
        "<6q I3H B128s B128s 16s 4x",
        *(version, expires_s, 0, 0, -1, STORED_S),
        *(0, 0, header_at, header_at + len(text)),
        *(0, b"", len(vary), vary.encode(), variant.ljust(16, b"\0")),
    )
    name = hashlib.md5(key.encode() + variant, usedforsecurity=False).hexdigest()
    path = home / name[-1] / name[-3:-1] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made + key_line + text + body)
    return path


def squid_entry(
    home: Path,
    number: int,
    url: str,
    body: bytes,
    *,
    status: int = 200,
    kind: str = "application/octet-stream",
    size: int | None = None,
    vary: str = "",
    expires_s: int = EXPIRES_S,
    **more: str,
) -> Path:
    """Write one file of a `ufs` directory."""

    def field(number: int, value: bytes) -> bytes:
        return struct.pack("<Bi", number, len(value)) + value

    fields = field(3, b"k" * 16) + field(9, struct.pack("<4q", STORED_S, STORED_S, expires_s, -1))
    fields += field(4, url.encode() + b"\0")
    fields += field(8, vary.encode() + b"\0") if vary else b""
    text = header(status, len(body) if size is None else size, kind, **more)
    path = home / "00" / "00" / f"{number:08X}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Bi", 3, 5 + len(fields)) + fields + text + body)
    (home / "swap.state").write_bytes(b"\0" * 72)
    return path


def apache_entry(
    directory: Path,
    name: str,
    url: str,
    body: bytes | None,
    *,
    status: int = 200,
    kind: str = "application/octet-stream",
    size: int | None = None,
    accept: str = "*/*",
    form: int = 6,
    inode: int = 0,
    expires_s: int = EXPIRES_S,
    **more: str,
) -> Path:
    """Write a header and, unless it is None, a body."""
    directory.mkdir(parents=True, exist_ok=True)
    announced = len(body or b"") if size is None else size
    fields = [f"Content-Type: {kind}", f"Content-Length: {announced}"]
    fields += [f"{key.replace('_', '-')}: {value}" for key, value in more.items()]
    answer = "\r\n".join([*fields, "", ""])
    asked = f"Host: 127.0.0.1\r\nAccept: {accept}\r\n\r\n"
    made = struct.pack(
        "<Ii2Q 4q", form, status, len(url), 0, *(s * 10**6 for s in (STORED_S, expires_s)), *(0, 0)
    )
    made = made[:48] + struct.pack("<q", STORED_S * 10**6) + made[56:]
    made += struct.pack("<Q", inode)
    padding = b"\0" * (120 - len(made))
    path = directory / f"{name}.header"
    path.write_bytes(made + padding + url.encode() + answer.encode() + asked.encode())
    if body is not None:
        path.with_suffix(".data").write_bytes(body)
    return path
