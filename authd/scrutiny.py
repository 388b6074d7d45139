"""What stands between a login and its hash, and what it leaves behind: limits, guards, notices, audit rows.

    look      before the work: what is known against this account and network; a locked token lets nobody in
    refusal   not judged at all: the answer is a wrong password's, or "later"
    settle    after the work: count the failure or the login, tell the owner, write the audit row

`authd.limits` and `authd.guards` decide; this brings them what they need.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from authd.audit_store import Audit
from authd.decide import SERVICES, Hash, Later, No, Request, Verdict, Why, Yes
from authd.guards import CLOSE_AFTER, LOCK_AFTER, NOTICE_AFTER, Guard, GuardStore, fingerprint, guarded, token_of
from authd.ledger import Ledger
from authd.limits import Attempt, Class, Lane, Limits, Refusal, Standing, class_of, digest
from authd.origin import network_of

WITH_CODE = frozenset({Why.SECRET_ONLY, Why.SPENT, Why.LOCKED, Why.CODES_CLOSED})
TOO_MANY = "too many failures at this account"


@dataclass(frozen=True, slots=True)
class Try:
    """A login that would cost a slow hash."""

    attempt: Attempt
    account: int
    step: Hash
    """With locked tokens and closed codes in it."""
    plain: Hash
    """As it was decided."""
    guard: Guard


class Scrutiny:
    """`clock` is the time of day, `monotonic` one that never jumps."""

    def __init__(
        self,
        guards: GuardStore,
        ledger: Ledger,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.limits = Limits()
        self._guards, self._ledger = guards, ledger
        self._clock, self._monotonic, self._key = clock, monotonic, random(32)

    async def look(self, login: str, account: int, request: Request, step: Hash) -> Try:
        """The same look-up for whoever does not exist. DatabaseDown."""
        network = network_of(request.address)
        guard = await self._guards.read(account, network, self._now())
        attempt = Attempt(
            who=digest(login, 8, self._key),
            network=network,
            service=SERVICES.get(request.service, ""),
            tag=int.from_bytes(digest(request.field, 2, self._key)),
            known=guard.known,
            with_code=asks_for_code(step),
        )
        return Try(attempt, account, self._with_locks(account, step, guard), step, guard)

    def refusal(self, tried: Try) -> No | Later | None:
        """Why this is not judged, or None."""
        match self.limits.refused(tried.attempt, self._monotonic()):
            case None:
                return None
            case Refusal.ACCOUNT:
                return Later(TOO_MANY)
            case Refusal.CODES:
                return No(Why.CODES_LIMITED, tried.account or None)
            case Refusal.NETWORK | Refusal.PAIR:
                return No(Why.LIMITED, tried.account or None)

    def lane(self, tried: Try) -> Lane:
        return self.limits.lane(tried.attempt, self._monotonic())

    async def still(self, tried: Try) -> Try:
        """Look again before a code is spent: while one hash was computed others may have locked the token."""
        guard = await self._guards.read(tried.account, tried.attempt.network, self._now())
        step = self._with_locks(tried.account, tried.plain, guard)
        return Try(tried.attempt, tried.account, step, tried.plain, guard)

    def settle(self, tried: Try, verdict: Verdict) -> None:
        """Count what was judged."""
        match verdict:
            case Yes():
                self.limits.succeeded(tried.attempt)
                token, guard = token_of(tried.plain), self._ledger.over(tried.account, tried.guard)
                if token is not None and (guard.wrong.get(token) or guard.codes.in_a_row):
                    self._ledger.right(tried.account, token)
            case No(why=Why.SPENT):
                return  # one code sent twice: no guess
            case No(why=why):
                if self.limits.failed(tried.attempt, class_of(why), self._monotonic()):
                    self._count(tried, why)
                self._tell(tried, why)
            case Later():
                return

    def keep(self, account: int, request: Request, verdict: Verdict) -> None:
        """The audit row, and the network from which somebody got in."""
        network = network_of(request.address)
        match verdict:
            case Yes(by=by):
                self._ledger.seen(account, network)
                result, credential, why, kind = "yes", by, "", Class.NONE
            case No(why=reason):
                result, credential, why, kind = "no", "-", str(reason), class_of(reason)
            case Later(reason=text):
                result, credential, why, kind = "later", "-", text, Class.NONE
        service = SERVICES.get(request.service, "-")
        alike = (account, service, network or "-", credential, result, kind.value, why)
        if not self._ledger.again(alike):
            self._ledger.audit(Audit(account, self._now(), *alike[1:]))

    def standing(self, login: str) -> Standing:
        """What holds against an account now."""
        return self.limits.standing(digest(login, 8, self._key), self._monotonic())

    def forget(self, login: str, account: int) -> None:
        """An operator has opened the account's locks."""
        self.limits.forget(digest(login, 8, self._key))
        self._ledger.forget(account)

    def _count(self, tried: Try, why: Why) -> None:
        match why:
            case Why.CODE_ONLY if (token := token_of(tried.plain)) is not None:
                self._ledger.wrong_secret(tried.account, token)
            case Why.SECRET_ONLY:
                self._ledger.wrong_code(tried.account, fingerprint(tried.plain.stored))

    def _tell(self, tried: Try, why: Why) -> None:
        """What the owner has to know; the ledger sees to it that he hears it once a day."""
        account, token = tried.account, token_of(tried.plain)
        guard = self._ledger.over(account, tried.guard)
        codes = guard.counts(fingerprint(tried.plain.stored), self._now())
        if why is Why.APP_WANTED:
            self._ledger.notice(account, "password-needs-app-password", tried.attempt.service)
        elif token is not None and why in {Why.CODE_ONLY, Why.LOCKED} and guard.wrong.get(token, 0) >= LOCK_AFTER:
            self._ledger.notice(account, "token-locked", str(token))
        elif why in {Why.SECRET_ONLY, Why.CODES_CLOSED} and codes.total >= CLOSE_AFTER:
            self._ledger.notice(account, "codes-closed", "")
        elif why is Why.SECRET_ONLY and codes.in_a_row >= NOTICE_AFTER:
            self._ledger.notice(account, "codes-wrong", "")

    def _with_locks(self, account: int, step: Hash, guard: Guard) -> Hash:
        return guarded(step, self._ledger.over(account, guard), self._now())

    def _now(self) -> int:
        return int(self._clock())


def asks_for_code(step: Hash) -> bool:
    """Whether the right secret alone would not let in, but for a code."""
    match step.right:
        case Yes():
            return False
        case No(why=why):
            return why in WITH_CODE
        case _:
            return True
