"""What opens an account beside its tokens, at the admin socket: app passwords, levels, PINs, tickets."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from authd.access_store import AccessStore
from authd.methods import app_password, ticket
from authd.questions import blocks, choice, chosen, label, number, optional_number, optional_text, scopes, text
from outrider.addresses import Person
from outrider.people import Refused

logger = logging.getLogger(__name__)

APP_PASSWORDS_MOST = 100
"""Per account, revoked ones not counted."""
PREFIX_TRIES = 3
"""A prefix of 40 random bits that exists already is rare; three in a row are a broken random source."""

_PIN = re.compile(r"\S{4,64}\Z")

Answer = dict[str, Any]


class Access:
    """`doings` are the questions by name; `person` finds the account of one. Errors: Refused, DatabaseDown."""

    def __init__(
        self,
        person: Callable[[dict[str, Any]], Awaitable[Person]],
        *,
        store: AccessStore,
        has_token: Callable[[int], Awaitable[bool]],
        make_hash: Callable[[str], str],
        default_level: int,
        clock: Callable[[], float],
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._person, self._store, self._has_token, self._make_hash = person, store, has_token, make_hash
        self._default_level, self._clock, self.random = default_level, clock, random
        self.doings = {
            "app-password add": self._app_password_add,
            "app-password list": self._app_password_list,
            "app-password revoke": self._app_password_revoke,
            "level get": self._level_get,
            "level set": self._level_set,
            "factor get": self._factor_get,
            "factor set": self._factor_set,
            "ticket mint": self._ticket_mint,
            "ticket end": self._ticket_end,
        }

    # App passwords ----------------------------------------------------------------------------------

    async def _app_password_add(self, named: dict[str, Any]) -> Answer:
        person, wanted, now = await self._person(named), scopes(named), int(self._clock())
        expires, networks, name = optional_number(named, "expires"), blocks(named, "networks"), label(named)
        if expires is not None and expires <= now:
            raise Refused("an app password cannot expire in the past")
        existing = await self._store.app_passwords(person.account)
        if sum(row.revoked is None for row in existing) >= APP_PASSWORDS_MOST:
            raise Refused(f"the account has {APP_PASSWORDS_MOST} app passwords already")
        for _ in range(PREFIX_TRIES):
            secret = app_password.new(self.random)
            added = await self._store.add_app_password(
                person.account,
                secret[: app_password.PREFIX],
                app_password.digest(secret),
                scopes=" ".join(wanted),
                label=name,
                networks=" ".join(networks) or None,
                expires=expires,
                now=now,
            )
            if added is not None:
                logger.info("app-password=%d account=%d added", added, person.account)
                return {"app_password": added, "secret": secret, "scopes": wanted, "networks": networks}
        raise Refused("no free prefix found; try again")

    async def _app_password_list(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        rows = await self._store.app_passwords(person.account)
        return {
            "app_passwords": [
                {
                    "app_password": row.id,
                    "label": row.label,
                    "scopes": row.scopes.split(),
                    "networks": (row.networks or "").split(),
                    "created": row.created,
                    "expires": row.expires,
                    "revoked": row.revoked,
                    "used": row.used,
                }
                for row in rows
            ]
        }

    async def _app_password_revoke(self, named: dict[str, Any]) -> Answer:
        person, which = await self._person(named), number(named, "app_password")
        if not await self._store.revoke_app_password(person.account, which, int(self._clock())):
            raise Refused("the account has no such app password")
        logger.info("app-password=%d account=%d revoked", which, person.account)
        return {"app_password": which, "revoked": True}

    # Levels and PINs ----------------------------------------------------------------------------------

    async def _level_get(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        level = await self._store.level(person.account)
        chosen_one = self._default_level if level is None else level
        effective = chosen_one if await self._has_token(person.account) else 0
        return {"account": person.address, "level": level, "effective": effective}

    async def _level_set(self, named: dict[str, Any]) -> Answer:
        person, level = await self._person(named), number(named, "level")
        if not 0 <= level <= 4:
            raise Refused("a level is 0 to 4")
        await self._store.set_level(person.account, level)
        logger.info("account=%d level=%d", person.account, level)
        return await self._level_get(named)

    async def _factor_get(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        factor = "pin" if await self._store.has_pin(person.account) else "password"
        return {"account": person.address, "factor": factor}

    async def _factor_set(self, named: dict[str, Any]) -> Answer:
        """What stands before the code. Only there: where no code is asked for, it is the password in any case."""
        person, factor = await self._person(named), choice(named, "factor", ("password", "pin"), "password")
        stored = None
        if factor == "pin":
            pin = text(named, "pin")
            if not _PIN.match(pin):
                raise Refused("pin: expected 4 to 64 characters without spaces")
            stored = await asyncio.to_thread(self._make_hash, pin)
        await self._store.set_pin(person.account, stored)
        logger.info("account=%d factor=%s", person.account, factor)
        return {"account": person.address, "factor": factor}

    # Tickets --------------------------------------------------------------------------------------------

    async def _ticket_mint(self, named: dict[str, Any]) -> Answer:
        """For a webmail whose user has just logged in; where it connects from is part of it."""
        person, now = await self._person(named), int(self._clock())
        services, peers = chosen(named, "services", ticket.SERVICES), blocks(named, "peers")
        if not peers:
            raise Refused("peers: expected the addresses from which the webmail connects")
        if not person.enabled:
            raise Refused("the account is disabled")
        for _ in range(PREFIX_TRIES):
            secret = ticket.new(self.random)
            made = await self._store.add_ticket(
                person.account,
                secret[: ticket.PREFIX],
                ticket.digest(secret),
                services=" ".join(services),
                peers=" ".join(peers),
                now=now,
            )
            if made is not None:
                logger.info("ticket=%d account=%d minted", made, person.account)
                expires = now + ticket.LIFE_SECONDS
                return {"ticket": made, "secret": secret, "services": services, "expires": expires}
        raise Refused("no free prefix found; try again")

    async def _ticket_end(self, named: dict[str, Any]) -> Answer:
        """One, by its secret (logout), or all of an account."""
        secret = optional_text(named, "secret")
        if secret is None:
            person = await self._person(named)
            return {"ended": await self._store.end_tickets(person.account)}
        prefix = ticket.prefix(secret)
        ended = prefix is not None and await self._store.end_ticket(prefix, ticket.digest(secret))
        return {"ended": int(ended)}
