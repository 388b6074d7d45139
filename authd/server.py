"""The sockets of authd: each class feeds a protocol, asks, and writes the answer. What is decided is not here."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram

from authd.decide import SERVICES, Later, No, Request, Verdict, Yes
from authd.desk import Answers
from authd.front import Front, Open
from authd.granted import Connections, Granted
from authd.limits import Class, class_of
from authd.login import Logins
from authd.origin import Fronts
from authd.protocol.admin import AdminServer, Question
from authd.protocol.client import AuthClientServer, Temporary
from authd.protocol.events import Broken, Cancelled, Context, Credentials, Greeted
from authd.protocol.master import AuthMasterServer, ListWanted, LoginWanted, PassWanted, UserWanted
from authd.userdb import Userdb
from outrider.addresses import TryLater
from outrider.listeners import Listener

logger = logging.getLogger(__name__)

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds: an app password, a hash, a full queue, the last moment."""
LOGINS = Counter("authd_logins", "Judged logins, by the class of their failure.", ["service", "verdict", "class"])
SECONDS = Histogram("authd_login_seconds", "From credentials to answer.", ["verdict"], buckets=BUCKETS)


class AuthClientFront(Front):
    """Somebody who asks whether a login is right."""

    _numbers = itertools.count(1)

    def __init__(
        self, listener: Listener, logins: Logins, connections: Connections, open_: Open, fronts: Fronts
    ) -> None:
        self.wire: AuthClientServer
        cookie = secrets.token_hex(16)
        temporary = Temporary.CLOSE if listener.peer == "postfix" else Temporary.FAIL
        wire = AuthClientServer(spid=os.getpid(), cuid=next(self._numbers), cookie=cookie, temporary=temporary)
        super().__init__(wire, open_)
        self._listener, self._logins, self._connections = listener, logins, connections
        self._offered, self._fronts = frozenset(listener.services), fronts
        self._granted = Granted(cookie, time.monotonic)

    def data_received(self, data: bytes) -> None:
        for event in self.wire.feed(data):
            match event:
                case Credentials():
                    self.start(self._answer(event))
                case Greeted(cpid=cpid):
                    self._connections.add(cpid, self._granted)
                case Cancelled(id=number):
                    self._granted.drop(number)
                case Broken(text):
                    logger.warning("listener=%s broken=%r", self._listener.name, text)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.wire.cpid is not None:
            self._connections.remove(self.wire.cpid, self._granted)
        super().connection_lost(exc)

    def retire(self) -> None:
        self.wire.retire()
        self.flush()

    async def _answer(self, asked: Credentials) -> None:
        if asked.context.observed:  # a Lua file in shadow mode, and we are not: nothing may be spent for it
            logger.warning("listener=%s observed: authd is not in shadow mode", self._listener.name)
            self.wire.fail(asked.id)
            self.flush()
            return
        begun = time.perf_counter()
        request = self._request(asked)
        wanted: Callable[[], bool] = lambda: self.wire.waits(asked.id)  # noqa: E731
        verdict = await self._logins.judge(asked.user, request, wanted)
        note(request, verdict, time.perf_counter() - begun)
        match verdict:
            case Yes(person=person):
                if wanted() and not asked.context.nologin:
                    self._granted.put(asked.id, person.address)
                self.wire.succeed(asked.id, person.address)
            case No():
                self.wire.fail(asked.id)
            case Later():
                self.wire.later(asked.id)
        self.flush()

    def _request(self, asked: Credentials) -> Request:
        address, peer = self._origin(asked.context)
        return Request(asked.context.service, self._offered, asked.password, address, peer)

    def _origin(self, context: Context) -> tuple[str, str]:
        """Whose address was told, and whose connection it is; nothing where the listener's peer is not believed."""
        if not self._listener.trust_rip:
            return "", ""
        return self._fronts.user(context.rip), context.real_rip or context.rip


def note(request: Request, verdict: Verdict, seconds: float) -> None:
    """One line per login, with no name and no secret: the account is a number of ours.

    Ban tools read it (docs/authd.md, "Ban tools"): new fields come at the end, known ones keep their names and order.
    """
    service, address = SERVICES.get(request.service, "-"), request.address or "-"
    kind = Class.NONE
    match verdict:
        case Yes(person=person, by=by):
            word = "yes"
            logger.info("login=yes service=%s rip=%s account=%d by=%r", service, address, person.account, by)
        case No(why=why, account=account):
            word, kind = "no", class_of(why)
            line = "login=no service=%s rip=%s account=%s class=%s why=%s"
            logger.info(line, service, address, account or "-", kind, why)
        case Later(reason=reason):
            word = "later"
            logger.info("login=later service=%s rip=%s why=%r", service, address, reason)
    LOGINS.labels(service, word, kind).inc()
    SECONDS.labels(word).observe(seconds)


class AuthMasterFront(Front):
    """Dovecot asks whose mailbox an address is."""

    def __init__(self, listener: Listener, userdb: Userdb, connections: Connections, open_: Open) -> None:
        self.wire: AuthMasterServer
        super().__init__(AuthMasterServer(spid=os.getpid()), open_)
        self._listener, self._userdb, self._connections = listener, userdb, connections

    def data_received(self, data: bytes) -> None:
        for event in self.wire.feed(data):
            match event:
                case UserWanted(id=number, user=user):
                    self.start(self._user(number, user))
                case PassWanted(id=number, user=user):
                    self.start(self._pass(number, user))
                case ListWanted(id=number, mask=mask):
                    self.start(self._list(number, mask))
                case LoginWanted():
                    self._login(event)
                case Broken(text):
                    logger.warning("listener=%s broken=%r", self._listener.name, text)
        self.flush()

    def _login(self, asked: LoginWanted) -> None:
        user = self._connections.take(asked.cpid, asked.auth_id, asked.cookie)
        if user is None:
            self.wire.fail(asked.id)
        else:
            self.start(self._user(asked.id, user))

    async def _user(self, number: int, user: str) -> None:
        match await self._userdb.find(user):
            case None:
                self.wire.not_found(number)
            case TryLater():
                self.wire.fail(number)
            case entry:
                self.wire.user(number, entry.user, **entry.fields)
        self.flush()

    async def _pass(self, number: int, user: str) -> None:
        """A proxy's question: no field `proxy` in the answer means that the mailbox is here."""
        match await self._userdb.find(user):
            case None:
                self.wire.not_found(number)
            case TryLater():
                self.wire.fail(number)
            case entry:
                self.wire.passdb(number, entry.user)
        self.flush()

    async def _list(self, number: int, mask: str) -> None:
        found = await self._userdb.names(mask)
        if isinstance(found, TryLater):
            self.wire.list_failed(number)
        else:
            self.wire.listed(number, found)
        self.flush()


class AdminFront(Front):
    """The command line: tokens, app passwords, levels. Questions are answered one after the other."""

    def __init__(self, listener: Listener, desk: Answers, open_: Open) -> None:
        self.wire: AdminServer
        super().__init__(AdminServer(), open_)
        self._listener, self._desk = listener, desk
        self._turn = asyncio.Lock()  # first come, first served

    def data_received(self, data: bytes) -> None:
        for event in self.wire.feed(data):
            match event:
                case Question():
                    self.start(self._answer(event))
                case Broken(text):
                    logger.warning("listener=%s broken=%r", self._listener.name, text)
        self.flush()

    async def _answer(self, asked: Question) -> None:
        async with self._turn:
            self.wire.answer(await self._desk.answer(asked.do, asked.named))
        self.flush()
