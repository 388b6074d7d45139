"""A connection of Postfix: requests are answered one after the other, in their order, each within a deadline.

    bytes ── reader ── waiting requests ── desk (await) ── bytes

One class serves both protocols: the reader tells where a request ends, the desk turns it into the bytes of its
answer. A stream that is malformed is closed without an answer to the malformed part, which Postfix takes for
trouble (451); what was asked before is answered first.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

from prometheus_client import Counter

from policy.protocol.malformed import Malformed

logger = logging.getLogger(__name__)

# Postfix waits 100 s for a socketmap (compiled in) and as its template says 3 s for the policy service, with an SMTP
# client at the other end. Whoever has not answered us by now has trouble, and "later" is the right answer to that; it
# has to be out before Postfix hangs up, for then it would count the service as broken.
DEADLINE_SECONDS = 2.5
# Requests read ahead. Postfix sends one and waits; more is a benchmark or a fault, and is read when these are done.
PIPELINE = 64
# After SIGTERM: every answer is out after the deadline, unless its peer does not read.
DRAIN_SECONDS = DEADLINE_SECONDS + 1.0

MALFORMED = Counter("outrider_policy_malformed", "Connections closed because of a malformed request.", ("protocol",))

Question = TypeVar("Question")
Asked_co = TypeVar("Asked_co", covariant=True)
Answered_contra = TypeVar("Answered_contra", contravariant=True)


class Reader(Protocol[Asked_co]):
    """A wire format: bytes in, requests out."""

    def feed(self, data: bytes) -> Sequence[Asked_co | Malformed]: ...


class Desk(Protocol[Answered_contra]):
    """Who knows the answers."""

    name: str

    async def answer(self, question: Answered_contra) -> bytes:
        """The answer; may take as long as it likes, it is cancelled at the deadline."""

    def late(self, question: Answered_contra) -> bytes:
        """The answer when there was none in time."""

    def failed(self, question: Answered_contra) -> bytes:
        """The answer when `answer` raised something."""


class House:
    """All connections of the daemon, so that they can be closed with every answer out."""

    def __init__(self) -> None:
        self._open: set[Conversation[Any]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def enter(self, conversation: "Conversation[Any]") -> None:
        self._open.add(conversation)
        self._empty.clear()

    def leave(self, conversation: "Conversation[Any]") -> None:
        self._open.discard(conversation)
        if not self._open:
            self._empty.set()

    async def drain(self) -> None:
        """Answer what was asked, then close; whoever does not read his answers is cut off."""
        for conversation in list(self._open):
            conversation.finish()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            logger.warning("drained connections=%d of which the peers do not read", len(self._open))
            for conversation in list(self._open):
                conversation.abort()


class Conversation(asyncio.Protocol, Generic[Question]):
    """One connection."""

    def __init__(self, reader: Reader[Question], desk: Desk[Question], house: House) -> None:
        self._reader = reader
        self._desk = desk
        self._house = house
        self._waiting: deque[tuple[Question | Malformed, float]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._last = False  # no more requests come: the peer ended its side, or we are draining

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it
        self._loop = asyncio.get_running_loop()
        self._house.enter(self)

    def data_received(self, data: bytes) -> None:
        if self._last:
            return
        deadline = self._loop.time() + DEADLINE_SECONDS
        self._waiting.extend((item, deadline) for item in self._reader.feed(data))
        if len(self._waiting) > PIPELINE:
            self._transport.pause_reading()
        if self._waiting and self._worker is None:
            self._worker = self._loop.create_task(self._work())

    def eof_received(self) -> bool:
        """A peer that ended its side still gets its answers."""
        self._last = True
        return self._worker is not None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._worker is not None:
            self._worker.cancel()
        self._house.leave(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def finish(self) -> None:
        """Close as soon as everything that was asked is answered."""
        self._last = True
        if self._worker is None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    async def _work(self) -> None:
        """Answer what waits; ends when nothing does, and is started again by the next request."""
        while self._waiting:
            item, deadline = self._waiting.popleft()
            if isinstance(item, Malformed):
                MALFORMED.labels(self._desk.name).inc()
                logger.warning("malformed protocol=%s reason=%r", self._desk.name, item.reason)
                self._transport.close()
                return
            answer = await self._answered(item, deadline)
            await self._writable.wait()
            if self._transport.is_closing():
                return
            self._transport.write(answer)
            if len(self._waiting) <= PIPELINE // 2 and not self._transport.is_reading():
                self._transport.resume_reading()
        self._worker = None
        if self._last:
            self._transport.close()

    async def _answered(self, question: Question, deadline: float) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._desk.answer(question)
        except TimeoutError:
            return self._desk.late(question)
        except Exception:
            # A fault of ours must not leave Postfix waiting; the next request may be another one.
            logger.exception("failed protocol=%s", self._desk.name)
            return self._desk.failed(question)
