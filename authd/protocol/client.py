"""Dovecot's *auth client* protocol, server side: what authd speaks with Postfix, Dovecot's login processes,
Exim, Radicale and our Lua file.

https://doc.dovecot.org/latest/developers/design/auth_protocol.html, and where the page is
silent Dovecot src/auth/auth-client-connection.c. No socket here: bytes in, frozen dataclasses out.

    connection = AuthClientServer(spid=4711, cuid=1, cookie=secrets.token_hex(16))
    write(connection.output())                       # the whole banner, at once
    for event in connection.feed(data):
        match event:
            case Credentials(id=id, user=user):      # PLAIN and LOGIN have been read to their end
                connection.succeed(id, "a@b.example")  # or .fail(id) or .later(id)
            case Cancelled(): ...                    # nobody waits for that answer any more
            case Broken(text): ...                   # the peer does not speak this protocol
    write(connection.output())
    if connection.closing: close()
"""

from __future__ import annotations

import base64
from enum import Enum

from authd.protocol.events import Broken, Cancelled, Context, Credentials, Greeted
from authd.protocol.fields import LineBuffer, line, number, pairs, parameters, split
from authd.protocol.sasl import MECHANISMS, Challenge, Exchange, Nonsense, Said, Step

MAJOR = 1
MINOR = 2
"""What we announce: Dovecot 2.3's minor, which every client accepts (only the major number must match)."""
CANCELLED_SINCE = 4
"""Clients from this minor on wait for CANCELLED; older ones drop the connection at the unknown word."""
IN_FLIGHT = 64
"""Requests of one connection that wait for an answer: far above a login process's habit, yet bounded."""


class Temporary(Enum):
    """How a client is told "ask again later"."""

    FAIL = "FAIL with code=temp_fail: Dovecot's clients"
    CLOSE = "close the connection: Postfix ignores the code and says 535; a lost connection is its 454"


Event = Greeted | Credentials | Cancelled | Broken


