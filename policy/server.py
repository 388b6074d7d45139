"""A connection of Postfix: requests are answered one after the other, in their order, each within a deadline.

    bytes ── reader ── waiting requests ── desk (await) ── bytes

One class serves both protocols: the reader tells where a request ends, the desk turns it into the bytes of its
answer. A stream that is malformed is closed without an answer to the malformed part, which Postfix takes for
trouble (451); what was asked before is answered first.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from prometheus_client import Counter

from outrider import conversation
from outrider.house import House
from policy.protocol.malformed import Malformed

logger = logging.getLogger(__name__)

# Postfix waits 100 s for a socketmap (compiled in) and as its template says 3 s for the policy service, with an SMTP
# client at the other end. Whoever has not answered us by now has trouble, and "later" is the right answer to that; it
# has to be out before Postfix hangs up, for then it would count the service as broken.
DEADLINE_SECONDS = 2.5

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


class Conversation(conversation.Conversation[tuple[Question | Malformed, float]], Generic[Question]):
    """One connection; each request waits with its deadline."""

    def __init__(self, reader: Reader[Question], desk: Desk[Question], house: House) -> None:
        super().__init__(house)
        self._reader = reader
        self._desk = desk

    def read(self, data: bytes) -> list[tuple[Question | Malformed, float]]:
        deadline = self.loop.time() + DEADLINE_SECONDS
        return [(item, deadline) for item in self._reader.feed(data)]

    async def serve(self, item: tuple[Question | Malformed, float]) -> bool:
        question, deadline = item
        if isinstance(question, Malformed):
            MALFORMED.labels(self._desk.name).inc()
            logger.warning("malformed protocol=%s reason=%r", self._desk.name, question.reason)
            self.transport.close()
            return False
        return await self.send(await self._answered(question, deadline))

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
