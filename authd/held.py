"""What was read for an app password or a ticket and still holds, so that its next login reads nothing.

Such logins need no slow hash, and two look-ups are most of their work. An entry is good as long as nobody has committed
anything to the database (`Database.version`), this process or another: so what changes, changes at once. It holds what
the row holds, no secret beside it: neither the password's hash nor the tokens' secrets. Where a directory of the
operator's own or PostgreSQL is asked, nobody says when something changes, and nothing is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from authd.decide import Facts, Request
from authd.methods import app_password, ticket
from outrider.db import DatabaseDown

MOST = 4096
"""Entries, of about 1 kB. When it is full it is emptied."""

Version = Callable[[], object | None]


class Held:
    """`version` changes with every commit; None: nobody knows."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._of: object | None = None
        self._facts: dict[tuple[str, str], Facts] = {}

    def now(self) -> object | None:
        """The database's version; to be asked before what is given to `put` is read."""
        try:
            version = self._version()
        except DatabaseDown:
            version = None
        if version != self._of:
            self._facts.clear()
            self._of = version
        return version

    def get(self, login: str, request: Request) -> Facts | None:
        """Facts enough to let in by app password or ticket, and for nothing else."""
        if self.now() is None:
            return None
        return self._facts.get((login, prefix(request.field)))

    def put(self, login: str, request: Request, facts: Facts, version: object | None) -> None:
        """These facts were read after the database had this version."""
        if version is None or version != self._of or (facts.app_password is None and facts.ticket is None):
            return
        if len(self._facts) >= MOST:
            self._facts.clear()
        tokens = tuple(replace(token, secret=None, extra=None) for token in facts.tokens)
        bare = replace(facts, stored=None, pin=None, recovery=None, tokens=tokens)
        self._facts[login, prefix(request.field)] = bare


def prefix(field: str) -> str:
    """The public part of an app password or a ticket; empty where the field is neither."""
    return app_password.prefix(field) or ticket.prefix(field) or ""
