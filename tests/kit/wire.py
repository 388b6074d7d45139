"""A transport without a socket: what the peer of an asyncio protocol would see."""

import asyncio
from typing import Any


class Wire(asyncio.Transport):
    """Give it the protocol; feed with `protocol.data_received`, read `sent`."""

    def __init__(self, protocol: asyncio.Protocol, peer: Any = ("192.0.2.7", 40000)) -> None:
        super().__init__({"peername": peer})
        self.sent = b""
        self.closed = self.aborted = self.ended = False
        self.reading = True
        self._protocol = protocol
        self._changed = asyncio.Event()
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written after close"
        self.sent += bytes(data)
        self._changed.set()

    async def until(self, true: Any) -> bytes:
        """Wait until `true(sent)`; the time limit is a watchdog."""
        async with asyncio.timeout(5):
            while not true(self.sent):
                self._changed.clear()
                await self._changed.wait()
        return self.sent

    async def gone(self) -> bytes:
        """Wait until the connection is closed; what was sent."""
        return await self.until(lambda _: self.closed)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._changed.set()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()
