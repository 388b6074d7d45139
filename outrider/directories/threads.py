"""Blocking clients in threads: as many at a time as there are connections, and nobody waits for long.

Each thread works on a connection of its own, which is opened when it is needed and kept. A connection on which anything
failed is closed. One that had been kept and was found gone (the server was restarted) is replaced once, if that shows
quickly: a second wait would be the caller's whole patience. One that was idle for long is not used again: firewalls
forget connections without a word, and to notice that takes a whole time limit.

A client may hang beyond its own time limits (libldap in a TLS handshake with a server that fell silent). Its caller is
answered all the same; its thread comes back when the server does, and never keeps the process from ending, as those of
concurrent.futures would.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from outrider.db.verbs import DEADLINE_SECONDS, DatabaseDown

QUICK_SECONDS = 0.5  # a closed connection shows at once; a silent server takes its whole time limit
IDLE_SECONDS = 60.0  # firewalls forget after minutes

Connection = TypeVar("Connection")
Result = TypeVar("Result")


@dataclass
class Job(Generic[Connection]):
    """What to do on a connection, and who waits for it."""

    work: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Hand over the outcome; who asked may have given up."""
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class Workers(Generic[Connection]):
    """A pool. `failures` are the client's exceptions: they become DatabaseDown, with no more than what `told` says of
    them, because their own texts may quote what was asked."""

    def __init__(
        self,
        name: str,
        threads: int,
        *,
        connect: Callable[[], Connection],
        close: Callable[[Connection], None],
        failures: tuple[type[Exception], ...],
        gone: tuple[type[Exception], ...],
        told: Callable[[Exception], str] = lambda error: type(error).__name__,
        deadline: float = DEADLINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._threads, self._connect, self._close = name, threads, connect, close
        self._failures, self._gone, self._told = failures, gone, told
        self._deadline, self._clock = deadline, clock
        self._free = asyncio.Semaphore(threads)
        self._jobs: queue.SimpleQueue[Job[Connection] | None] = queue.SimpleQueue()
        self._idle: deque[tuple[Connection, float]] = deque()
        self._started = 0
        self._closed = threading.Event()

    async def do(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, computed in a thread on a connection. Raises DatabaseDown."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._free.acquire()
                loop = asyncio.get_running_loop()
                job = Job(work, loop, loop.create_future())
                self._start(job)
                return await job.answer  # type: ignore[no-any-return]
        except TimeoutError:
            raise DatabaseDown(f"{self._name} does not answer in time") from None
        except self._failures as error:
            raise DatabaseDown(f"{self._name}: {self._told(error)}") from None

    def _start(self, job: Job[Connection]) -> None:
        """Threads come when they are needed; whoever waits in the queue has a free one."""
        if self._started < self._threads:
            self._started += 1
            threading.Thread(target=self._work_on, name=self._name, daemon=True).start()
        self._jobs.put(job)

    def _work_on(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.result = self._one(job.work)
            except BaseException as error:
                job.error = error
            try:
                job.loop.call_soon_threadsafe(self._done, job)
            except RuntimeError:  # the loop has ended, and with it everybody who waited
                return

    def _done(self, job: Job[Connection]) -> None:
        """The thread is free when its work is done, even if nobody waits for the outcome any more."""
        self._free.release()
        job.settle()

    def _one(self, work: Callable[[Connection], Result]) -> Result:
        started = self._clock()
        kept = self._taken()
        if kept is not None:
            try:
                return self._with(kept, work)
            except self._gone:
                if self._clock() - started > QUICK_SECONDS:
                    raise
        return self._with(self._connect(), work)

    def _taken(self) -> Connection | None:
        """The connection used last; what is too old is closed."""
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if self._clock() - since < IDLE_SECONDS and not self._closed.is_set():
                return connection
            self._shut(connection)
        return None

    def _with(self, connection: Connection, work: Callable[[Connection], Result]) -> Result:
        try:
            result = work(connection)
        except BaseException:
            self._shut(connection)
            raise
        if self._closed.is_set():
            self._shut(connection)
        else:
            self._idle.append((connection, self._clock()))
        return result

    def _shut(self, connection: Connection) -> None:
        try:
            self._close(connection)
        except self._failures:
            return  # it was broken already

    async def close(self) -> None:
        """Close what is idle; a thread that still works closes its own connection."""
        self._closed.set()
        self._taken()
        for _ in range(self._started):
            self._jobs.put(None)
