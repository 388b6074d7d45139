"""Enrolment: what the admin socket can ask for. Who can open that socket is trusted with every account.

{"do": "token add", "account": A, "kind": K, "label": L, …}           pending; secrets are shown once (enrol_kinds)
{"do": "token confirm", "account": A, "token": N, "code": C}          active; the code is used up
{"do": "token resync", "account": A, "token": N, "codes": [C, C], "password": P | "operator": true}
{"do": "token import", "account": A | null, "kind": K, …}             active at once, or into stock
{"do": "token list" | "token disable" | "token recovery", …}
{"do": "app-password add", "account": A, "scopes": […], "label": L, "networks": […], "expires": SECONDS | null}
{"do": "app-password list" | "app-password revoke", …}
{"do": "level get" | "level set", "account": A, "level": 0…4}
{"do": "factor get" | "factor set", "account": A, "factor": "password" | "pin", "pin": P}
{"do": "ticket mint", "account": A, "peers": […], "services": […]}    {"do": "ticket end", "secret": S | "account": A}
{"do": "ping"}
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from authd.cloud import Cloud
from authd.enrol_access import Access
from authd.enrol_tokens import Tokens
from authd.enrolment_store import EnrolmentStore
from authd.hashing import Hashing, Overload
from authd.keys import Keys
from authd.questions import NotNow, text
from authd.stock_store import StockStore
from outrider import passwords
from outrider.addresses import BadAddress, Person, fold
from outrider.db import DatabaseDown
from outrider.directory import Directory
from outrider.passwords import UnknownScheme
from outrider.people import Refused
from outrider.sealed import KeyTrouble

logger = logging.getLogger(__name__)

Answer = dict[str, Any]


class Enrolment:
    """Answers the questions of the admin socket; never raises."""

    def __init__(
        self,
        directory: Directory,
        store: EnrolmentStore,
        keys: Keys,
        *,
        stock: StockStore,
        cloud: Cloud,
        hashing: Hashing,
        default_level: int,
        issuer: str,
        clock: Callable[[], float],
        random: Callable[[int], bytes] = secrets.token_bytes,
        make_hash: Callable[[str], str] = passwords.hash_password,
    ) -> None:
        self._directory, self._store, self._keys, self._hashing = directory, store, keys, hashing
        self._clock = clock
        self.tokens = Tokens(
            self.person,
            self._fits,
            store=store,
            stock=stock,
            cloud=cloud,
            keys=keys,
            default_level=default_level,
            issuer=issuer,
            clock=clock,
            random=random,
        )
        self.access = Access(
            self.person,
            store=store,
            has_token=self._has_token,
            make_hash=make_hash,
            default_level=default_level,
            clock=clock,
            random=random,
        )
        self._doings = {"ping": self._ping, **self.tokens.doings, **self.access.doings}

    async def answer(self, do: str, named: dict[str, Any]) -> Answer:
        """What was done, or {"error": …} (the answer is no), or {"later": …}."""
        doing = self._doings.get(do)
        if doing is None:
            return {"error": "unknown question"}
        try:
            return await doing(named)
        except (Refused, BadAddress) as error:
            return {"error": str(error)}
        except (DatabaseDown, KeyTrouble, NotNow) as error:
            return {"later": str(error)}
        except (Overload, UnknownScheme):
            return {"later": "the password cannot be checked now"}
        except Exception:
            logger.error("question failed unexpectedly", exc_info=True)
            return {"later": "internal"}

    async def person(self, named: dict[str, Any]) -> Person:
        """The account that is named; Refused."""
        person = await self._directory.person(fold(text(named, "account")))
        if person is None or person.ended:
            raise Refused("there is no such account")
        return person

    async def _ping(self, _: dict[str, Any]) -> Answer:
        self._keys.ring()
        return {"pong": True}

    async def _has_token(self, account: int) -> bool:
        return any(row.state == "active" for row in await self._store.tokens(account, int(self._clock())))

    async def _fits(self, person: Person, password: str) -> bool:
        """Whether it is the account's password."""
        found = await self._directory.login(person.address)
        return found is not None and await self._hashing.fits(found.stored, password) is True
