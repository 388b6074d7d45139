"""A connection on which requests are answered one after the other, in their order.

    bytes ── read ── waiting requests ── serve (await) ── send

A daemon says how bytes become requests (`read`, a wire format) and what is done about one (`serve`). What a peer can
make us hold is bounded: requests read ahead by `ahead`, answers that it does not read by the transport's own limits,
and time by `deadline`, which the house keeps.
"""

import asyncio
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar, cast

from outrider.house import House, network_of

Item = TypeVar("Item")


class Conversation(asyncio.Protocol, Generic[Item]):
    """One connection."""

    ahead = 64  # requests read while one is answered; more waits in the socket

    def __init__(self, house: House) -> None:
        self.house = house
        self.deadline = math.inf  # of the loop's clock; House.sweep ends whoever is past it
        self._waiting: deque[Item] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._last = False  # nothing more is read: the peer ended its side, was refused, or we are draining

    @abstractmethod
    def read(self, data: bytes) -> Iterable[Item]:
        """The requests that are whole with these bytes."""

    @abstractmethod
    async def serve(self, item: Item) -> bool:
        """Answer one request with `send`; False when nothing more is to be served here."""

    def rest(self) -> None:
        """Everything that was asked is answered."""

    @property
    def busy(self) -> bool:
        """A request is being answered."""
        return self._worker is not None

    async def send(self, data: bytes) -> bool:
        """Write when the peer reads; False if it has gone."""
        await self._writable.wait()
        if self.transport.is_closing():
            return False
        self.transport.write(data)
        return True

    def finish(self) -> None:
        """Close as soon as everything that was asked is answered."""
        self._last = True
        if not self.busy:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it
        self.loop = asyncio.get_running_loop()
        if not self.house.enter(self, network_of(transport.get_extra_info("peername"))):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._last:
            return
        self._waiting.extend(self.read(data))
        if len(self._waiting) > self.ahead:
            self.transport.pause_reading()
        if self._waiting and not self.busy:
            self._worker = self.loop.create_task(self._work())

    def eof_received(self) -> bool:
        """A peer that ended its side still gets its answers."""
        self._last = True
        return self.busy

    def connection_lost(self, exc: Exception | None) -> None:
        if self._worker is not None:
            self._worker.cancel()
        self.house.leave(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _work(self) -> None:
        """Serve what waits; ends when nothing does, and is started again by the next request."""
        while self._waiting:
            if not await self.serve(self._waiting.popleft()):
                self._last, self._worker = True, None
                return
            if len(self._waiting) <= self.ahead // 2 and not self.transport.is_reading():
                self.transport.resume_reading()
        self._worker = None
        self.rest()
        if self._last:
            self.transport.close()
