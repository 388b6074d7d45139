"""What an operator asks the running authd: why does this login fail, who has tried, seal all secrets anew.

{"do": "auth log", "account": A}                          the owner's own view: his logins, newest first
{"do": "auth explain", "account": A, "service": S}        the verdict and why
{"do": "token unlock", "account": A, "token": N}          a token that wrong passwords have locked
{"do": "account unlock", "account": A}                    that, closed codes, pauses: all counts begin anew
{"do": "secrets rewrap", "column": C, "after": N}         with the newest key of auth.key, a portion from `next` on
{"do": "db restored"}                                     no code from before the restore is good again
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from authd.audit_store import AuditStore
from authd.decide import SERVICES
from authd.enrolment_store import EnrolmentStore
from authd.explain import Known, explained, failure_line
from authd.guards import GuardStore
from authd.keys import Keys
from authd.ledger import Ledger
from authd.login import Logins
from authd.questions import number, optional_number, text
from authd.scrutiny import Scrutiny
from authd.upkeep import Upkeep
from outrider.addresses import Person, fold
from outrider.directory import Directory
from outrider.people import Refused

logger = logging.getLogger(__name__)

FAILURES = 10
"""Of an explanation."""

Answer = dict[str, Any]
Doing = Callable[[dict[str, Any]], Awaitable[Answer]]


class Operations:
    """`doings` are the questions by name. Errors: Refused, BadAddress, DatabaseDown, KeyTrouble."""

    def __init__(
        self,
        directory: Directory,
        logins: Logins,
        scrutiny: Scrutiny,
        *,
        store: EnrolmentStore,
        guards: GuardStore,
        audit: AuditStore,
        ledger: Ledger,
        keys: Keys,
        upkeep: Upkeep,
        clock: Callable[[], float],
    ) -> None:
        self._directory, self._logins, self._scrutiny, self._store = directory, logins, scrutiny, store
        self._guards, self._audit, self._ledger, self._keys = guards, audit, ledger, keys
        self._upkeep, self._clock = upkeep, clock
        self.doings: dict[str, Doing] = {
            "auth log": self._log,
            "auth explain": self._explain,
            "token unlock": self._token_unlock,
            "account unlock": self._account_unlock,
            "secrets rewrap": self._rewrap,
            "db restored": self._restored,
        }

    async def _log(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        await self._ledger.write()
        rows = await self._audit.rows(person.account)
        return {"logins": [{**failure_line(row), "credential": row.credential} for row in rows]}

    async def _explain(self, named: dict[str, Any]) -> Answer:
        person, service, now = await self._person(named), SERVICES.get(text(named, "service")), self._now()
        if service is None:
            raise Refused(f"service: expected one of {', '.join(SERVICES)}")
        await self._ledger.write()
        known = Known(
            service=service,
            facts=await self._logins.facts(person.address),
            app_passwords=await self._store.app_passwords(person.account),
            guard=await self._guards.read(person.account, "", now),
            standing=self._scrutiny.standing(person.address),
            failures=await self._audit.failures(person.account, FAILURES),
        )
        return explained(known, now)

    async def _token_unlock(self, named: dict[str, Any]) -> Answer:
        person, token = await self._person(named), number(named, "token")
        self._ledger.forget(person.account)
        if not await self._guards.unlock(person.account, token):
            raise Refused("the account has no such token")
        logger.info("token=%d account=%d unlocked", token, person.account)
        return {"token": token, "locked": False}

    async def _account_unlock(self, named: dict[str, Any]) -> Answer:
        person = await self._person(named)
        self._scrutiny.forget(person.address, person.account)
        await self._guards.reopen(person.account)
        logger.info("account=%d unlocked", person.account)
        return {"account": person.address, "locked": False}

    async def _rewrap(self, named: dict[str, Any]) -> Answer:
        column, after = optional_number(named, "column") or 0, optional_number(named, "after") or 0
        done = await self._upkeep.rewrap(self._keys.ring(), column, after)
        logger.info("rewrap key=%s sealed=%d already=%d failed=%d", done.key, done.sealed, done.already, done.failed)
        return dict(vars(done))

    async def _restored(self, _: dict[str, Any]) -> Answer:
        done = await self._upkeep.restored(self._now())
        logger.warning("restored %s", " ".join(f"{kind}={count}" for kind, count in done.items()))
        return {"moved": done}

    async def _person(self, named: dict[str, Any]) -> Person:
        person = await self._directory.person(fold(text(named, "account")))
        if person is None or person.ended:
            raise Refused("there is no such account")
        return person

    def _now(self) -> int:
        return int(self._clock())
