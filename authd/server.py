"""The sockets of authd: each class feeds a protocol, asks, and writes the answer. What is decided is not here."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
import time

from authd.decide import Later, No, Request, Verdict, Yes
from authd.desk import Answers
from authd.front import Front, Open
from authd.granted import Connections, Granted
from authd.login import Logins
from authd.origin import Fronts
from authd.protocol.admin import AdminServer, Question
from authd.protocol.client import AuthClientServer, Temporary
from authd.protocol.events import Broken, Cancelled, Context, Credentials, Greeted
from authd.protocol.master import AuthMasterServer, ListWanted, LoginWanted, PassWanted, UserWanted
from authd.telling import Telling
from authd.userdb import Userdb
from outrider.addresses import TryLater
from outrider.listeners import Listener

logger = logging.getLogger(__name__)


class AuthClientFront(Front):
    """Somebody who asks whether a login is right."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        listener: Listener,
        logins: Logins,
        connections: Connections,
        open_: Open,
        fronts: Fronts,
        *,
        telling: Telling | None = None,
    ) -> None:
        self.wire: AuthClientServer
        cookie = secrets.token_hex(16)
        temporary = Temporary.CLOSE if listener.peer == "postfix" else Temporary.FAIL
        wire = AuthClientServer(spid=os.getpid(), cuid=next(self._numbers), cookie=cookie, temporary=temporary)
        super().__init__(wire, open_)
        self._listener, self._logins, self._connections = listener, logins, connections
        self._offered, self._fronts = frozenset(listener.services), fronts
        self._telling = telling or Telling()
        self._granted = Granted(cookie, time.monotonic)

    def data_received(self, data: bytes) -> None:
        for event in self.wire.feed(data):
            match event:
                case Credentials():
                    self._judge(event)
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

    def _judge(self, asked: Credentials) -> None:
        """At once if that can be; `flush` is left to the caller."""
        if asked.context.observed:  # a Lua file in shadow mode, and we are not: nothing may be spent for it
            logger.warning("listener=%s observed: authd is not in shadow mode", self._listener.name)
            self.wire.fail(asked.id)
            return
        begun, request = time.perf_counter(), self._request(asked)
        verdict = self._logins.at_once(asked.user, request)
        if verdict is None:
            self.start(self._answer(asked, request, begun))
        else:
            self._say(asked, request, verdict, begun)

    async def _answer(self, asked: Credentials, request: Request, begun: float) -> None:
        verdict = await self._logins.judge(asked.user, request, lambda: self.wire.waits(asked.id))
        self._say(asked, request, verdict, begun)
        self.flush()

    def _say(self, asked: Credentials, request: Request, verdict: Verdict, begun: float) -> None:
        self._telling.note(request, verdict, time.perf_counter() - begun)
        match verdict:
            case Yes(person=person):
                if not asked.context.nologin and self.wire.waits(asked.id):
                    self._granted.put(asked.id, person.address)
                self.wire.succeed(asked.id, person.address)
            case No():
                self.wire.fail(asked.id)
            case Later():
                self.wire.later(asked.id)

    def _request(self, asked: Credentials) -> Request:
        address, peer = self._origin(asked.context)
        return Request(asked.context.service, self._offered, asked.password, address, peer)

    def _origin(self, context: Context) -> tuple[str, str]:
        """Whose address was told, and whose connection it is; nothing where the listener's peer is not believed."""
        if not self._listener.trust_rip:
            return "", ""
        return self._fronts.user(context.rip), context.real_rip or context.rip


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
