"""May this one log in? Pure: what was asked, what is known, what time it is.

    decide(request, facts, now) -> Yes | No | Later
                                 | Hash(secret, stored, right, wrong)    one slow hash, then `right` or `wrong`;
                                                                         `right` may name work that is left

The decision does no work itself; it says which work is left, and that work ends it. So "exactly one slow hash"
can be read off the types: every refusal that depends on the account is one Hash. The answer on the wire is the
same for all of them; `Why` is for the log.

Order of the two factors: the code is compared first, without writing anything; then the secret is hashed; then
the code is spent. So a stranger cannot use up a code, and a right code with a wrong secret stays usable. A code
that only somebody else can verify is asked about last, when the secret was right: nobody else hears of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from authd.methods import KINDS, NAMES, REMOTE, Token, recovery
from authd.methods.app_password import NOTED_SECONDS, AppPassword
from authd.methods.ticket import NOTED_SECONDS as TICKET_NOTED_SECONDS
from authd.methods.ticket import Ticket
from authd.networks import within
from authd.verdict import Ask, Facts, Hash, Later, No, Recover, Request, Spend, Step, Touch, Verdict, Why, Yes
from outrider.addresses import Person

__all__ = [
    "FIELD_LIMIT",
    "SERVICES",
    "Ask",
    "Facts",
    "Hash",
    "Later",
    "No",
    "Recover",
    "Request",
    "Spend",
    "Step",
    "Touch",
    "Verdict",
    "Why",
    "Yes",
    "decide",
]

FIELD_LIMIT = 1024
"""Bytes of the password field: a password and a code are far below; argon2 is not fed with more."""

SERVICES = {
    "imap": "imap",
    "pop3": "pop3",
    "sieve": "sieve",
    "submission": "smtp",
    "smtps": "smtp",
    "smtp": "smtp",
    "radicale": "dav",
    "web": "web",
}
"""What clients call themselves, and our name for it. Everything else is refused, also no name at all."""


class Password(StrEnum):
    """What the account's own password is good for at a service."""

    WHOLE = "the field is the password"
    WITH_CODE = "the field is the password (or PIN) and a code"
    NEVER = "it is refused"


@dataclass(frozen=True, slots=True)
class Door:
    """How one service lets people in at one level."""

    password: Password
    app_passwords: bool


WEB = (Door(Password.WHOLE, False), *[Door(Password.WITH_CODE, False)] * 4)
PROGRAMS = (
    Door(Password.WHOLE, True),  # 0: no second factor
    Door(Password.WHOLE, True),  # 1: second factor on the web only
    Door(Password.NEVER, False),  # 2: the web only
    Door(Password.NEVER, True),  # 3: programs use app passwords (the default)
    Door(Password.WITH_CODE, True),  # 4: or the password with a code
)
"""By level; see docs/authd.md."""


def decide(request: Request, facts: Facts, now: int) -> Step:
    """What to do about this login at `now` (seconds since 1970)."""
    service = SERVICES.get(request.service)
    if service is None or service not in request.offered:
        return No(Why.SERVICE)
    if not well_formed(request.field):
        return No(Why.FIELD)
    person = facts.person
    if person is None:
        return in_vain(request, No(Why.NOBODY))
    if person.ended:
        return in_vain(request, No(Why.ENDED, person.account))
    if not person.enabled:
        return in_vain(request, No(Why.DISABLED, person.account))
    if (ticket := facts.ticket) is not None and ticket.account == person.account and ticket.opens(request.field):
        return with_ticket(request, person, ticket, service=service, now=now)
    door = door_of(service, facts)
    if (key := facts.app_password) is not None and key.account == person.account and key.opens(request.field):
        return with_app_password(request, person, key, door=door, service=service, now=now)
    match door.password:
        case Password.NEVER:
            # The hash lets nobody in: it tells the owner, who has to be told why, from a stranger.
            shut = No(Why.APP_WANTED if door.app_passwords else Why.CLOSED, person.account)
            return Hash(request.field, facts.stored, shut, No(Why.NOTHING, person.account))
        case Password.WHOLE:
            nothing = No(Why.NOTHING, person.account)
            return Hash(request.field, facts.stored, Yes(person, "password"), nothing)
        case Password.WITH_CODE:
            return with_code(request, person, facts, service=service, now=now)


def well_formed(text: str) -> bool:
    """Says nothing about any account, so it needs no hash: an endless field is refused at once."""
    return 0 < len(text) <= FIELD_LIMIT and len(text.encode("utf-8", "replace")) <= FIELD_LIMIT and "\0" not in text


