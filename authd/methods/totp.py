"""TOTP, RFC 6238 over HOTP, RFC 4226: verification only.

pyotp makes the secrets and the otpauth addresses; its verify() returns no step, so that neither replay (RFC
6238, 5.2) nor drift could be judged with it, and it takes full-width digits for digits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct

from authd.methods.token import Match, Token

WINDOW = 1
"""Steps on either side of the expected one: RFC 6238, 5.2 advises at most one for transmission delay."""
DRIFT_LIMIT = 2
"""Steps of learned clock drift, at most one per login: codes typed late do not walk the window away."""
HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
DIGITS = (6, 8)

_SHAPES = {digits: re.compile(rf"[0-9]{{{digits}}}\Z", re.ASCII) for digits in DIGITS}


def code_at(secret: bytes, step: int, *, algorithm: str, digits: int) -> str:
    """The code of one step (RFC 4226, 5.3: dynamic truncation), with its leading zeros."""
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


def match(token: Token, code: str, now: int) -> Match | None:
    """The step of this code within the window around the token's own clock, if above the last accepted one.

    The expected step comes first; each comparison takes constant time.
    """
    secret, algorithm, digits = token.secret, token.algorithm, token.digits
    if secret is None or algorithm not in HASHES or suffix(token, code) != len(code):
        return None
    expected = now // token.period + token.drift
    for step in sorted(range(expected - WINDOW, expected + WINDOW + 1), key=lambda step: abs(step - expected)):
        if step <= token.last or step < 0:
            continue
        if hmac.compare_digest(code_at(secret, step, algorithm=algorithm, digits=digits), code):
            return Match(token, step, moved(token.drift, step - expected))
    return None


def moved(drift: int, offset: int) -> int:
    """The drift after a code that was `offset` steps off: one step towards it, within the limit."""
    sign = (offset > 0) - (offset < 0)
    return max(-DRIFT_LIMIT, min(DRIFT_LIMIT, drift + sign))
