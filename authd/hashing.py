"""The slow hash of passwords: as many at a time as there are cores, and nobody waits for long.

One argon2id takes about 40 ms of a core, so the pool is the ceiling of password logins; app passwords do not pass
through it. Whoever has to wait longer than WAIT_SECONDS is told "later", not "wrong password". Who waits in a lower
lane comes first: an owner is not kept waiting by those who guess.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Counter

from authd.remembered import Remembered
from outrider import passwords
from outrider.directory import Stored

WAIT_SECONDS = 2.0
"""For a free thread. With two cores a hundred programs that reconnect at once are through in that time."""

QUEUE_MOST = 4096
"""Waiting at once; in the time that one waits, two cores get through a hundred."""
TYPICAL_SECONDS, TYPICAL_SHARE = 0.04, 0.1
"""What a hash takes until one was measured, and how fast the measure follows."""

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
        remembered: Remembered | None = None,
    ) -> None:
        self._remembered = Remembered(time.monotonic) if remembered is None else remembered
        threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hash")
        self._turns = Turns(threads)
        self._verify, self._burn, self._wait = verify, burn, wait
        self.typical = TYPICAL_SECONDS
        """Seconds that a hash takes, as measured."""

    async def fits(
        self,
        stored: Stored | None,
        secret: str,
        *,
        lane: int = 0,
        allowed: Callable[[], bool] = lambda: True,
        lets_in: bool = False,
    ) -> bool | None:
        """Exactly one slow hash. Where nothing is stored the work is done for nobody and never fits.

        Where the right secret lets in (`lets_in`), one that has fitted lately costs no hash; see Remembered.

        `allowed` is asked when its turn has come: what was queued behind failures is judged by what they were. None:
        it is not allowed (any more), and nothing was hashed. A directory that checks its passwords itself has a pool of
        its own, and may raise DatabaseDown. Raises Overload, and passwords.UnknownScheme.
        """
        if not isinstance(stored, str | None):
            if not allowed():
                return None
            HASHES.inc()
            return await stored.fits(secret)
        if lets_in and stored is not None and self._remembered.knows(stored, secret):
            return True if allowed() else None
        try:
            async with asyncio.timeout(self._wait):
                await self._turns.take(lane)
        except TimeoutError:
            raise Overload from None
        if not allowed():
            self._turns.give()
            return None
        HASHES.inc()
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._one, stored, secret)
        # The thread is free when its work is done, even if nobody waits for the outcome any more.
        work.add_done_callback(lambda _: self._turns.give())
        right, seconds = await asyncio.shield(work)
        self.typical += (seconds - self.typical) * TYPICAL_SHARE
        if right and lets_in and stored is not None:
            self._remembered.learn(stored, secret)
        return right

    async def pretend(self) -> None:
        """The time of a hash without its work: a refusal that judges nothing looks like one that does."""
        await asyncio.sleep(self.typical)

    def _one(self, stored: str | None, secret: str) -> tuple[bool, float]:
        begun = time.perf_counter()
        if stored is None:
            self._burn(secret)
            right = False
        else:
            right = self._verify(stored, secret)
        return right, time.perf_counter() - begun

    def close(self) -> None:
        """Let running hashes end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Turns:
    """So many at a time; of those who wait the lowest lane first, within a lane who came first."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrived = 0

    async def take(self, lane: int) -> None:
        """Raises Overload if too many wait already."""
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= QUEUE_MOST:
            raise Overload
        turn = asyncio.get_running_loop().create_future()
        self._arrived += 1
        heapq.heappush(self._waiting, (lane, self._arrived, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just come
                self.give()
            raise

    def give(self) -> None:
        """To the next who still waits."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