def door_of(service: str, facts: Facts) -> Door:
    """An account without an active token counts as level 0: nothing could be asked of it."""
    level = facts.level if facts.tokens else 0
    return (WEB if service == "web" else PROGRAMS)[level]


def in_vain(request: Request, answer: No) -> Hash:
    """A refusal that is certain, with the work of an uncertain one."""
    return Hash(request.field, None, answer, answer)


def with_app_password(
    request: Request, person: Person, key: AppPassword, *, door: Door, service: str, now: int
) -> Yes | Hash:
    """Its secret is right; is it good here and now?"""
    alive = key.revoked is None and (key.expires is None or now < key.expires)
    here = not key.networks or within(request.address, key.networks)
    if door.app_passwords and alive and here and service in key.scopes:
        due = key.used is None or now >= key.used + NOTED_SECONDS
        return Yes(person, f"app-password {key.id}", Touch("app_password", key.id) if due else None)
    return in_vain(request, No(Why.APP_PASSWORD, person.account))


def with_ticket(request: Request, person: Person, ticket: Ticket, *, service: str, now: int) -> Yes | Hash:
    """Its secret is right; is it good here and now? At every level: its user has logged in with a code."""
    if ticket.good(service, request.peer or request.address, now):
        due = now >= ticket.used + TICKET_NOTED_SECONDS
        return Yes(person, f"ticket {ticket.id}", Touch("ticket", ticket.id) if due else None)
    return in_vain(request, No(Why.TICKET, person.account))


Hit = Spend | Recover | Ask


def with_code(request: Request, person: Person, facts: Facts, *, service: str, now: int) -> Hash | Later:
    """Split the field by the shapes of the account's own tokens, longest code first.

    Two tokens whose codes differ in length and are both right happen once in a million logins; the longer one
    counts, so that there is one hash and no second guess.
    """
    stored = facts.stored if facts.pin is None else facts.pin
    field, nothing = request.field, No(Why.NOTHING, person.account)
    shaped = sorted(codes(field, facts, service), key=lambda pair: -len(pair[1]))
    for token, code in shaped:
        hit = recovered(facts, person) if token is None else hit_of(token, code, person, now)
        if hit is not None:
            # Whether an asked code is right nobody knows yet, so a wrong secret beside it is a stranger's failure.
            wrong = nothing if isinstance(hit, Ask) else No(Why.CODE_ONLY, person.account)
            return Hash(field[: -len(code)], stored, hit, wrong)
    if any(token.secret is None or token.kind not in NAMES for token in facts.tokens):
        return Later("a token of the account cannot be opened")
    if not shaped:
        return in_vain(request, nothing)
    # The hash tells only a secret's holder's failure from a stranger's; it lets nobody in. A code that was good just
    # now is no guess: a program has sent it over several connections at once.
    spent = any(was_good(token, code, now) for token, code in shaped if token is not None)
    why = Why.SPENT if spent else Why.SECRET_ONLY
    return Hash(field[: -len(shaped[0][1])], stored, No(why, person.account), nothing)


def codes(field: str, facts: Facts, service: str) -> Iterator[tuple[Token | None, str]]:
    """What could be a code at the end of the field, behind a secret that is not empty; a recovery code has no token."""
    for token in facts.tokens:
        method = KINDS.get(token.kind) or REMOTE.get(token.kind)
        length = method.suffix(token, field) if method is not None else None
        if length is not None and length < len(field):
            yield token, field[-length:]
    if service == "web" and (code := recovery.suffix(field)) is not None:
        yield None, code


def hit_of(token: Token, code: str, person: Person, now: int) -> Hit | None:
    """What is left to do with a code that is right, or that only somebody else can verify."""
    done, lost = Yes(person, f"token {token.id}"), No(Why.SPENT, person.account)
    if (remote := REMOTE.get(token.kind)) is not None:
        otp = remote.addressed(token, code)
        return Ask(token, otp, done, No(Why.SECRET_ONLY, person.account), lost) if otp is not None else None
    match = KINDS[token.kind].match(token, code, now)
    return Spend(match, done, lost) if match is not None else None


def was_good(token: Token, code: str, now: int) -> bool:
    """Whether this is the code that was accepted last, or one of the two before it."""
    method = KINDS.get(token.kind)
    return method is not None and method.match(replace(token, last=token.last - 3), code, now) is not None


def recovered(facts: Facts, person: Person) -> Hit | None:
    """The recovery code that the field ends with, if it is the account's and was never used."""
    if facts.recovery is None or facts.recovery.used:
        return None
    done = Yes(person, f"recovery-code {facts.recovery.id}")
    return Recover(facts.recovery, done, No(Why.SPENT, person.account))
