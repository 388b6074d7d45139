"""mOTP (motp.sourceforge.net): verification only.

    code = first six hex digits of MD5(decimal(seconds // 10) + secret + PIN)

The secret is hashed as the text that the owner typed into the app (hex digits in lower case), never as the bytes it
may stand for, so it is kept as text. The server must know the PIN itself: it lies sealed beside the secret. MD5 is
the protocol's; the attacks on its collisions do not concern a keyed, truncated use.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from authd.methods.token import Match, Token

PERIOD = 10
"""Seconds; fixed by the protocol."""
DIGITS = 6
WINDOW = 18
"""Steps on either side, three minutes: phones of the time had no network clock, and the reference server took them."""

_SHAPE = re.compile(r"[0-9a-f]{6}\Z", re.ASCII)


def code_at(secret: bytes, pin: bytes, step: int) -> str:
    """The code of one step; lower case, as every app shows it."""
    text = str(step).encode("ascii") + secret + pin
    return hashlib.md5(text, usedforsecurity=False).hexdigest()[:DIGITS]


def suffix(token: Token, field: str) -> int | None:
    """Six hex digits in lower case; in upper case they are no code of any app."""
    return DIGITS if _SHAPE.match(field, max(0, len(field) - DIGITS)) else None


def match(token: Token, code: str, now: int) -> Match | None:
    """The step of this code around now, if above the last accepted one; nearest first."""
    if token.secret is None or token.extra is None or suffix(token, code) != len(code):
        return None
    present = now // PERIOD
    for step in sorted(range(present - WINDOW, present + WINDOW + 1), key=lambda step: abs(step - present)):
        if step <= token.last or step < 0:
            continue
        if hmac.compare_digest(code_at(token.secret, token.extra, step), code):
            return Match(token, step, 0)
    return None
