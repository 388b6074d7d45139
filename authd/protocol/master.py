"""Dovecot's *auth master* protocol, server side: who is this user, where does the mail lie.

https://doc.dovecot.org/latest/developers/design/auth_protocol.html ("Server <-> Master"), and Dovecot
src/auth/auth-master-connection.c where the page is silent. No socket here: bytes in, frozen dataclasses out.

    connection = AuthMasterServer(spid=4711)
    write(connection.output())
    for event in connection.feed(data):
        match event:
            case UserWanted(id=id): connection.user(id, "alice@provider.example", uid="vmail")
            case LoginWanted(id=id): ...      # a login process said OK; the mail process asks for the user
            case PassWanted(id=id): ...       # a proxy asks where to send a recipient
            case ListWanted(id=id): connection.listed(id, names)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from authd.protocol.events import Broken
from authd.protocol.fields import LineBuffer, line, number, pairs, parameters, split

MAJOR = 1
MINOR = 1


@dataclass(frozen=True, slots=True)
class UserWanted:
    """USER: the userdb entry of an address."""

    id: int
    user: str
    service: str


@dataclass(frozen=True, slots=True)
class PassWanted:
    """PASS: the passdb entry of an address, as a proxy asks for it."""

    id: int
    user: str
    service: str


@dataclass(frozen=True, slots=True)
class ListWanted:
    """LIST: every user that the mask (`*`, `?`) fits."""

    id: int
    mask: str


@dataclass(frozen=True, slots=True)
class LoginWanted:
    """REQUEST: the userdb entry of the login that connection `cpid` was told OK about under `auth_id`."""

    id: int
    cpid: int
    auth_id: int
    cookie: str = field(repr=False)


Event = UserWanted | PassWanted | ListWanted | LoginWanted | Broken


class AuthMasterServer:
    """One connection, seen from the server. Never raises on what the peer sends."""

    def __init__(self, *, spid: int) -> None:
        self.closing = False
        self._greeted = False
        self._lines = LineBuffer()
        self._out = [line("VERSION", str(MAJOR), str(MINOR)), line("SPID", str(spid))]

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

    def user(self, request: int, user: str, **fields: str) -> None:
        """USER: the owner's name and userdb fields."""
        self._out.append(line("USER", str(request), user, *pairs(fields)))

    def passdb(self, request: int, user: str, **fields: str) -> None:
        """PASS: without a field `proxy` the recipient is local."""
        self._out.append(line("PASS", str(request), f"user={user}", *pairs(fields)))

    def listed(self, request: int, users: Iterable[str]) -> None:
        """Every user of a LIST, and its end."""
        self._out += [line("LIST", str(request), user) for user in users]
        self._out.append(line("DONE", str(request)))

    def list_failed(self, request: int) -> None:
        """The list could not be made: the client must not take it for complete."""
        self._out.append(line("DONE", str(request), "fail"))

    def not_found(self, request: int) -> None:
        """There is no such user: a permanent answer."""
        self._out.append(line("NOTFOUND", str(request)))

    def fail(self, request: int) -> None:
        """Could not find out: LMTP makes 451 of it, never a bounce."""
        self._out.append(line("FAIL", str(request)))

    # Commands ---------------------------------------------------------------------------------------

    def _command(self, fields: list[str]) -> list[Event]:
        match fields:
            case ["VERSION", major, *_]:
                self._greeted = number(major) == MAJOR
                return [] if self._greeted else self._break("another version of the protocol")
            case _ if not self._greeted:
                return self._break("a request before VERSION")
            case [name, request, *rest] if (known := number(request)) is not None:
                return self._request(name, known, rest)
            case ["USER" | "PASS" | "LIST" | "REQUEST" | "CACHE-FLUSH", *_]:
                return self._break("a request without an id")
            case _:
                return []  # unknown commands are ignored, so that newer clients work

    def _request(self, name: str, request: int, rest: list[str]) -> list[Event]:
        match name, rest:
            case "USER", [user, *more]:
                return [UserWanted(request, user, _service(more))]
            case "PASS", [user, *more]:
                return [PassWanted(request, user, _service(more))]
            case "LIST", more:
                return [ListWanted(request, parameters(more).get("user", "*"))]
            case "REQUEST", [cpid, auth_id, cookie, *_]:
                return self._login(request, number(cpid), number(auth_id), cookie)
            case "CACHE-FLUSH", _:
                self._out.append(line("OK", str(request), "0"))  # there is no cache, so nothing was flushed
                return []
            case (("USER" | "PASS" | "REQUEST"), _):
                self.fail(request)
                return []
            case _:
                return []

    def _login(self, request: int, cpid: int | None, auth_id: int | None, cookie: str) -> list[Event]:
        if cpid is None or auth_id is None:
            self.fail(request)
            return []
        return [LoginWanted(request, cpid, auth_id, cookie)]

    def _break(self, text: str) -> list[Event]:
        self.closing = True
        return [Broken(text)]


def _service(fields: list[str]) -> str:
    """Dovecot 2.3 says service=, 2.4 says protocol=."""
    named = parameters(fields)
    return named.get("service") or named.get("protocol", "")
