"""App passwords: 32 random characters, of which the first 8 find the row and the other 24 prove the owner.

120 random bits need no slow hash: nobody guesses them, so one look-up by the public part and one SHA-256 are all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from authd.networks import Network

PREFIX = 8
"""Characters, 40 bits: enough to be unique; not secret."""
SECRET = 24
"""Characters, 120 bits."""
SCOPES = ("imap", "pop3", "smtp", "sieve", "dav")
"""Services that an app password can open: programs. The web wants the second factor itself."""

NOTED_SECONDS = 3600
"""Its last use is written down that often at most: a busy program would make a write of every look-up."""

_SHAPE = re.compile(rf"[a-z2-7]{{{PREFIX + SECRET}}}\Z", re.ASCII)  # RFC 4648, 6 in lower case


@dataclass(frozen=True, slots=True)
class AppPassword:
    """A row that the prefix of a field has found."""

    id: int
    account: int
    digest: bytes = field(repr=False)
    scopes: frozenset[str]
    expires: int | None
    """Seconds since 1970."""
    revoked: int | None
    networks: tuple[Network, ...] = ()
    """From where it is good; none = from anywhere."""
    used: int | None = None
    """Its last use, to the hour."""

    def opens(self, field: str) -> bool:
        """Whether this is its secret; in constant time."""
        return hmac.compare_digest(digest(field), self.digest)


def new(random: Callable[[int], bytes]) -> str:
    """A new app password; shown once, then only its digest is kept."""
    return base64.b32encode(random((PREFIX + SECRET) * 5 // 8)).decode("ascii").lower()


def prefix(field: str) -> str | None:
    """The public part, if the field has the shape of an app password."""
    return field[:PREFIX] if _SHAPE.match(field) else None


def digest(field: str) -> bytes:
    """What is stored of an app password."""
    return hashlib.sha256(field[PREFIX:].encode("ascii", "replace")).digest()
