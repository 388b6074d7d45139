"""Dovecot's *auth master* protocol, client side: what lmtp, doveadm and the mail processes are to authd."""

from __future__ import annotations

from dataclasses import dataclass

from authd.protocol.events import Broken
from authd.protocol.fields import LineBuffer, line, number, parameters, split
from authd.protocol.master import MAJOR


@dataclass(frozen=True, slots=True)
class Found:
    """USER or PASS: the entry of a user, under the owner's name."""

    id: int
    user: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class NotFound:
    id: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The server could not find out: ask again later."""

    id: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One user of a LIST; more follow until Done."""

    id: int
    user: str


@dataclass(frozen=True, slots=True)
class Done:
    """End of a LIST; `complete` is False if the server could not finish it."""

    id: int
    complete: bool


Event = Found | NotFound | Failed | Listed | Done | Broken


class AuthMasterPeer:
    """One connection, seen from the client. Never raises on what the server sends."""

    def __init__(self, *, minor: int = 1) -> None:
        self.closing = False
        self._greeted = False
        self._lines = LineBuffer()
        self._out = [line("VERSION", str(MAJOR), str(minor))]

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
                events += self._reply(fields)
        if self._lines.overflow and not self.closing:
            events += self._break("a line is too long")
        return events

    # Requests ---------------------------------------------------------------------------------------

    def find(self, request: int, user: str, service: str) -> None:
        """USER: answered with Found, NotFound or Failed."""
        self._out.append(line("USER", str(request), user, f"service={service}"))

    def find_pass(self, request: int, user: str, service: str) -> None:
        """PASS: what a proxy asks."""
        self._out.append(line("PASS", str(request), user, f"service={service}"))

    def take_over(self, request: int, cpid: int, auth_id: int, cookie: str) -> None:
        """REQUEST: the user of a login that another connection was told OK about."""
        self._out.append(line("REQUEST", str(request), str(cpid), str(auth_id), cookie))

    def list_users(self, request: int, mask: str = "*") -> None:
        """LIST: answered with Listed and Done."""
        self._out.append(line("LIST", str(request), f"user={mask}"))

    # Replies ----------------------------------------------------------------------------------------

    def _reply(self, fields: list[str]) -> list[Event]:
        match fields:
            case ["VERSION", major, *_]:
                self._greeted = number(major) == MAJOR
                return [] if self._greeted else self._break("another version of the protocol")
            case _ if not self._greeted:
                return self._break("an answer before VERSION")
            case ["USER", request, user, *rest] if (known := number(request)) is not None:
                return [Found(known, user, parameters(rest))]
            case ["PASS", request, *rest] if (known := number(request)) is not None:
                named = parameters(rest)
                return [Found(known, named.pop("user", ""), named)]
            case ["NOTFOUND", request, *_] if (known := number(request)) is not None:
                return [NotFound(known)]
            case ["FAIL", request, *_] if (known := number(request)) is not None:
                return [Failed(known)]
            case ["LIST", request, user, *_] if (known := number(request)) is not None:
                return [Listed(known, user)]
            case ["DONE", request, *rest] if (known := number(request)) is not None:
                return [Done(known, "fail" not in rest)]
            case _:
                return []  # SPID, and words of newer servers

    def _break(self, text: str) -> list[Event]:
        self.closing = True
        return [Broken(text)]
