"""Dovecot's *auth client* protocol, client side: what Postfix and Dovecot's login processes are to authd.

Our tests speak through it; so can any program that wants to ask authd (or Dovecot itself) about a login.

    connection = AuthClientPeer(pid=os.getpid())
    write(connection.output())
    for event in connection.feed(data):
        match event:
            case Ready(): connection.plain(1, "imap", "alice@provider.example", "secret", rip="192.0.2.1")
            case Success(id, user): ...
            case Failure(id, code): ...               # code "temp_fail" = ask again later
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from authd.protocol.client import MAJOR
from authd.protocol.events import Broken, Cancelled
from authd.protocol.fields import LineBuffer, line, number, pairs, parameters, split


@dataclass(frozen=True, slots=True)
class Ready:
    """The server's banner is complete."""

    mechanisms: tuple[str, ...]
    spid: int
    cuid: int
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """CONT: the mechanism wants more; answer with `say`."""

    id: int
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Success:
    id: int
    user: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    id: int
    code: str
    fields: dict[str, str]


Event = Ready | Asked | Success | Failure | Cancelled | Broken


class AuthClientPeer:
    """One connection, seen from the client. Never raises on what the server sends."""

    def __init__(self, *, pid: int, minor: int = 2) -> None:
        self.closing = False
        self.ready: Ready | None = None
        self._lines = LineBuffer()
        self._banner: dict[str, str] = {}
        self._mechanisms: list[str] = []
        self._out = [line("VERSION", str(MAJOR), str(minor)), line("CPID", str(pid))]

    def output(self) -> bytes:
        """What has to be written now; given out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete. Any split of a stream gives the same events."""
        events: list[Event] = []
        for fields in map(split, self._lines.feed(data)):
            if not self.closing:
                events += self._reply(fields) if self.ready else self._greeting(fields)
        if self._lines.overflow and not self.closing:
            events += self._break("a line is too long")
        return events

    # Requests ---------------------------------------------------------------------------------------

    def plain(self, request: int, service: str, user: str, password: str, *flags: str, **named: str) -> None:
        """One PLAIN login with its initial response; `flags` like "secured" and "nologin"."""
        said = base64.b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
        self.start(request, "PLAIN", service, *flags, **named, resp=said)

    def start(self, request: int, mechanism: str, service: str, *flags: str, **named: str) -> None:
        """AUTH; a mechanism without `resp` is continued at the event Asked."""
        self._out.append(line("AUTH", str(request), mechanism, f"service={service}", *flags, *pairs(named)))

    def say(self, request: int, answer: bytes) -> None:
        """CONT: the answer to a challenge."""
        self._out.append(line("CONT", str(request), base64.b64encode(answer).decode("ascii")))

    def cancel(self, request: int) -> None:
        """The answer is not wanted any more."""
        self._out.append(line("CANCEL", str(request)))

    # Replies ----------------------------------------------------------------------------------------

    def _greeting(self, fields: list[str]) -> list[Event]:
        match fields:
            case ["VERSION", major, *_] if number(major) != MAJOR:
                return self._break("another version of the protocol")
            case ["MECH", mechanism, *_]:
                self._mechanisms.append(mechanism)
            case ["SPID" | "CUID" | "COOKIE" | "VERSION" as name, value, *_]:
                self._banner[name] = value
            case ["DONE", *_]:
                return self._greeted()
        return []

    def _greeted(self) -> list[Event]:
        spid, cuid = number(self._banner.get("SPID", "")), number(self._banner.get("CUID", ""))
        cookie = self._banner.get("COOKIE", "")
        complete = "VERSION" in self._banner and cookie and self._mechanisms
        if not complete or spid is None or cuid is None:
            return self._break("a banner that lacks something")
        self.ready = Ready(tuple(self._mechanisms), spid, cuid, cookie)
        return [self.ready]

    def _reply(self, fields: list[str]) -> list[Event]:
        match fields:
            case ["OK", request, *rest] if (known := number(request)) is not None:
                named = parameters(rest)
                return [Success(known, named.pop("user", ""), named)]
            case ["FAIL", request, *rest] if (known := number(request)) is not None:
                named = parameters(rest)
                return [Failure(known, named.pop("code", ""), named)]
            case ["CANCELLED", request, *_] if (known := number(request)) is not None:
                return [Cancelled(known)]
            case ["CONT", request, data, *_] if (known := number(request)) is not None:
                return self._asked(known, data)
            case ["OK" | "FAIL" | "CANCELLED" | "CONT", *_]:
                return self._break("an answer without an id")
            case _:
                return []

    def _asked(self, request: int, data: str) -> list[Event]:
        try:
            return [Asked(request, binascii.a2b_base64(data.encode("ascii"), strict_mode=True))]
        except (binascii.Error, UnicodeEncodeError):
            return self._break("a challenge that is no base64")

    def _break(self, text: str) -> list[Event]:
        self.closing = True
        return [Broken(text)]
