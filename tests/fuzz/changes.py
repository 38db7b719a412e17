"""Changes that keep the syntax: a value of JSON, a member of an archive, a line, a repetition."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from random import Random

import msgspec

__all__ = [
    "changed_fields",
    "changed_json",
    "changed_lines",
    "changed_msgpack",
    "changed_numbers",
    "changed_tar",
    "changed_zip",
    "grown",
]

_MAX_DEPTH = 40
_TEXTS = (
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "1.2.3",
        "1.2.4",
        "brokenpkg",
        "../" * 9,
        "https://[",
        "http://u:p@h/",
    ),
    *("brokenpkg-1.2.3-py3-none-any.whl", "brokenpkg-1.2.4.tar.gz", "²", "é" * 70, "9" * 5000),
    *("2026-11-23T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-23:59", "sha256:x"),
    *(
        "javascript:alert(1)",
        "data:,x",
        "//h/x-1.tar.gz#sha256=" + "0" * 64,
        "%2e%2e%2f",
        "a\nb\rc",
    ),
)
# One of these somewhere in an address, a name or a version can change what all of it means.
_SIGNS = "%?#@:;&=+,\\/.-_!~ \t\"'<>[]{}\0\u00e9\u2010\ufeff"
_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**400, 0.5, 1e308)
_FIELD_VALUES = (
    *(b"99999", b"-1", b"1e9", b"9" * 30, "²".encode(), b"", b'"', b"max-age=1", b'max-age="5'),
    *(b"no-store", b"HIT from x", b"1.1 a, 1.1 b", b"Fri, 31 Dec 9999 23:59:59 -2359", b"0"),
    *(b"Mon, 01 Jan 0001 00:00:00 +2359", b"Mon, 99 Xxx 2026", b"squid/5.7", b"1 2 3"),
)
_SIZES = (2**12, 2**14, 2**15, 2**16, 2**17, 2**20)


def _value(chance: Random) -> object:
    kinds: tuple[Callable[[], object], ...] = (
        lambda: chance.choice(_TEXTS),
        lambda: chance.choice(_NUMBERS),
        lambda: chance.choice((None, True, False)),
        lambda: chance.choice(([], {}, [[]], {"a": {}}, [None], [{}], {"": None})),
    )
    return chance.choice(kinds)()


def _changed(value: object, chance: Random, depth: int = 0) -> object:
    """Change one value somewhere inside."""
    stays = depth < _MAX_DEPTH and chance.randrange(8) > 0
    if isinstance(value, dict) and value and stays:
        return _changed_object(value, chance, depth)
    if isinstance(value, list) and value and stays:
        at = chance.randrange(len(value))
        head, member, tail = value[:at], value[at], value[at + 1 :]
        match chance.randrange(8):
            case 0:
                return head + tail
            case 1:
                return [*head, *[member] * chance.choice((2, 9, 300)), *tail]
            case 2:
                return [*head, *[_value(chance)] * chance.choice((1, 50, 3000)), *tail]
            case _:
                return [*head, _changed(member, chance, depth + 1), *tail]
    if isinstance(value, str) and value and chance.randrange(2):
        at = chance.randrange(len(value) + 1)
        if chance.randrange(5) == 0:
            return value.upper()
        if (draw := chance.randrange(4)) == 0:
            return value[:at] + chance.choice(_SIGNS) + value[at:]
        if draw == 1:  # a digest, a version or a time that is another one, and as good
            return value[:at] + chance.choice("0123456789abcdef") + value[at + 1 :]
        return value[:at] + chance.choice((*_TEXTS, value[:at])) + value[at + chance.randrange(3) :]
    return _value(chance)


def _changed_object(value: dict[str, object], chance: Random, depth: int) -> dict[str, object]:
    key = chance.choice(list(value))
    match chance.randrange(10):
        case 0:
            return {k: v for k, v in value.items() if k != key}
        case 1:
            return {**value, str(chance.choice(_TEXTS)): value[key]}
        case 2:
            return {**value, key: value[chance.choice(list(value))]}
        case _:
            return {**value, key: _changed(value[key], chance, depth + 1)}


def changed_json(data: bytes, chance: Random) -> bytes:
    """Change a value of each document; one on each line counts, too."""
    if chance.randrange(20) == 0:
        return _deepened(data, chance)
    try:
        return json.dumps(_changed(json.loads(data), chance)).encode()
    except (ValueError, RecursionError):
        pass
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        lines[at] = json.dumps(_changed(json.loads(lines[at]), chance)).encode()
    except (ValueError, RecursionError):
        return changed_lines(data, chance)
    return b"\n".join(lines)


def _deepened(data: bytes, chance: Random) -> bytes:
    """Begin more lists or objects, one in the other, than any stack holds."""
    places = [at + 1 for at, byte in enumerate(data[: 2**14]) if byte in b":,["] or [0]
    at = chance.choice(places)
    return data[:at] + chance.choice((b"[", b'{"a":', b'{"type":')) * 100_000 + data[at:]


def changed_msgpack(data: bytes, chance: Random) -> bytes:
    """Change a value of a document in msgpack, with or without pip's mark before it."""
    mark = b"cc=4," if data.startswith(b"cc=4,") else b""
    try:
        found = msgspec.msgpack.decode(data[len(mark) :])
        return mark + msgspec.msgpack.encode(_changed(found, chance))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
        return grown(data, chance)


