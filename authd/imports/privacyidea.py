"""What privacyIDEA writes and reads.

    PSKC             `pi-tokenjanitor … export`: RFC 6030 with a pre-shared key, but names in lower case and no MAC
    OATH CSV         serial, hex key, hotp | totp, digits, seconds [, account]
    Yubico's CSV     the two logs of Yubico's personalization tool

The hash of an OATH CSV's token is told by the length of its key: 32 bytes are SHA256, 64 SHA512, others SHA1.
"""

from __future__ import annotations

import re

from authd.imports import pskc
from authd.imports.rows import BadFile, Imported, holder, lines, whole

ALGORITHMS = {64: "SHA256", 128: "SHA512"}
"""By hex digits of the key."""
YUBICO, TRADITIONAL = "yubico otp", 6

_HEX = re.compile(r"[0-9A-Fa-f]+\Z", re.ASCII)


def parse(data: bytes, key: str | None = None) -> list[Imported]:
    """All tokens of the file; BadFile."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return pskc.parse(data, key, exact=False)
    return [row(f"line {number}", [column.strip() for column in line.split(",")]) for number, line in lines(data)]


def row(place: str, columns: list[str]) -> Imported:
    if columns[0].lower() == YUBICO and len(columns) >= TRADITIONAL:
        return yubikey(place, columns[3], columns[4], columns[5], "")
    if len(columns) >= TRADITIONAL and columns[0].isdigit() and columns[2].lower() not in ("hotp", "totp", "0", ""):
        return yubikey(place, columns[1], columns[2], columns[3], columns[0])
    return oath(place, columns)


def yubikey(place: str, public_id: str, private_id: str, aes_key: str, serial: str) -> Imported:
    if not (_HEX.match(private_id) and _HEX.match(aes_key)):
        raise BadFile(f"{place}: expected a Yubikey's private id and AES key")
    fields = {
        "kind": "yubikey",
        "public_id": public_id,
        "private_id": private_id,
        "aes_key": aes_key,
        "label": serial,
    }
    return Imported(place, None, fields)


def oath(place: str, columns: list[str]) -> Imported:
    account = holder(columns[-1])
    told = columns[:-1] if account else columns
    serial, key, *rest = told + [""] * (2 - len(told))
    kind = (rest[0].lower() if rest else "") or "hotp"
    if not _HEX.match(key) or kind not in ("hotp", "totp"):
        raise BadFile(f"{place}: expected serial, hex key, and hotp or totp")
    fields = {"kind": kind, "secret": f"hex:{key}", "algorithm": ALGORITHMS.get(len(key), "SHA1"), "label": serial}
    fields_of_numbers = dict(zip(("digits", "period"), rest[1:], strict=False))
    numbers = {name: whole(value, place) for name, value in fields_of_numbers.items() if value}
    if kind == "hotp":
        numbers.pop("period", None)
    return Imported(place, account, {**fields, **numbers})
