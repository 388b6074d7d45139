"""TOTP, RFC 6238 over HOTP, RFC 4226: verification only.

pyotp makes the secrets and the otpauth addresses; its verify() returns no step, so that neither replay (RFC
6238, 5.2) nor drift could be judged with it, and it takes full-width digits for digits.
"""

from __future__ import annotations

from authd.methods.hotp import HASHES, code_at, is_code, suffix
from authd.methods.token import Match, Resync, Token

__all__ = ["DRIFT_LIMIT", "HASHES", "PERIODS", "RESYNC_SECONDS", "WINDOW", "code_at", "match", "resync", "suffix"]

WINDOW = 1
"""Steps on either side of the expected one: RFC 6238, 5.2 advises at most one for transmission delay."""
DRIFT_LIMIT = 2
"""Steps of learned clock drift, at most one per login: codes typed late do not walk the window away."""
PERIODS = (30, 60)
RESYNC_SECONDS = 3600
"""On either side of now two consecutive codes are looked for: a clock on another summer time is found too."""


def match(token: Token, code: str, now: int) -> Match | None:
    """The step of this code within the window around the token's own clock, if above the last accepted one.

    The expected step comes first; each comparison takes constant time.
    """
    expected = now // token.period + token.base + token.drift
    for step in outwards(expected, WINDOW):
        if step > token.last and step >= 0 and is_code(token, step, code):
            return Match(token, step, moved(token.drift, step - expected))
    return None


def resync(token: Token, first: str, second: str, now: int) -> Resync | None:
    """Where two codes in a row lie, both above the last accepted one; the nearest place counts."""
    present = now // token.period
    for step in outwards(present, RESYNC_SECONDS // token.period):
        if step > token.last and step >= 0 and is_code(token, step, first) and is_code(token, step + 1, second):
            return Resync(step + 1, step + 1 - present)
    return None


def outwards(middle: int, reach: int) -> list[int]:
    """The steps around `middle`, nearest first."""
    return sorted(range(middle - reach, middle + reach + 1), key=lambda step: abs(step - middle))


def moved(drift: int, offset: int) -> int:
    """The drift after a code that was `offset` steps off: one step towards it, within the limit."""
    sign = (offset > 0) - (offset < 0)
    return max(-DRIFT_LIMIT, min(DRIFT_LIMIT, drift + sign))