def changed_lines(data: bytes, chance: Random) -> bytes:
    """Remove, repeat, swap or join lines."""
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            del lines[one]
        case 1:
            lines[one:one] = [lines[other]] * chance.choice((1, 2, 50))
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case 3:
            name, colon, _ = lines[one].partition(b"=")
            lines[one] = name + colon + str(_value(chance)).encode("utf-8", "surrogatepass")
        case _:
            lines[one] += lines[other]
    return b"\n".join(lines)


def changed_numbers(data: bytes, chance: Random) -> bytes:
    """Put another number where binary headers have theirs: near the beginning, or the end."""
    size = chance.choice((1, 2, 4, 8))
    limit = 1 << (8 * size)
    number = chance.choice((0, 1, limit - 1, limit // 2, len(data), len(data) + 1, limit - size))
    step = chance.choice((1, 2, 4))
    at = chance.randrange(max(1, min(len(data), chance.choice((32, 64, 128))))) // step * step
    if chance.randrange(3) == 0:
        at = max(0, len(data) - at - size)
    piece = (number % limit).to_bytes(size, "big" if chance.randrange(3) == 0 else "little")
    return data[:at] + piece + data[at + size :]


def changed_fields(data: bytes, chance: Random) -> bytes:
    """Give a header field another value."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    name = lines[at].partition(b":")[0]
    lines[at] = name + b": " + chance.choice(_FIELD_VALUES)
    return b"\n".join(lines) if chance.randrange(3) else changed_lines(data, chance)


def changed_tar(data: bytes, chance: Random) -> bytes:
    """Change a block of a tar file, and put its checksum right."""
    if len(data) < 1024:
        return grown(data, chance)
    offset = 1 if len(data) % 512 == 1 else 0  # where a byte stands before it
    content = bytearray(data)
    block = offset + 512 * chance.randrange(min(len(content) // 512, 12))
    if content[block + 257 : block + 262] != b"ustar":
        block = offset
    start, size = chance.choice(((0, 100), (124, 12), (156, 1), (157, 100), (345, 155), (100, 8)))
    texts = (b"././@LongLink", b"x" * size, b"\0", b"77777777777\0", b"\x80" + bytes(10) + b"\xff")
    piece = chance.choice((*texts, *(bytes([n]) for n in b"01257xgLKSV"), b".wh.x", b"brokenpkg"))
    content[block + start : block + start + size] = piece[:size].ljust(size, b"\0")
    header = content[block : block + 512]
    header[148:156] = b" " * 8
    content[block + 148 : block + 156] = b"%06o\0 " % sum(header)
    return bytes(content)


def changed_zip(data: bytes, chance: Random) -> bytes:
    """Write a zip file anew with one member changed; where it is none, a gzip file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info)[: 2**16] for info in archive.infolist()}
        if not members:
            return grown(data, chance)
        name = chance.choice(list(members))
        members[name] = changed_lines(members[name], chance)
        if chance.randrange(3) == 0:
            members[chance.choice(("x.tar.gz", "a/../b", "brokenpkg-1.2.3.zip", name + "x"))] = data
        return _written(members, chance)
    except Exception:  # noqa: BLE001  # whatever the library raises: it is no zip file
        return _repacked(data, chance)


def _written(members: dict[str, bytes], chance: Random) -> bytes:
    stream = io.BytesIO()
    method = chance.choice((0, 8, 8, 12, 14))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _repacked(data: bytes, chance: Random) -> bytes:
    try:
        inner = zlib.decompressobj(31).decompress(data, 2**20)
    except zlib.error:
        return changed_tar(data, chance) if _is_tar(data) else grown(data, chance)
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(changed_tar(inner, chance)) + packer.flush()


def _is_tar(data: bytes) -> bool:
    try:
        return bool(data) and tarfile.is_tarfile(io.BytesIO(data))
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return False


def grown(data: bytes, chance: Random) -> bytes:
    """Repeat a piece, from one place to the next that begins alike, or a short one."""
    if chance.randrange(3) == 0:
        at = 0 if chance.randrange(2) or not data else chance.randrange(len(data))
        padding = chance.choice((b" ", b" ", b"\n", b"\n", b"\0", b"<", b"[", b"(", b"-", b"9"))
        return data[:at] + padding * chance.choice(_SIZES) + data[at:]
    start = chance.randrange(len(data)) if data else 0
    end = data.find(data[start : start + 1], start + 1)
    if end < 0 or chance.randrange(3) == 0:
        end = start + chance.choice((1, 1, 2, 4, 16, 64))
    piece = data[start:end] or b"\0"
    room = max(0, chance.choice(_SIZES) - len(data))
    return data[:end] + piece * (room // len(piece)) + data[end:]
