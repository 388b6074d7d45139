"""Codes that validation servers verify: burnt here first, then asked about.

So a code is asked about once, by however many processes: two logins with it, or servers that say OK twice, let one in.
A code whose question nobody answered is burnt as well; the key's next press is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from authd.methods.yubicloud import Answer, Outcome
from authd.validation import Validation
from outrider.db import Database, Taken

SEEN_SECONDS = 7 * 86400
"""So long a burnt code is remembered; the counters forbid it for ever."""


class Cloud:
    """Errors: DatabaseDown, and then nobody was asked."""

    def __init__(self, database: Database, validation: Validation, clock: Callable[[], float]) -> None:
        self._db, self._validation, self._clock = database, validation, clock

    async def ask(self, otp: str) -> Answer:
        """What is to be believed of a code."""
        try:
            await self._db.run(
                "INSERT INTO seen_otp (digest, at) VALUES (:digest, :now)",
                digest=hashlib.sha256(otp.encode("ascii")).digest(),
                now=int(self._clock()),
            )
        except Taken:
            return Answer(Outcome.REPLAYED, "burnt before")
        return await self._validation.ask(otp)

    async def sweep(self, now: int) -> None:
        """Forget what is too old to matter."""
        await self._db.run("DELETE FROM seen_otp WHERE at <= :oldest", oldest=now - SEEN_SECONDS)
