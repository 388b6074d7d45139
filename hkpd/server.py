"""HTTP connections: requests are answered one after the other, each from one look-up.

    bytes ── RequestFeed ── waiting requests ── desk (await) ── bytes

Anybody in the world may connect to port 11371, so everything that a peer can make us hold is bounded: connections in
all and per network, requests read ahead, and by one deadline per connection the time for sending a request, for
reading an answer, and for doing nothing. hkpd/house.py counts the connections and ends what is late.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import cast

import prometheus_client

from hkpd.decide import answer
from hkpd.house import House, network_of
from hkpd.protocol.answers import LATER, MALFORMED, Answer, rendered
from hkpd.protocol.requests import Malformed, Request, RequestFeed
from hkpd.protocol.routes import route
from hkpd.store import CertificateStore
from outrider.admin import Health
from outrider.db import DatabaseDown

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0  # for a whole request to arrive, however slowly its bytes drip
ANSWER_SECONDS = 30.0  # for a peer to read what it asked for: 350 kB at 12 kB/s
IDLE_SECONDS = 60.0  # between two requests; browsers and the TLS front reuse connections
LINGER_SECONDS = 2.0  # after a refusal, for the peer to read it before the connection is reset by unread bytes
PIPELINE = 16  # requests read ahead; no OpenPGP program sends a second before the answer to the first

ANSWERS = prometheus_client.Counter("outrider_hkpd_answers", "HTTP answers.", ("listener", "status"))


class Desk:
    """Knows the answer to every request."""

    def __init__(self, store: CertificateStore, health: Health) -> None:
        self._store = store
        self._health = health

    async def answer(self, request: Request | Malformed, *, behind_tls: bool) -> Answer:
        if isinstance(request, Malformed):
            return MALFORMED[request.status]
        query = route(request, behind_tls=behind_tls)
        if isinstance(query, Answer):
            return query
        try:
            found = await self._store.find(query)
        except DatabaseDown as error:
            self._health.trouble("database", str(error))
            return LATER
        self._health.well("database")
        return answer(query, found)


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(
        self, desk: Desk, house: House, clock: Callable[[], float], *, behind_tls: bool, trust_rip: bool = False
    ) -> None:
        """`clock` is the wall clock, for the Date of answers; `trust_rip` believes the front's X-Real-IP."""
        self._desk = desk
        self._house = house
        self._clock = clock
        self._behind_tls = behind_tls
        self._trust_rip = trust_rip
        self._feed = RequestFeed()
        self._waiting: deque[Request | Malformed] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._last = False  # nothing more is read: refused, told to close, or draining
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it
        self._loop = asyncio.get_running_loop()
        self.deadline = self._loop.time() + REQUEST_SECONDS
        if not self._house.enter(self, network_of(transport.get_extra_info("peername"))):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._last:
            return
        was_idle = self._feed.idle
        self._waiting.extend(self._feed.feed(data))
        if len(self._waiting) > PIPELINE:
            self._transport.pause_reading()
        if self._worker is None:
            if self._waiting:
                self._worker = self._loop.create_task(self._work())
            elif was_idle:
                self.deadline = self._loop.time() + REQUEST_SECONDS

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
            request = self._waiting.popleft()
            found = await self._answered(request)
            self.deadline = self._loop.time() + ANSWER_SECONDS
            await self._writable.wait()
            if self._transport.is_closing():
                return
            self._write(request, found)
            if isinstance(request, Malformed):
                self._linger()
                return
            if not request.keep_alive or (self._last and not self._waiting):
                self._transport.close()
                return
            if len(self._waiting) <= PIPELINE // 2 and not self._transport.is_reading():
                self._transport.resume_reading()
        self._worker = None
        self.deadline = self._loop.time() + (IDLE_SECONDS if self._feed.idle else REQUEST_SECONDS)

    def _write(self, request: Request | Malformed, found: Answer) -> None:
        keep_alive = isinstance(request, Request) and request.keep_alive and not self._last
        head_only = isinstance(request, Request) and request.method == "HEAD"
        date = http_date(int(self._clock()))
        self._transport.write(rendered(found, date=date, head_only=head_only, keep_alive=keep_alive))
        _counter(self._house.name, found.status).inc()
        if logger.isEnabledFor(logging.DEBUG):  # never what was searched for
            logger.debug("answered listener=%s client=%s status=%d", self._house.name, self._who(request), found.status)

    def _who(self, request: Request | Malformed) -> str:
        """The client's address: what the front says, where the front alone can connect; else the peer's own."""
        if self._trust_rip:
            return request.client if isinstance(request, Request) else ""
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    async def _answered(self, request: Request | Malformed) -> Answer:
        try:
            return await self._desk.answer(request, behind_tls=self._behind_tls)
        except Exception:
            # A fault of ours must not leave a peer waiting; the next request may be another one.
            logger.exception("failed listener=%s", self._house.name)
            return LATER

    def _linger(self) -> None:
        """The refusal is out; what the peer still sends is thrown away until it has read it."""
        self._last = True
        self._worker = None
        self.deadline = self._loop.time() + LINGER_SECONDS
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if not self._transport.is_reading():
            self._transport.resume_reading()


@lru_cache(maxsize=8)
def http_date(seconds: int) -> str:
    """RFC 9110 section 5.6.7, made once a second."""
    return formatdate(seconds, usegmt=True)


@lru_cache(maxsize=64)
def _counter(listener: str, status: int) -> prometheus_client.Counter:
    return ANSWERS.labels(listener, str(status))
