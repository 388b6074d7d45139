"""What every connection of authd has: a transport, a protocol class, tasks, and an orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, cast

CLOSE_SECONDS = 1.0
"""For the last answers to leave when the daemon stops; the peers are on this host."""


class Wire(Protocol):
    """What all protocol classes have in common."""

    closing: bool

    def output(self) -> bytes: ...


class Open:
    """All open connections, so that a stopping daemon can answer them first."""

    def __init__(self) -> None:
        self._fronts: set[Front] = set()
        self._none = asyncio.Event()
        self._none.set()
        self.stopping = False

    def add(self, front: Front) -> None:
        self._fronts.add(front)
        self._none.clear()

    def remove(self, front: Front) -> None:
        self._fronts.discard(front)
        if not self._fronts:
            self._none.set()

    def __len__(self) -> int:
        return len(self._fronts)

    async def retire(self) -> None:
        """Everybody who waits is told "later", then all connections close."""
        self.stopping = True
        for front in list(self._fronts):
            front.retire()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._none.wait()
        except TimeoutError:
            for front in list(self._fronts):
                front.abort()


class Front(asyncio.Protocol):
    """One connection: its transport, its protocol class, and the tasks that work on its requests."""

    def __init__(self, wire: Wire, open_: Open) -> None:
        self.wire = wire
        self._open = open_
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it
        self._open.add(self)
        if self._open.stopping:
            self.retire()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.wire.closing = True
        self._transport = None
        self._open.remove(self)

    def pause_writing(self) -> None:
        """A peer that does not read its answers is not read from."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._tasks.discard)

    def flush(self) -> None:
        """Write what the protocol has to say; close when it is through."""
        if self._transport is None:
            return
        if data := self.wire.output():
            self._transport.write(data)
        if self.wire.closing:
            self._transport.close()

    def retire(self) -> None:
        self.wire.closing = True
        self.flush()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
