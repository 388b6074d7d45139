"""The slow hash of passwords: as many at a time as there are cores, and nobody waits for long.

One argon2id takes about 40 ms of a core, so the pool is the ceiling of password logins; app passwords do not pass
through it. Whoever has to wait longer than WAIT_SECONDS is told "later", not "wrong password".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Counter

from outrider import passwords

WAIT_SECONDS = 2.0
"""For a free thread. With two cores a hundred programs that reconnect at once are through in that time."""

HASHES = Counter("authd_slow_hashes", "Password hashes computed, also those for nobody.")


class Overload(Exception):
    """No thread became free in time."""


class Hashing:
    """A bounded pool for passwords.verify and passwords.burn."""

    def __init__(
        self,
        threads: int = 0,
        *,
        verify: Callable[[str, str], bool] = passwords.verify,
        burn: Callable[[str], None] = passwords.burn,
        wait: float = WAIT_SECONDS,
    ) -> None:
        threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hash")
        self._free = asyncio.Semaphore(threads)
        self._verify, self._burn, self._wait = verify, burn, wait

    async def fits(self, stored: str | None, secret: str) -> bool:
        """Exactly one slow hash. Where nothing is stored the work is done for nobody and never fits.

        Raises Overload, and passwords.UnknownScheme.
        """
        try:
            async with asyncio.timeout(self._wait):
                await self._free.acquire()
        except TimeoutError:
            raise Overload from None
        HASHES.inc()
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._one, stored, secret)
        # The thread is free when its work is done, even if nobody waits for the outcome any more.
        work.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(work)

    def _one(self, stored: str | None, secret: str) -> bool:
        if stored is None:
            self._burn(secret)
            return False
        return self._verify(stored, secret)

    def close(self) -> None:
        """Let running hashes end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
