"""Tickets: what a webmail logs in with, again and again, after its user has logged in once with a code.

    prefix (8 letters) finds the row | secret (32 letters, 160 bits) proves it

A ticket is good for one account, from the webmail's own addresses, for the services it was made for; never for the
web itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from authd.networks import Network, within

PREFIX, SECRET = 8, 32
SERVICES = ("imap", "smtp", "sieve")
"""What a webmail does for its user."""
IDLE_SECONDS = 30 * 60
"""It ends when it was not used for that long."""
LIFE_SECONDS = 12 * 3600
"""It ends in any case; then its user logs in again."""
NOTED_SECONDS = 60
"""Its last use is written down that often at most, so the idle time is exact to a minute."""

_SHAPE = re.compile(rf"[a-z2-7]{{{PREFIX + SECRET}}}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A row that the prefix of a field has found."""

    id: int
    account: int
    digest: bytes = field(repr=False)
    services: frozenset[str]
    peers: tuple[Network, ...]
    created: int
    used: int
    revoked: bool
    """The account was disabled, or its password changed, since it was made."""

    def opens(self, field: str) -> bool:
        """Whether this is its secret; in constant time."""
        return hmac.compare_digest(digest(field), self.digest)

    def good(self, service: str, address: str, now: int) -> bool:
        """Whether it lets in here and now."""
        alive = not self.revoked and now < self.used + IDLE_SECONDS and now < self.created + LIFE_SECONDS
        return alive and service in self.services and within(address, self.peers)


def new(random: Callable[[int], bytes]) -> str:
    """A new ticket; only its digest is kept."""
    return base64.b32encode(random((PREFIX + SECRET) * 5 // 8)).decode("ascii").lower()


def prefix(field: str) -> str | None:
    """The public part, if the field has the shape of a ticket."""
    return field[:PREFIX] if _SHAPE.match(field) else None


def digest(field: str) -> bytes:
    """What is stored of a ticket."""
    return hashlib.sha256(field[PREFIX:].encode("ascii", "replace")).digest()
