"""Tokens, as the admin socket is asked for them: new, confirmed, found again, imported, taken out of use."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from authd.cloud import Cloud
from authd.enrol_kinds import NewToken, new_token
from authd.enrolment_store import EnrolmentStore, TokenRow
from authd.keys import Keys
from authd.methods import KINDS, NAMES, REMOTE, RESYNC, Token, recovery
from authd.methods.yubicloud import Outcome
from authd.questions import NotNow, choice, label, number, optional_number, text
from authd.stock_store import StockStore
from outrider.addresses import Person
from outrider.people import Refused
from outrider.sealed import Keyring

logger = logging.getLogger(__name__)

TOKENS_MOST = 10
"""Per account, disabled ones not counted: each active one is tried at every login."""

Answer = dict[str, Any]
Random = Callable[[int], bytes]


class Tokens:
    """`doings` are the questions by name; `person` finds the account of one, `fits` checks its password.

    Errors: Refused, NotNow, DatabaseDown, KeyTrouble.
    """

    def __init__(
        self,
        person: Callable[[dict[str, Any]], Awaitable[Person]],
        fits: Callable[[Person, str], Awaitable[bool]],
        *,
        store: EnrolmentStore,
        stock: StockStore,
        cloud: Cloud,
        keys: Keys,
        default_level: int,
        issuer: str,
        clock: Callable[[], float],
        random: Random = secrets.token_bytes,
    ) -> None:
        self._person, self._fits, self._store, self._stock, self._cloud = person, fits, store, stock, cloud
        self._keys, self._default_level, self._issuer = keys, default_level, issuer
        self._clock, self.random = clock, random
        self.doings = {
            "token add": self._add,
            "token confirm": self._confirm,
            "token list": self._list,
            "token disable": self._disable,
            "token resync": self._resync,
            "token import": self._import,
            "token recovery": self._recovery,
        }

    async def _add(self, named: dict[str, Any]) -> Answer:
        kind, person, ring, now = kind_of(named), await self._person(named), self._keys.ring(), self._now()
        new = new_token(kind, named, person.address, self._issuer, self.random)
        if new is None:
            new = await self._stock.find(text(named, "public_id"), ring)
        if new is None:
            raise Refused("no such key is in stock; import it, or bring its private id and AES key")
        await self._room(person, new)
        token = await self._store.add_token(person.account, new, label(named), ring, now=now)
        logger.info("token=%d account=%d kind=%s pending", token, person.account, kind)
        return {"token": token, "kind": kind, **new.shown}

    async def _room(self, person: Person, new: NewToken) -> None:
        rows = [row for row in await self._store.tokens(person.account, self._now()) if row.state != "disabled"]
        if len(rows) >= TOKENS_MOST:
            raise Refused(f"the account has {TOKENS_MOST} tokens already")
        for row in rows:
            same_key = new.public_id is not None and (row.kind, row.public_id) == (new.kind, new.public_id)
            if row.state == "active" and same_key:
                raise Refused(f"the account has this key already: token {row.id}")

    async def _confirm(self, named: dict[str, Any]) -> Answer:
        person, code, now = await self._person(named), text(named, "code"), self._now()
        row = await self._token(person, number(named, "token"))
        if row.state != "pending":
            raise Refused("the token is not waiting for a confirmation")
        found = await self._proved(row.opened(self._keys.ring()), code, now)
        if found is None:
            gone = await self._store.wrong_code(row.id)
            raise Refused("too many wrong codes: the token is deleted" if gone else "the code is wrong")
        step, drift = found
        if not await self._store.confirm(row.id, step=step, drift=drift, level=self._default_level, now=now):
            raise Refused("the token is not waiting for a confirmation")
        logger.info("token=%d account=%d kind=%s active", row.id, row.account, row.kind)
        done = {"token": row.id, "state": "active", "level": await self._store.level(person.account)}
        if await self._store.recovery_codes_left(person.account) is None:
            done["recovery_codes"] = await self._new_recovery_codes(person)
        return done

    async def _proved(self, token: Token, code: str, now: int) -> tuple[int, int] | None:
        """Step and drift of a right code; None: it is wrong."""
        if (remote := REMOTE.get(token.kind)) is None:
            match = KINDS[token.kind].match(token, code, now)
            return (match.step, match.drift) if match is not None else None
        otp = remote.addressed(token, code)
        if otp is None:
            return None
        answer = await self._cloud.ask(otp)
        match answer.outcome:
            case Outcome.GOOD:
                assert answer.step is not None
                return answer.step, 0
            case Outcome.BAD:
                return None
            case Outcome.REPLAYED:  # no guess: asked twice at once, or a code that was typed elsewhere before
                raise Refused("the code was used before; press the key again")
            case _:
                raise NotNow(f"the validation servers: {answer.outcome.value} ({answer.detail})")

    async def _resync(self, named: dict[str, Any]) -> Answer:
        """By the owner, with his password; an operator says so himself."""
        person, codes = await self._person(named), named.get("codes")
        if not isinstance(codes, list) or len(codes) != 2 or not all(isinstance(code, str) for code in codes):
            raise Refused("codes: expected two, in the order in which the token has shown them")
        row = await self._token(person, number(named, "token"))
        if named.get("operator") is not True and not await self._fits(person, text(named, "password")):
            raise Refused("the password is wrong")
        find = RESYNC.get(row.kind)
        if row.state != "active" or find is None:
            raise Refused(f"only active tokens can be found again, of kind {' or '.join(RESYNC)}")
        first, second = codes
        found = find(row.opened(self._keys.ring()), first, second, self._now())
        if found is None or not await self._store.resync(row.id, found):
            raise Refused("no two codes in a row that were not used yet")
        logger.info("token=%d account=%d in step again", row.id, row.account)
        return {"token": row.id, "steps": found.base if row.kind == "totp" else found.step - row.last}

    async def _import(self, named: dict[str, Any]) -> Answer:
        """One token that was somebody's before: active at once. A Yubikey without an account goes into stock."""
        kind, ring, now = kind_of(named), self._keys.ring(), self._now()
        level = choice(named, "level", range(5), self._default_level)
        new = new_token(kind, named, "", self._issuer, self.random)
        if new is None or new.shown:
            raise Refused("an imported token brings its secrets")
        last = optional_number(named, "last")
        new = replace(new, label=label(named), last=new.last if last is None else last)
        if named.get("account") is None:
            return await self._into_stock(new, ring, now)
        person = await self._person(named)
        await self._room(person, new)
        for row in await self._store.tokens(person.account, now):
            if new.label and (row.kind, row.label) == (kind, new.label) and row.state == "active":
                raise Refused(f"the account has {new.label} already: token {row.id}")
        token = await self._store.add_token(person.account, new, new.label, ring, now=now)
        await self._store.activate(token, level, now)
        logger.info("token=%d account=%d kind=%s imported", token, person.account, kind)
        return {"token": token, "account": person.address, "kind": kind, "state": "active"}

    async def _into_stock(self, new: NewToken, ring: Keyring, now: int) -> Answer:
        if new.kind != "yubikey" or not new.public_id:
            raise Refused("no account is named; only Yubikeys with a public id can wait for their owner")
        if not await self._stock.add(new, ring, now):
            raise Refused("this key is in stock already")
        return {"token": None, "public_id": new.public_id, "kind": new.kind, "state": "stock"}

    async def _list(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        rows = await self._store.tokens(person.account, self._now())
        return {"tokens": [listed(row) for row in rows]}

    async def _disable(self, named: dict[str, Any]) -> Answer:
        person, token = await self._person(named), number(named, "token")
        if not await self._store.disable_token(person.account, token):
            raise Refused("the account has no such token")
        logger.info("token=%d account=%d disabled", token, person.account)
        return {"token": token, "state": "disabled"}

    async def _recovery(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        codes = await self._new_recovery_codes(person)
        logger.info("account=%d has new recovery codes", person.account)
        return {"account": person.address, "recovery_codes": codes}

    async def _new_recovery_codes(self, person: Person) -> list[str]:
        codes = [recovery.new(self.random) for _ in range(recovery.COUNT)]
        await self._store.set_recovery_codes(person.account, [recovery.digest(code) for code in codes], self._now())
        return codes

    async def _token(self, person: Person, token: int) -> TokenRow:
        for row in await self._store.tokens(person.account, self._now()):
            if row.id == token:
                return row
        raise Refused("the account has no such token")

    def _now(self) -> int:
        return int(self._clock())


def kind_of(named: dict[str, Any]) -> str:
    kind = text(named, "kind")
    if kind not in NAMES:
        raise Refused(f"there is no token kind {kind!r}; known: {', '.join(NAMES)}")
    return kind


def listed(row: TokenRow) -> Answer:
    """One token, without anything secret."""
    return {
        "token": row.id,
        "kind": row.kind,
        "label": row.label,
        "public_id": row.public_id,
        "state": row.state,
        "locked": row.locked is not None,
        "created": row.created,
        "confirmed": row.confirmed,
    }
