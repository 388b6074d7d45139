"""What the owner of a key may do: publish, list, withdraw. Asked over the admin socket (hkpd/admin.py).

Strangers' bytes are parsed here, in the keyserver's own process and under its user, never by root's command line.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from hkpd.decide import Publishable, judge
from hkpd.store import CertificateStore
from outrider.addresses import Alias, Mailbox, Person, TryLater, fold, resolve
from outrider.db import DatabaseDown, Taken
from outrider.directory import Directory
from outrider.openpgp import Certificate, claimed, clean, merge
from outrider.people import Refused

logger = logging.getLogger(__name__)


class Publishing:
    """One publication at a time: cleaning holds the interpreter, and two versions of one key must meet."""

    def __init__(self, store: CertificateStore, directory: Directory, clock: Callable[[], float]) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._turn = asyncio.Lock()

    async def publish(self, account: str, key: bytes) -> dict[str, Any]:
        """Clean `key`, join it with what is stored of it, publish it. Raises Refused, BadCertificate, DatabaseDown."""
        async with self._turn:
            person = await self._person(account)
            owned = await self._owned(person, await asyncio.to_thread(claimed, key))
            fresh = await asyncio.to_thread(clean, key, owned.__contains__)
            before = await self._store.stored(fresh.fingerprint)
            if before is not None and before.account != person.account:
                raise Refused("this key is published by another account")
            certificate = await self._merged(person, before.body, key) if before else fresh
            now = int(self._clock())
            verdict = judge(certificate, now)
            if not isinstance(verdict, Publishable):
                raise verdict
            await self._write(person, certificate, before.body if before else None, now)
        logger.info("published account=%d fingerprint=%s", person.account, certificate.fingerprint)
        return shown(certificate) | {"account": person.address, "warning": verdict.warning}

    async def _merged(self, person: Person, body: bytes, key: bytes) -> Certificate:
        names = (*await asyncio.to_thread(claimed, body), *await asyncio.to_thread(claimed, key))
        owned = await self._owned(person, names)
        return await asyncio.to_thread(merge, body, key, owned.__contains__)

    async def _write(self, person: Person, certificate: Certificate, before: bytes | None, now: int) -> None:
        try:
            if await self._store.publish(person.account, certificate, before, now):
                return
        except Taken:
            pass
        raise DatabaseDown("the key was changed by somebody else meanwhile; publish it again")

    async def list(self, account: str) -> dict[str, Any]:
        """The account's certificates."""
        person = await self._person(account)
        found = await self._store.of_account(person.account)
        keys = [
            {
                "fingerprint": one.fingerprint,
                "version": one.version,
                "addresses": sorted(one.addresses.split()),
                "revoked": bool(one.revoked),
                "expires": one.expires,
                "updated": one.updated,
            }
            for one in found
        ]
        return {"account": person.address, "keys": keys}

    async def withdraw(self, account: str, fingerprint: str) -> dict[str, Any]:
        """Remove one; nobody finds it from now on."""
        person = await self._person(account)
        wanted = "".join(fingerprint.split()).lower().removeprefix("0x")
        if not await self._store.withdraw(person.account, wanted):
            raise Refused(f"{person.address} has published no key {fingerprint}")
        logger.info("withdrawn account=%d fingerprint=%s", person.account, wanted)
        return {"account": person.address, "fingerprint": wanted, "withdrawn": True}

    async def _person(self, account: str) -> Person:
        person = await self._directory.person(fold(account))
        if person is None:
            raise Refused(f"there is no account {account}")
        return person

    async def _owned(self, person: Person, names: tuple[str, ...]) -> set[str]:
        """Of these folded addresses, those that are the account's own: its address and its permanent aliases.

        Never a disposable one: it is made to be thrown away, and a key on it would tell whose it is.
        """
        owned = set()
        for name in names:
            found = await resolve(self._directory, name, int(self._clock()))
            match found:
                case TryLater(reason=reason):
                    raise DatabaseDown(reason)
                case Mailbox(person=owner, address=address) | Alias(person=owner, address=address, kind="permanent"):
                    if owner.account == person.account and await self._is_exact(found, name):
                        owned.add(address)
                case _:
                    continue
        return owned

    async def _is_exact(self, found: Mailbox | Alias, name: str) -> bool:
        """The address itself, not a tagged form of it (a+x@d): tags are not told apart from the address by others."""
        if isinstance(found, Mailbox):
            return found.person.address == name
        facts = await self._directory.facts(name)
        return facts.exact.alias is not None


def shown(certificate: Certificate) -> dict[str, Any]:
    """A certificate for programs; times are epoch seconds, expires null = never."""
    return {
        "fingerprint": certificate.fingerprint,
        "version": certificate.version,
        "addresses": list(certificate.addresses),
        "created": certificate.created,
        "expires": certificate.expires,
        "revoked": certificate.revoked,
        "can_encrypt": certificate.can_encrypt,
    }
