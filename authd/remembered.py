"""Passwords that have fitted lately, so that a program that logs in every minute costs one slow hash in ten.

An entry is a keyed digest of the stored hash and what was typed; the key lives as long as the process. Whatever changes
a password changes its hash, so the entry is found no more: nothing has to be thrown out. Only what fitted is kept, and
it is only asked where a right secret lets in. A wrong one always costs its slow hash, and so does a right one beside a
wrong code, so that time tells neither. A code is never in here, only the part of the field before it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable

SECONDS = 600.0
MOST = 4096
"""Entries of 32 bytes; who was not seen for longest goes first."""


class Remembered:
    """What is known of one process."""

    def __init__(self, monotonic: Callable[[], float], *, most: int = MOST, seconds: float = SECONDS) -> None:
        self._monotonic, self._most, self._seconds = monotonic, most, seconds
        self._key = os.urandom(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def knows(self, stored: str, secret: str) -> bool:
        """Whether this fitted lately. Being asked does not prolong it."""
        entry = self._entry(stored, secret)
        until = self._until.get(entry)
        if until is None:
            return False
        if until <= self._monotonic():
            del self._until[entry]
            return False
        self._until.move_to_end(entry)
        return True

    def learn(self, stored: str, secret: str) -> None:
        """It fits."""
        entry = self._entry(stored, secret)
        self._until[entry] = self._monotonic() + self._seconds
        self._until.move_to_end(entry)
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def _entry(self, stored: str, secret: str) -> bytes:
        text = b"%d:%s%s" % (len(stored.encode()), stored.encode(), secret.encode("utf-8", "surrogatepass"))
        return hmac.digest(self._key, text, hashlib.sha256)
