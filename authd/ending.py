"""The work that is left of a login when its secret was right: each ends in a verdict.

    Spend      compare and set the token's step
    Recover    compare and set the recovery code
    Ask        ask the validation servers, compare and set the counters that they have said

The counters of a code that servers call good are compared with the last ones too: one that was set back lets nobody in.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from authd.cloud import Cloud
from authd.methods import Match
from authd.methods.yubicloud import Outcome
from authd.renewals import Renewals
from authd.store import Store
from authd.verdict import Ask, Hash, Later, No, Recover, Spend, Verdict, Yes
from outrider.db import DatabaseDown

logger = logging.getLogger(__name__)


class Ending:
    """Errors: DatabaseDown, where nobody knows whether a code was spent."""

    def __init__(self, store: Store, cloud: Cloud, renewals: Renewals, *, clock: Callable[[], float]) -> None:
        self._store, self._cloud, self._renewals, self._clock = store, cloud, renewals, clock

    async def end(self, left: Yes | Spend | Recover | Ask | No, wanted: Callable[[], bool]) -> Verdict:
        """`wanted` tells whether anybody still waits: nothing is spent for somebody who has gone."""
        match left:
            case Yes() | No():
                return left
            case _ if not wanted():
                return Later("nobody waits for the answer")
            case Spend(match=match, done=done, lost=lost):
                return done if await self._store.spend(match) else lost
            case Recover(code=code, done=done, lost=lost):
                return done if await self._store.recover(code, int(self._clock())) else lost
            case Ask():
                return await self._ask(left)

    async def _ask(self, ask: Ask) -> Verdict:
        answer = await self._cloud.ask(ask.otp)
        match answer.outcome:
            case Outcome.GOOD:
                assert answer.step is not None
                if await self._store.spend(Match(ask.token, answer.step, 0)):
                    return ask.done
                logger.error(
                    "trouble=token token=%d: the validation server's counters are not above ours", ask.token.id
                )
                return ask.lost
            case Outcome.BAD:
                return ask.wrong
            case Outcome.REPLAYED:
                return ask.lost
            case Outcome.SEEN | Outcome.BUSY | Outcome.MISCONFIGURED | Outcome.UNBELIEVABLE:
                return Later("validation servers")

    async def touch(self, verdict: Verdict) -> None:
        """Write down the credential's last use; a login does not fail for that."""
        if isinstance(verdict, Yes) and verdict.touch is not None:
            with contextlib.suppress(DatabaseDown):
                await self._store.touch(verdict.touch, int(self._clock()))

    def renew(self, verdict: Yes, step: Hash) -> None:
        """This secret has let in: if its hash is an old one, it is stored anew."""
        self._renewals.begin(verdict.person.account, step.stored, step.secret)
