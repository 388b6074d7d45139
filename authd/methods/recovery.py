"""Recovery codes: what the owner wrote down for the day on which his token is lost. On the web only, each once.

A code stands where the token's code would: behind the password. 100 random bits need no slow hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

COUNT = 10
GROUP, GROUPS = 4, 5
LENGTH = GROUP * GROUPS + GROUPS - 1
"""Letters with the dashes between: a shape that no token's code has."""

_SHAPE = re.compile(rf"[a-z2-7]{{{GROUP}}}(-[a-z2-7]{{{GROUP}}}){{{GROUPS - 1}}}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """A row that the digest of a code has found."""

    id: int
    used: bool


def new(random: Callable[[int], bytes]) -> str:
    """A new code; shown once, then only its digest is kept."""
    letters = base64.b32encode(random(-(-GROUP * GROUPS * 5 // 8))).decode("ascii").lower()[: GROUP * GROUPS]
    return "-".join(letters[at : at + GROUP] for at in range(0, GROUP * GROUPS, GROUP))


def suffix(field: str) -> str | None:
    """The code at the end of the field, behind a secret that is not empty."""
    return field[-LENGTH:] if len(field) > LENGTH and _SHAPE.match(field, len(field) - LENGTH) else None


def digest(code: str) -> bytes:
    """What is stored of a code."""
    return hashlib.sha256(code.encode("ascii", "replace")).digest()
