"""From a request to the bytes of its answer: fetch the facts, ask `decide`, count, and log every refusal.

    DelegationDesk   policy delegation: one Request, one action
    SocketmapDesk    the maps `domains`, `recipients` and `senders`

Trouble with the directory is an answer too (451, TEMP), and so is lateness (`late`).
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from prometheus_client import Counter

from outrider.addresses import (
    BadAddress,
    Resolution,
    TryLater,
    domain_of,
    fold,
    fold_domain,
    owners,
    resolve,
)
from outrider.admin import Health
from outrider.db import DatabaseDown
from outrider.directory import Directory, DomainKind
from policy import decide
from policy.decide import Judgement, SenderFacts, Verdict, Way
from policy.protocol.delegation import Request, encode_answer
from policy.protocol.socketmap import Lookup, Reply, encode_reply

logger = logging.getLogger(__name__)

REQUESTS = Counter("outrider_policy_requests", "Policy requests by way in and verdict.", ("way", "verdict"))
LOOKUPS = Counter("outrider_policy_lookups", "Socketmap look-ups by map and reply.", ("map", "reply"))

DIRECTORY = "directory"  # the key of our trouble in /healthz
# Postfix's instance is "pid.time.microseconds.count", under 40 characters (smtpd_check.c); others' are cut.
INSTANCE_CHARACTERS = 64

Fact = TypeVar("Fact")


class Facts:
    """What the desks ask the directory; /healthz shows whether it answers."""

    def __init__(self, directory: Directory, health: Health, now: Callable[[], int]) -> None:
        """`now` gives seconds since 1970: aliases expire by it at every single answer."""
        self._directory = directory
        self._health = health
        self._now = now

    async def resolve(self, address: str) -> Resolution:
        return self._noted(await resolve(self._directory, address, self._now()))

    async def owners(self, address: str) -> tuple[str, ...] | TryLater:
        return self._noted(await owners(self._directory, address, self._now()))

    async def domain(self, name: str) -> DomainKind | TryLater | None:
        """What kind of domain of ours a name is, however it is spelled."""
        try:
            return self._noted(await self._directory.domain(fold_domain(name)))
        except BadAddress:
            return None
        except DatabaseDown as error:
            return self._noted(TryLater(str(error)))

    async def domain_of(self, address: str) -> DomainKind | TryLater | None:
        """The same for the domain of an address."""
        try:
            return await self.domain(domain_of(fold(address)))
        except BadAddress:
            return None

    async def account(self, login: str) -> str:
        """The number of an account for the log; `-` if there is none or nobody can tell."""
        try:
            person = await self._directory.person(fold(login))
        except (BadAddress, DatabaseDown):
            return "-"
        return str(person.account) if person is not None else "-"

    async def look(self) -> None:
        """Ask for the sake of /healthz: a name that is nobody's (RFC 6761, 6.4)."""
        await self.domain("watch.invalid")

    def late(self) -> None:
        """Note that the directory did not answer within the deadline."""
        self._health.trouble(DIRECTORY, "the directory did not answer in time")

    def _noted(self, fact: Fact) -> Fact:
        if isinstance(fact, TryLater):
            self._health.trouble(DIRECTORY, fact.reason)
        else:
            self._health.well(DIRECTORY)
        return fact


class DelegationDesk:
    """Answers policy requests."""

    name = "delegation"

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    async def answer(self, question: Request) -> bytes:
        """The action, counted; a refusal is logged with account, verdict and instance, never an address."""
        way = decide.way(question)
        judgement = await self._judgement(way, question)
        if judgement.verdict not in (Verdict.PASS, Verdict.LATER):
            account = await self._facts.account(question.sasl_username) if question.sasl_username else "-"
            _log_refusal(way, judgement, account, question)
        return _counted(way, judgement)

    def late(self, question: Request) -> bytes:
        """The action for a request whose facts did not come in time."""
        self._facts.late()
        return _counted(decide.way(question), decide.LATE)

    def failed(self, question: Request) -> bytes:
        """The action after a fault of ours."""
        return _counted(decide.way(question), decide.LATER)

    async def _judgement(self, way: Way, request: Request) -> Judgement:
        match way:
            case Way.ELSEWHERE:
                return decide.PASSED
            case Way.SUBMISSION:
                return decide.judge_submission(request, await self._submission(request))
            case Way.INBOUND:
                return await self._inbound(request)

    async def _submission(self, request: Request) -> SenderFacts | TryLater:
        """Who owns MAIL FROM; its domain is looked up only if it is not the login's own."""
        if not request.sender or not request.sasl_username:
            return SenderFacts()
        logins = await self._facts.owners(request.sender)
        if isinstance(logins, TryLater):
            return logins
        if logins:
            return SenderFacts(logins)
        kind = await self._facts.domain_of(request.sender)
        return kind if isinstance(kind, TryLater) else SenderFacts(disposable=kind == "disposable")

    async def _inbound(self, request: Request) -> Judgement:
        if not request.sender:
            return decide.PASSED
        kind = await self._facts.domain_of(request.sender)
        to = await self._facts.domain_of(request.recipient)
        if isinstance(kind, TryLater) or isinstance(to, TryLater):
            return decide.LATER
        return decide.judge_inbound(request, disposable_sender=kind == "disposable", opaque_recipient=to == "opaque")


class SocketmapDesk:
    """Answers look-ups."""

    name = "socketmap"

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    async def answer(self, question: Lookup) -> bytes:
        """The reply, counted."""
        match question.map:
            case "domains":
                reply: Reply = decide.domain_reply(await self._facts.domain(question.key))
            case "recipients":
                reply = decide.recipient_reply(await self._facts.resolve(question.key))
            case "senders":
                reply = decide.sender_reply(await self._facts.owners(question.key))
            case _:
                reply = decide.NO_SUCH_MAP
        return _replied(question.map, reply)

    def late(self, question: Lookup) -> bytes:
        """The reply to a look-up whose facts did not come in time."""
        self._facts.late()
        return _replied(question.map, decide.TOO_LATE)

    def failed(self, question: Lookup) -> bytes:
        """The reply after a fault of ours."""
        return _replied(question.map, decide.UNREADABLE)


@cache
def labelled(counter: Counter, *labels: str) -> Counter:
    """The counter of these labels, found once: the library's own search costs as much as a look-up."""
    return counter.labels(*labels)


def _counted(way: Way, judgement: Judgement) -> bytes:
    labelled(REQUESTS, way.value, judgement.verdict.value).inc()
    return encode_answer(judgement.action)


def _replied(map_name: str, reply: Reply) -> bytes:
    # A peer's words never become labels: their number would grow without end.
    known = map_name if map_name in decide.MAPS else "unknown"
    labelled(LOOKUPS, known, type(reply).__name__.lower()).inc()
    return encode_reply(reply)


def _log_refusal(way: Way, judgement: Judgement, account: str, request: Request) -> None:
    instance = request.instance[:INSTANCE_CHARACTERS] if request.instance.isascii() else ""
    logger.info(
        "refused way=%s account=%s verdict=%s instance=%s",
        way.value,
        account,
        judgement.verdict.value,
        instance or "-",
    )
