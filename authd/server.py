"""The sockets of authd: each class feeds a protocol, asks, and writes the answer. What is decided is not here."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import os
import secrets
import time
from collections.abc import Callable

from prometheus_client import Counter

from authd.decide import SERVICES, Later, No, Request, Verdict, Yes
from authd.enrol import Enrolment
from authd.front import Front, Open
from authd.granted import Connections, Granted
from authd.login import Logins
from authd.protocol.admin import AdminServer, Question
from authd.protocol.client import AuthClientServer, Temporary
from authd.protocol.events import Broken, Cancelled, Credentials, Greeted
from authd.protocol.master import AuthMasterServer, ListWanted, LoginWanted, PassWanted, UserWanted
from authd.userdb import Userdb
from outrider.addresses import TryLater
from outrider.listeners import Listener

logger = logging.getLogger(__name__)

LOGINS = Counter("authd_logins", "Judged logins.", ["service", "verdict"])


class AuthClientFront(Front):
    """Somebody who asks whether a login is right."""

    _numbers = itertools.count(1)

    def __init__(self, listener: Listener, logins: Logins, connections: Connections, open_: Open) -> None:
        self.wire: AuthClientServer
        cookie = secrets.token_hex(16)
        temporary = Temporary.CLOSE if listener.peer == "postfix" else Temporary.FAIL
        wire = AuthClientServer(spid=os.getpid(), cuid=next(self._numbers), cookie=cookie, temporary=temporary)
        super().__init__(wire, open_)
        self._listener, self._logins, self._connections = listener, logins, connections
        self._offered = frozenset(listener.services)
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
        request = Request(asked.context.service, self._offered, asked.password)
        wanted: Callable[[], bool] = lambda: self.wire.waits(asked.id)  # noqa: E731
        verdict = await self._logins.judge(asked.user, request, wanted)
        self._log(asked, verdict)
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

    def _log(self, asked: Credentials, verdict: Verdict) -> None:
        """One line per login, with no name and no secret: the account is a number of ours."""
        service = SERVICES.get(asked.context.service, "-")
        address = client_address(asked.context.rip) if self._listener.trust_rip else "-"
        match verdict:
            case Yes(person=person, by=by):
                word = "yes"
                logger.info("login=yes service=%s rip=%s account=%d by=%r", service, address, person.account, by)
            case No(why=why, account=account):
                word = "no"
                logger.info("login=no service=%s rip=%s account=%s why=%s", service, address, account or "-", why)
            case Later(reason=reason):
                word = "later"
                logger.info("login=later service=%s rip=%s why=%r", service, address, reason)
        LOGINS.labels(service, word).inc()


def client_address(text: str) -> str:
    """The address as it is written everywhere else, or `-` for what is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return "-"


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

    def __init__(self, listener: Listener, enrolment: Enrolment, open_: Open) -> None:
        self.wire: AdminServer
        super().__init__(AdminServer(), open_)
        self._listener, self._enrolment = listener, enrolment
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
            self.wire.answer(await self._enrolment.answer(asked.do, asked.named))
        self.flush()
