"""One login from its credentials to its verdict: fetch the facts, ask `decide`, do the work it names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from authd.decide import Ask, Facts, Hash, Later, No, Recover, Request, Spend, Verdict, Yes, decide
from authd.ending import Ending
from authd.hashing import Hashing, Overload
from authd.held import Held
from authd.keys import Keys
from authd.limits import Lane
from authd.scrutiny import Scrutiny, Try
from authd.store import Store
from outrider.addresses import BadAddress, fold
from outrider.admin import Health
from outrider.db import DatabaseDown
from outrider.directory import Directory
from outrider.passwords import UnknownScheme
from outrider.sealed import KeyTrouble

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 8.0
"""Every login is answered in that time: Postfix gives up after 10 s (its AUTH_TIMEOUT is not configurable)."""
SCHEMES_MOST = 100
"""Unknown password schemes that are told of."""
NO_ACCOUNT = 0
"""The store is asked about an unknown login too, under a number that is never issued."""


class Logins:
    """Judges logins. `default_level` counts where an account has tokens and no level of its own."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        keys: Keys,
        hashing: Hashing,
        scrutiny: Scrutiny,
        *,
        ending: Ending,
        default_level: int,
        health: Health,
        clock: Callable[[], float] = time.time,
        held: Held | None = None,
    ) -> None:
        self._directory, self._store, self._keys, self._hashing = directory, store, keys, hashing
        self._scrutiny, self._ending, self._held = scrutiny, ending, held or Held(lambda: None)
        self._unknown_schemes: set[str] = set()
        self._default_level, self._health, self._clock = default_level, health, clock

    def at_once(self, login: str, request: Request) -> Yes | None:
        """Yes, where it takes no hash, no look-up and no write; None: `judge` has to find out."""
        facts = self._held.get(login, request)
        step = decide(request, facts, int(self._clock())) if facts is not None else None
        if not isinstance(step, Yes) or step.touch is not None:
            return None
        self._scrutiny.keep(step.person.account, request, step)
        return step

    async def judge(self, login: str, request: Request, wanted: Callable[[], bool]) -> Verdict:
        """Yes, No or Later; never an exception, never after more than ANSWER_SECONDS.

        `wanted` tells whether anybody still waits: no code is spent for somebody who has gone.
        """
        return await self._answered(self._judge(login, request, wanted))

    async def look_on(self, login: str, request: Request) -> Verdict:
        """What `judge` would say: nothing is spent, counted, remembered or written down, nobody is told.

        Later, where only the validation servers of a token could know: they are not asked.
        """
        return await self._answered(self._look_on(login, request))

    async def _answered(self, work: Awaitable[Verdict]) -> Verdict:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await work
        except TimeoutError:
            return Later("no verdict in time")
        except KeyTrouble as error:
            self._health.trouble("key", str(error))
            return Later("key")
        except DatabaseDown as error:
            self._health.trouble("database", str(error))
            return Later("database")
        except Overload:
            return Later("all hash threads are busy")
        except UnknownScheme as error:
            self._tell(str(error))
            return Later("password scheme")
        except Exception:
            logger.error("login failed unexpectedly", exc_info=True)
            return Later("internal")

    async def _judge(self, login: str, request: Request, wanted: Callable[[], bool]) -> Verdict:
        address, version = folded(login), self._held.now()
        facts = await self._facts(address, request)
        self._held.put(login, request, facts, version)
        account = facts.person.account if facts.person else NO_ACCOUNT
        step = decide(request, facts, int(self._clock()))
        if isinstance(step, Hash):
            tried = await self._scrutiny.look(address or login, account, request, step)
            verdict = await self._work(tried, wanted)
        else:
            verdict = step
        await self._ending.touch(verdict)
        if account != NO_ACCOUNT:
            self._scrutiny.keep(account, request, verdict)
        return verdict

    async def _look_on(self, login: str, request: Request) -> Verdict:
        step = decide(request, await self._facts(folded(login), request), int(self._clock()))
        if not isinstance(step, Hash):
            return step
        stored = self._directory.nobody() if step.stored is None else step.stored
        right = await self._hashing.fits(stored, step.secret, lane=Lane.FAILED, lets_in=False)
        match step.right if right else step.wrong:
            case Spend(done=done) | Recover(done=done):
                return done
            case Ask():
                return Later("only the validation servers know")
            case end:
                return end

    async def _work(self, tried: Try, wanted: Callable[[], bool]) -> Verdict:
        """One slow hash, unless the limits refuse: then the same answer after the same time."""
        if (refusal := self._scrutiny.refusal(tried)) is not None:
            await self._hashing.pretend()
            return refusal
        step, lane = tried.step, self._scrutiny.lane(tried)
        stored = self._directory.nobody() if step.stored is None else step.stored
        allowed: Callable[[], bool] = lambda: self._scrutiny.refusal(tried) is None  # noqa: E731
        lets_in = not isinstance(step.right, No)
        right = await self._hashing.fits(stored, step.secret, lane=lane, allowed=allowed, lets_in=lets_in)
        if right is None:
            return self._scrutiny.refusal(tried) or Later("limits changed meanwhile")
        verdict = await self._end(tried, right, wanted)
        self._scrutiny.settle(tried, verdict)
        if isinstance(verdict, Yes):
            self._ending.renew(verdict, step)
        return verdict

    async def _end(self, tried: Try, right: bool, wanted: Callable[[], bool]) -> Verdict:
        if not right:
            return tried.step.wrong
        if not isinstance(tried.step.right, Yes | No):
            tried = await self._scrutiny.still(tried)
        return await self._ending.end(tried.step.right, wanted)

    def _tell(self, scheme: str) -> None:
        """Once for each scheme: a directory may hold it ten thousand times."""
        if scheme not in self._unknown_schemes and len(self._unknown_schemes) < SCHEMES_MOST:
            self._unknown_schemes.add(scheme)
            logger.warning("password scheme %s is not known to this release: such logins are told to try later", scheme)

    async def facts(self, address: str) -> Facts:
        """What is known about an account, whatever is typed. DatabaseDown, KeyTrouble."""
        return await self._facts(address, Request("", frozenset(), ""))

    async def _facts(self, address: str, request: Request) -> Facts:
        """The same look-ups whether the account exists or not."""
        ring = self._keys.ring()
        found = await self._directory.login(address)
        account = found.person.account if found else NO_ACCOUNT
        sign_in = await self._store.sign_in(account, request.field, ring)
        return Facts(
            person=found.person if found else None,
            stored=found.stored if found else None,
            level=self._default_level if sign_in.level is None else sign_in.level,
            tokens=sign_in.tokens,
            app_password=sign_in.app_password,
            pin=sign_in.pin,
            recovery=sign_in.recovery,
            ticket=sign_in.ticket,
        )


def folded(login: str) -> str:
    """The address that was meant; empty where it is none."""
    try:
        return fold(login)
    except BadAddress:
        return ""
