"""Logins that were told OK and wait for the mail process to ask for the user (REQUEST on the master socket).

Only in direct mode, where Dovecot's login and mail processes talk to authd without an auth process of their own.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

KEEP_SECONDS = 150.0
"""Dovecot's own patience between the OK and the REQUEST (AUTH_REQUEST_TIMEOUT_SECS)."""
KEEP_MOST = 1024
"""Per connection; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class _Login:
    user: str
    until: float


class Granted:
    """The OKs of one connection, by the id of its AUTH."""

    def __init__(self, cookie: str, monotonic: Callable[[], float]) -> None:
        self._cookie = cookie.encode()
        self._monotonic = monotonic
        self._logins: dict[int, _Login] = {}

    def put(self, request: int, user: str) -> None:
        """Remember an OK; what nobody asked for in time is dropped here."""
        now = self._monotonic()
        for old, login in list(self._logins.items()):
            if login.until > now and len(self._logins) < KEEP_MOST:
                break  # oldest first: all others are younger
            del self._logins[old]
        self._logins.pop(request, None)
        self._logins[request] = _Login(user, now + KEEP_SECONDS)

    def drop(self, request: int) -> None:
        """The client has cancelled it."""
        self._logins.pop(request, None)

    def take(self, request: int, cookie: str) -> str | None:
        """The user of that OK, once, for whoever knows the connection's cookie."""
        if not hmac.compare_digest(self._cookie, cookie.encode("utf-8", "replace")):
            return None
        login = self._logins.pop(request, None)
        return login.user if login is not None and login.until > self._monotonic() else None


class Connections:
    """Every open auth client connection by its CPID; two may share one (Radicale opens one per login)."""

    def __init__(self) -> None:
        self._by_pid: dict[int, list[Granted]] = {}

    def add(self, cpid: int, granted: Granted) -> None:
        self._by_pid.setdefault(cpid, []).append(granted)

    def remove(self, cpid: int, granted: Granted) -> None:
        known = self._by_pid.get(cpid, [])
        if granted in known:
            known.remove(granted)
        if not known:
            self._by_pid.pop(cpid, None)

    def take(self, cpid: int, request: int, cookie: str) -> str | None:
        """The user of a granted login, or None: unknown connection, id or cookie."""
        users = [granted.take(request, cookie) for granted in self._by_pid.get(cpid, [])]
        return next((user for user in users if user is not None), None)
