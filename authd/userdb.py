"""Whose mailbox an address is: the answers of the auth master protocol.

Every address with one owner (his own, tagged, permanent or disposable alias, catch-all) is answered with all fields
of the owner, so that mail to it lies in his mailbox and counts against his quota. Dead and unknown addresses are
NOTFOUND; "could not find out" is FAIL, of which Dovecot's LMTP makes 451.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from authd.login import ANSWER_SECONDS
from authd.settings import AuthdSettings
from outrider.addresses import Alias, Dead, Mailbox, Person, Resolution, TryLater, Unknown, resolve
from outrider.admin import Health
from outrider.db import DatabaseDown
from outrider.directory import Directory

logger = logging.getLogger(__name__)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Entry:
    """The userdb entry of a person."""

    user: str
    fields: dict[str, str]


def entry_of(person: Person, settings: AuthdSettings) -> Entry:
    """user, uid, gid, home, and the quota if there is one; where mail lies in the home is Dovecot's configuration."""
    local, _, domain = person.address.rpartition("@")
    fields = {
        "uid": settings.mail_uid,
        "gid": settings.mail_gid,
        "home": settings.mail_home.replace("{domain}", domain).replace("{local}", as_name(local)),
    }
    if person.quota:
        size = str(person.quota)
        fields[settings.quota_field] = f"*:bytes={size}" if settings.quota_field == "quota_rule" else size
    return Entry(person.address, fields)


def as_name(local: str) -> str:
    """A local part as the name of one directory. `a/b@d` must not lie inside the home of `a@d`."""
    return re.sub(r"[/%=]", lambda letter: f"={ord(letter[0]):02X}", local)


def judged(found: Resolution, settings: AuthdSettings) -> Entry | TryLater | None:
    """The entry of the owner, or None where nobody gets mail under that address."""
    match found:
        case Mailbox(person=person) | Alias(person=person):
            return entry_of(person, settings)
        case Dead() | Unknown():
            return None
        case TryLater():
            return found


def fitting(mask: str, names: Iterable[str]) -> list[str]:
    """Names that the mask fits: `*` is any text, `?` any letter."""
    wild = {"*": ".*", "?": "."}
    pattern = re.compile("".join(wild.get(letter) or re.escape(letter) for letter in mask), re.DOTALL)
    return [name for name in names if pattern.fullmatch(name)]


class Userdb:
    """The look-ups behind the auth master protocol. Errors come as TryLater."""

    def __init__(
        self, directory: Directory, settings: AuthdSettings, health: Health, clock: Callable[[], float]
    ) -> None:
        self._directory, self._settings, self._health, self._clock = directory, settings, health, clock

    async def find(self, address: str) -> Entry | TryLater | None:
        """The entry of the owner; None: nobody gets mail there."""
        found = await self._in_time(resolve(self._directory, address, int(self._clock())))
        return judged(found, self._settings)

    async def names(self, mask: str) -> list[str] | TryLater:
        """The logins that the mask fits."""
        found = await self._in_time(self._directory.people())
        if isinstance(found, TryLater):
            return found
        return fitting(mask, [person.address for person in found if not person.ended])

    async def _in_time(self, work: Awaitable[Found]) -> Found | TryLater:
        """Every question is answered, whatever happens: Dovecot waits for minutes otherwise."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await work
        except TimeoutError:
            return TryLater("no answer in time")
        except DatabaseDown as error:
            return self._down(str(error))
        except Exception:
            logger.error("look-up failed unexpectedly", exc_info=True)
            return TryLater("internal")
        return self._down(found.reason) if isinstance(found, TryLater) else found

    def _down(self, reason: str) -> TryLater:
        self._health.trouble("database", reason)
        return TryLater(reason)
