"""Old password hashes become new ones after a good login, while nobody waits for it.

One at a time: an argon2id takes a core, and a host that was moved here yesterday has a thousand of them on Monday
morning. What does not get its turn today gets it at the next login.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from outrider import passwords
from outrider.db import DatabaseDown
from outrider.directory import Stored

logger = logging.getLogger(__name__)

WAITING_MOST = 100
"""Their passwords are in memory meanwhile."""

Write = Callable[[int, str, str], Awaitable[bool]]


class Renewals:
    """`write(account, old, new)` puts the new hash in the place of the old one, if that still stands there."""

    def __init__(
        self,
        write: Write,
        *,
        make: Callable[[str], str] = passwords.hash_password,
        outdated: Callable[[str, str], bool] = passwords.outdated,
    ) -> None:
        self._write, self._make, self._outdated = write, make, outdated
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, account: int, stored: Stored | None, secret: str) -> None:
        """The secret fits what is stored, and has let somebody in."""
        if not isinstance(stored, str) or len(self._tasks) >= WAITING_MOST or not self._outdated(stored, secret):
            return
        task = asyncio.get_running_loop().create_task(self._renew(account, stored, secret))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self, account: int, stored: str, secret: str) -> None:
        async with self._turn:
            new = await asyncio.to_thread(self._make, secret)
            try:
                if await self._write(account, stored, new):
                    logger.info("account=%d: its password is stored anew", account)
            except DatabaseDown:  # `watch` says it; the next login tries again
                return

    async def settle(self) -> None:
        """Until all that has begun is done."""
        await asyncio.gather(*self._tasks)
