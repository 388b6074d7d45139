"""HTTP connections: requests are answered one after the other, each from one look-up.

    bytes ── RequestFeed ── waiting requests ── desk (await) ── bytes

Anybody in the world may connect to port 11371, so everything that a peer can make us hold is bounded: connections in
all and per network, requests read ahead, and by one deadline per connection the time for sending a request, for
reading an answer, and for doing nothing. outrider/house.py counts the connections and ends what is late.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache

import prometheus_client

from hkpd.decide import answer
from hkpd.protocol.answers import LATER, MALFORMED, Answer, rendered
from hkpd.protocol.queries import ByAddress, Get, Query
from hkpd.protocol.requests import Malformed, Request, RequestFeed
from hkpd.protocol.routes import route
from hkpd.store import CertificateStore
from outrider import conversation
from outrider.admin import Health
from outrider.db import DatabaseDown
from outrider.house import House

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0  # for a whole request to arrive, however slowly its bytes drip
ANSWER_SECONDS = 30.0  # for a peer to read what it asked for: 350 kB at 12 kB/s
IDLE_SECONDS = 60.0  # between two requests; browsers and the TLS front reuse connections
LINGER_SECONDS = 2.0  # after a refusal, for the peer to read it before the connection is reset by unread bytes

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
            return answer(query, await self._find(query))
        except DatabaseDown:
            return LATER

    async def look(self) -> None:
        """Ask for the sake of /healthz."""
        with suppress(DatabaseDown):
            await self._find(Get(ByAddress("")))

    async def _find(self, query: Query) -> bytes | None:
        """What the store has; /healthz shows whether it answers."""
        try:
            found = await self._store.find(query)
        except DatabaseDown as error:
            self._health.trouble("database", str(error))
            raise
        self._health.well("database")
        return found


class Conversation(conversation.Conversation[Request | Malformed]):
    """One connection."""

    ahead = 16  # no OpenPGP program sends a second request before the answer to the first

    def __init__(
        self, desk: Desk, house: House, clock: Callable[[], float], *, behind_tls: bool, trust_rip: bool = False
    ) -> None:
        """`clock` is the wall clock, for the Date of answers; `trust_rip` believes the front's X-Real-IP."""
        super().__init__(house)
        self._desk = desk
        self._clock = clock
        self._behind_tls = behind_tls
        self._trust_rip = trust_rip
        self._feed = RequestFeed()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.deadline = self.loop.time() + REQUEST_SECONDS

    def read(self, data: bytes) -> Sequence[Request | Malformed]:
        if self._feed.idle and not self.busy:
            self.deadline = self.loop.time() + REQUEST_SECONDS
        return self._feed.feed(data)

    async def serve(self, item: Request | Malformed) -> bool:
        found = await self._answered(item)
        self.deadline = self.loop.time() + ANSWER_SECONDS
        keep_alive = isinstance(item, Request) and item.keep_alive and not self._last
        head_only = isinstance(item, Request) and item.method == "HEAD"
        date = http_date(int(self._clock()))
        if not await self.send(rendered(found, date=date, head_only=head_only, keep_alive=keep_alive)):
            return False
        self._count(item, found)
        if isinstance(item, Malformed):
            self._linger()
            return False
        if not item.keep_alive:
            self.transport.close()
        return item.keep_alive

    def rest(self) -> None:
        self.deadline = self.loop.time() + (IDLE_SECONDS if self._feed.idle else REQUEST_SECONDS)

    def _count(self, request: Request | Malformed, found: Answer) -> None:
        _counter(self.house.name, found.status).inc()
        if logger.isEnabledFor(logging.DEBUG):  # never what was searched for
            logger.debug("answered listener=%s client=%s status=%d", self.house.name, self._who(request), found.status)

    def _who(self, request: Request | Malformed) -> str:
        """The client's address: what the front says, where the front alone can connect; else the peer's own."""
        if self._trust_rip:
            return request.client if isinstance(request, Request) else ""
        peer = self.transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    async def _answered(self, request: Request | Malformed) -> Answer:
        try:
            return await self._desk.answer(request, behind_tls=self._behind_tls)
        except Exception:
            # A fault of ours must not leave a peer waiting; the next request may be another one.
            logger.exception("failed listener=%s", self.house.name)
            return LATER

    def _linger(self) -> None:
        """The refusal is out; what the peer still sends is thrown away until it has read it."""
        self.deadline = self.loop.time() + LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if not self.transport.is_reading():
            self.transport.resume_reading()


@lru_cache(maxsize=8)
def http_date(seconds: int) -> str:
    """RFC 9110 section 5.6.7, made once a second."""
    return formatdate(seconds, usegmt=True)


@lru_cache(maxsize=64)
def _counter(listener: str, status: int) -> prometheus_client.Counter:
    return ANSWERS.labels(listener, str(status))
