"""Enrolment: what the admin socket can ask for. Who can open that socket is trusted with every account.

{"do": "token add", "account": A, "kind": "totp", "label": L}         pending; the secret is shown once
{"do": "token confirm", "account": A, "token": N, "code": C}          active; the code is used up
{"do": "token list" | "token disable", …}
{"do": "app-password add", "account": A, "scopes": […], "label": L, "expires": SECONDS-SINCE-1970 | null}
{"do": "app-password list" | "app-password revoke", …}
{"do": "level get" | "level set", "account": A, "level": 0…4}
{"do": "ping"}
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pyotp

from authd.enrolment_store import EnrolmentStore, TokenRow
from authd.keys import Keys
from authd.methods import KINDS, Token, app_password
from authd.questions import label, number, optional_number, scopes, text
from authd.store import binding
from outrider.addresses import BadAddress, Person, fold
from outrider.db import DatabaseDown
from outrider.directory import Directory
from outrider.people import Refused
from outrider.sealed import KeyTrouble

logger = logging.getLogger(__name__)

TOKENS_MOST = 10
"""Per account, disabled ones not counted: each active one is tried at every login."""
APP_PASSWORDS_MOST = 100
"""Per account, revoked ones not counted."""
PREFIX_TRIES = 3
"""A prefix of 40 random bits that exists already is rare; three in a row are a broken random source."""
DIGITS, PERIOD = 6, 30
"""What every authenticator app can do; several ignore anything else in the otpauth address."""

Answer = dict[str, Any]


class Enrolment:
    """Answers the questions of the admin socket; never raises."""

    def __init__(
        self,
        directory: Directory,
        store: EnrolmentStore,
        keys: Keys,
        *,
        default_level: int,
        issuer: str,
        clock: Callable[[], float],
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._directory, self._store, self._keys = directory, store, keys
        self._default_level, self._issuer = default_level, issuer
        self._clock, self._random = clock, random
        self._doings: dict[str, Callable[[dict[str, Any]], Awaitable[Answer]]] = {
            "ping": self._ping,
            "token add": self._token_add,
            "token confirm": self._token_confirm,
            "token list": self._token_list,
            "token disable": self._token_disable,
            "app-password add": self._app_password_add,
            "app-password list": self._app_password_list,
            "app-password revoke": self._app_password_revoke,
            "level get": self._level_get,
            "level set": self._level_set,
        }

    async def answer(self, do: str, named: dict[str, Any]) -> Answer:
        """What was done, or {"error": …} (the answer is no), or {"later": …}."""
        doing = self._doings.get(do)
        if doing is None:
            return {"error": "unknown question"}
        try:
            done = await doing(named)
        except (Refused, BadAddress) as error:
            return {"error": str(error)}
        except (DatabaseDown, KeyTrouble) as error:
            return {"later": str(error)}
        except Exception:
            logger.error("question failed unexpectedly", exc_info=True)
            return {"later": "internal"}
        return done

    def _now(self) -> int:
        return int(self._clock())

    async def _person(self, named: dict[str, Any]) -> Person:
        address = text(named, "account")
        person = await self._directory.person(fold(address))
        if person is None or person.ended:
            raise Refused("there is no such account")
        return person

    async def _ping(self, _: dict[str, Any]) -> Answer:
        self._keys.ring()
        return {"pong": True}

    # Tokens -----------------------------------------------------------------------------------------

    async def _token_add(self, named: dict[str, Any]) -> Answer:
        kind = text(named, "kind")
        if kind not in KINDS:
            raise Refused(f"there is no token kind {kind!r}; known: {', '.join(KINDS)}")
        person, ring, now = await self._person(named), self._keys.ring(), self._now()
        existing = await self._store.tokens(person.account, now)
        if sum(row.state != "disabled" for row in existing) >= TOKENS_MOST:
            raise Refused(f"the account has {TOKENS_MOST} tokens already")
        raw = self._random(20)  # 160 bits: RFC 4226, 4, R6
        token = await self._store.add_token(
            person.account, kind, label(named), raw, ring, digits=DIGITS, period=PERIOD, now=now
        )
        secret = base64.b32encode(raw).decode("ascii")
        uri = pyotp.TOTP(secret, digits=DIGITS, interval=PERIOD).provisioning_uri(
            name=person.address, issuer_name=self._issuer
        )
        logger.info("token=%d account=%d kind=%s pending", token, person.account, kind)
        return {"token": token, "kind": kind, "secret": secret, "uri": uri}

    async def _token_confirm(self, named: dict[str, Any]) -> Answer:
        person, code, now = await self._person(named), text(named, "code"), self._now()
        row = await self._token(person, number(named, "token"), now)
        if row.state != "pending":
            raise Refused("the token is not waiting for a confirmation")
        secret = self._keys.ring().open(row.secret, *binding(row.id, row.account, row.kind))
        token = Token(row.id, row.kind, secret, row.algorithm, row.digits, row.period, last=-1, drift=0)
        match = KINDS[row.kind].match(token, code, now)
        if match is None:
            gone = await self._store.wrong_code(row.id)
            raise Refused("too many wrong codes: the token is deleted" if gone else "the code is wrong")
        if not await self._store.confirm(
            row.id, step=match.step, drift=match.drift, level=self._default_level, now=now
        ):
            raise Refused("the token is not waiting for a confirmation")
        logger.info("token=%d account=%d kind=%s active", row.id, row.account, row.kind)
        return {"token": row.id, "state": "active", "level": await self._store.level(person.account)}

    async def _token_list(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        rows = await self._store.tokens(person.account, self._now())
        return {
            "tokens": [
                {
                    "token": row.id,
                    "kind": row.kind,
                    "label": row.label,
                    "state": row.state,
                    "created": row.created,
                    "confirmed": row.confirmed,
                }
                for row in rows
            ]
        }

    async def _token_disable(self, named: dict[str, Any]) -> Answer:
        person, token = await self._person(named), number(named, "token")
        if not await self._store.disable_token(person.account, token):
            raise Refused("the account has no such token")
        logger.info("token=%d account=%d disabled", token, person.account)
        return {"token": token, "state": "disabled"}

    async def _token(self, person: Person, token: int, now: int) -> TokenRow:
        for row in await self._store.tokens(person.account, now):
            if row.id == token:
                return row
        raise Refused("the account has no such token")

    # App passwords ----------------------------------------------------------------------------------

    async def _app_password_add(self, named: dict[str, Any]) -> Answer:
        person, now = await self._person(named), self._now()
        wanted, expires = scopes(named), optional_number(named, "expires")
        if expires is not None and expires <= now:
            raise Refused("an app password cannot expire in the past")
        existing = await self._store.app_passwords(person.account)
        if sum(row.revoked is None for row in existing) >= APP_PASSWORDS_MOST:
            raise Refused(f"the account has {APP_PASSWORDS_MOST} app passwords already")
        for _ in range(PREFIX_TRIES):
            secret = app_password.new(self._random)
            prefix, digest = secret[: app_password.PREFIX], app_password.digest(secret)
            added = await self._store.add_app_password(
                person.account, prefix, digest, " ".join(wanted), label(named), expires=expires, now=now
            )
            if added is not None:
                break
        else:
            raise Refused("no free prefix found; try again")
        logger.info("app-password=%d account=%d added", added, person.account)
        return {"app_password": added, "secret": secret, "scopes": wanted}

    async def _app_password_list(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        rows = await self._store.app_passwords(person.account)
        return {
            "app_passwords": [
                {
                    "app_password": row.id,
                    "label": row.label,
                    "scopes": row.scopes.split(),
                    "created": row.created,
                    "expires": row.expires,
                    "revoked": row.revoked,
                }
                for row in rows
            ]
        }

    async def _app_password_revoke(self, named: dict[str, Any]) -> Answer:
        person, which = await self._person(named), number(named, "app_password")
        if not await self._store.revoke_app_password(person.account, which, self._now()):
            raise Refused("the account has no such app password")
        logger.info("app-password=%d account=%d revoked", which, person.account)
        return {"app_password": which, "revoked": True}

    # Levels -----------------------------------------------------------------------------------------

    async def _level_get(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        level = await self._store.level(person.account)
        tokens = await self._store.tokens(person.account, self._now())
        chosen = self._default_level if level is None else level
        effective = chosen if any(row.state == "active" for row in tokens) else 0
        return {"account": person.address, "level": level, "effective": effective}

    async def _level_set(self, named: dict[str, Any]) -> Answer:
        person, level = await self._person(named), number(named, "level")
        if not 0 <= level <= 4:
            raise Refused("a level is 0 to 4")
        await self._store.set_level(person.account, level)
        logger.info("account=%d level=%d", person.account, level)
        return await self._level_get(named)
