"""HOTP, RFC 4226: verification only.

`last` is the counter of the last accepted code, so the next one expected is `last + 1`. A wrong code moves nothing:
whoever does not know the secret cannot push the owner's token out of step.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct

from authd.methods.token import Match, Resync, Token

LOOK_AHEAD = 10
"""Codes after the expected one that are good too (RFC 4226, 7.4): shown and never used. Each makes guessing easier."""
RESYNC_COUNTERS = 100
"""How far ahead two consecutive codes are looked for: together they are 10^12 to guess."""
HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
DIGITS = (6, 8)

_SHAPES = {digits: re.compile(rf"[0-9]{{{digits}}}\Z", re.ASCII) for digits in DIGITS}


def code_at(secret: bytes, step: int, *, algorithm: str, digits: int) -> str:
    """The code of one counter (RFC 4226, 5.3: dynamic truncation), with its leading zeros."""
    mac = hmac.digest(secret, struct.pack(">Q", step), HASHES[algorithm])
    offset = mac[-1] & 0x0F
    number: int = struct.unpack_from(">I", mac, offset)[0] & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def suffix(token: Token, field: str) -> int | None:
    """Exactly the token's number of ASCII digits at the end: no full-width ones, no newline."""
    shape = _SHAPES.get(token.digits)
    if shape is None or not shape.match(field, max(0, len(field) - token.digits)):
        return None
    return token.digits


def is_code(token: Token, step: int, code: str) -> bool:
    """Whether the code is that of this counter; in constant time."""
    if token.secret is None or token.algorithm not in HASHES or suffix(token, code) != len(code):
        return False
    return hmac.compare_digest(code_at(token.secret, step, algorithm=token.algorithm, digits=token.digits), code)


def match(token: Token, code: str, now: int) -> Match | None:
    """The counter of this code among the next ones."""
    expected = token.last + 1
    for counter in range(max(0, expected), expected + LOOK_AHEAD + 1):
        if is_code(token, counter, code):
            return Match(token, counter, 0)
    return None


def resync(token: Token, first: str, second: str, now: int) -> Resync | None:
    """Where two codes in a row lie, further ahead than a single one is believed (RFC 4226, 7.4)."""
    expected = token.last + 1
    for counter in range(max(0, expected), expected + RESYNC_COUNTERS):
        if is_code(token, counter, first) and is_code(token, counter + 1, second):
            return Resync(counter + 1, 0)
    return None