class AuthClientServer:
    """One connection, seen from the server. Never raises on what the peer sends."""

    def __init__(self, *, spid: int, cuid: int, cookie: str, temporary: Temporary = Temporary.FAIL) -> None:
        self.closing = False
        self.minor: int | None = None
        self.cpid: int | None = None
        self.cookie = cookie
        self._temporary = temporary
        self._lines = LineBuffer()
        self._exchanges: dict[int, tuple[Exchange, Context]] = {}  # in the middle of a mechanism
        self._asked: set[int] = set()  # given out as Credentials, not answered yet
        self._out: list[bytes] = [
            line("VERSION", str(MAJOR), str(MINOR)),
            *(line("MECH", mechanism, "plaintext") for mechanism in MECHANISMS),  # Postfix: before SPID
            line("SPID", str(spid)),
            line("CUID", str(cuid)),
            line("COOKIE", cookie),
            line("DONE"),
        ]

    def output(self) -> bytes:
        """What has to be written now; given out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete. Any split of a stream gives the same events and the same output."""
        events: list[Event] = []
        for fields in map(split, self._lines.feed(data)):
            if not self.closing:
                events += self._command(fields)
        if self._lines.overflow and not self.closing:
            events += self._break("a line is too long")
        return events

    # Answers ----------------------------------------------------------------------------------------

    def waits(self, request: int) -> bool:
        """Whether the client still wants the answer to this id."""
        return request in self._asked and not self.closing

    def pending(self) -> list[int]:
        """Every id without an answer, also those in the middle of a mechanism."""
        return sorted(self._asked | self._exchanges.keys())

    def succeed(self, request: int, user: str, **fields: str) -> None:
        """OK: the login's canonical name and extra fields."""
        if self._settle(request):
            self._out.append(line("OK", str(request), f"user={user}", *pairs(fields)))

    def fail(self, request: int, *, code: str = "") -> None:
        """FAIL: without a code it is the plain "no" that every wrong login gets."""
        if self._settle(request):
            self._fail(request, code)

    def later(self, request: int) -> None:
        """Temporary: in the way this client understands (class Temporary)."""
        if not self._settle(request):
            return
        match self._temporary:
            case Temporary.FAIL:
                self._fail(request, "temp_fail")
            case Temporary.CLOSE:
                self.closing = True

    def retire(self) -> None:
        """The daemon stops: everybody who waits is told "later" first, then the connection closes.

        Dovecot 2.3 shows a connection that closes under a login as "wrong password".
        """
        for request in self.pending():
            self.later(request)
        self.closing = True

    # Commands ---------------------------------------------------------------------------------------

    def _command(self, fields: list[str]) -> list[Event]:
        match fields:
            case ["VERSION", major, minor, *_]:
                return self._version(major, minor)
            case ["CPID", pid, *_]:
                return self._pid(pid)
            case ["AUTH" | "CONT" | "CANCEL", *_] if self.minor is None or self.cpid is None:
                return self._break("a request before VERSION and CPID")
            case ["AUTH", request, mechanism, *rest] if (known := number(request)) is not None:
                return self._auth(known, mechanism.upper(), parameters(rest))
            case ["AUTH", *_]:
                return self._break("an AUTH without request or mechanism")
            case ["CONT", request, data, *_] if (known := number(request)) is not None:
                return self._continue(known, data)
            case ["CANCEL", request, *_] if (known := number(request)) is not None:
                return self._cancel(known)
            case _:
                return []  # unknown commands are ignored, so that newer clients work

    def _version(self, major: str, minor: str) -> list[Event]:
        known = number(minor)
        if number(major) != MAJOR or known is None:
            return self._break("another version of the protocol")
        if self.minor is not None:
            return []
        self.minor = known
        return self._greeted()

    def _pid(self, pid: str) -> list[Event]:
        known = number(pid)
        if known is None:
            return self._break("a CPID that is no number")
        if self.cpid is not None:
            return []
        self.cpid = known
        return self._greeted()

    def _greeted(self) -> list[Event]:
        return [] if self.minor is None or self.cpid is None else [Greeted(self.minor, self.cpid)]

    def _auth(self, request: int, mechanism: str, named: dict[str, str]) -> list[Event]:
        if request in self._asked or request in self._exchanges:
            return self._break("an request that is in use")
        exchange = Exchange(mechanism)
        self._exchanges[request] = exchange, Context.of(named)
        if len(self.pending()) > IN_FLIGHT:
            self.later(request)
            return []
        return self._advance(request, exchange.step(named.get("resp")))

    def _continue(self, request: int, data: str) -> list[Event]:
        if request in self._exchanges:
            return self._advance(request, self._exchanges[request][0].step(data))
        if request not in self._asked:  # an id we do not know (any more): Dovecot answers FAIL too
            self._fail(request, "")
        return []

    def _advance(self, request: int, step: Step) -> list[Event]:
        match step:
            case Challenge(text):
                self._out.append(line("CONT", str(request), base64.b64encode(text).decode("ascii")))
                return []
            case Nonsense(code):
                self.fail(request, code=code)
                return []
            case Said(user, password):
                _, context = self._exchanges.pop(request)
                self._asked.add(request)
                return [Credentials(request, user, password, context)]

    def _cancel(self, request: int) -> list[Event]:
        settled = self._settle(request)
        if self.minor is not None and self.minor >= CANCELLED_SINCE:
            self._out.append(line("CANCELLED", str(request)))
        return [Cancelled(request)] if settled else []

    def _settle(self, request: int) -> bool:
        """Forget the id; whether anybody still waited for it."""
        known = request in self._asked or request in self._exchanges
        self._asked.discard(request)
        self._exchanges.pop(request, None)
        return known and not self.closing

    def _fail(self, request: int, code: str) -> None:
        self._out.append(line("FAIL", str(request), *([f"code={code}"] if code else [])))

    def _break(self, text: str) -> list[Event]:
        self.closing = True
        return [Broken(text)]
