"""May this one log in? Pure: what was asked, what is known, what time it is.

    decide(request, facts, now) -> Yes | No | Later
                                 | Hash(secret, stored, right, wrong)    one slow hash, then `right` or `wrong`;
                                                                         `right` may be a Spend: compare and set
                                                                         the token's step, then Yes

The decision does no work itself; it says which work is left, and that work ends it. So "exactly one slow hash"
can be read off the types: every refusal that depends on the account is one Hash. The answer on the wire is the
same for all of them; `Why` is for the log.

Order of the two factors: the code is compared first, without writing anything; then the password is hashed; then
the code is spent. So a stranger cannot use up a code, and a right code with a wrong password stays usable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from authd.methods import KINDS, Match, Token
from authd.methods.app_password import AppPassword
from outrider.addresses import Person
from outrider.directory import Stored

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


class Why(StrEnum):
    """Why not, for the operator's log; nobody else sees it."""

    SERVICE = "service-not-offered"
    FIELD = "field-malformed"
    NOBODY = "no-such-account"
    DISABLED = "account-disabled"
    ENDED = "account-ended"
    CLOSED = "level-forbids"
    APP_WANTED = "needs-app-password"
    APP_PASSWORD = "app-password-not-valid-here"  # noqa: S105 - the name of a reason
    NOTHING = "nothing-right"
    SECRET_ONLY = "code-wrong"  # noqa: S105
    CODE_ONLY = "secret-wrong"
    SPENT = "code-used"
    LOCKED = "token-locked"
    CODES_CLOSED = "codes-closed"
    LIMITED = "too-many-failures"
    CODES_LIMITED = "too-many-codes"


class Password(StrEnum):
    """What the account's own password is good for at a service."""

    WHOLE = "the field is the password"
    WITH_CODE = "the field is the password and a code"
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


@dataclass(frozen=True, slots=True)
class Request:
    """One login as it came in."""

    service: str
    """The client's own word."""
    offered: frozenset[str]
    """Our names of the services that this listener may ask for."""
    field: str = field(repr=False)
    """What was typed as password."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the account that the login names."""

    person: Person | None = None
    stored: Stored | None = field(default=None, repr=False)
    """The directory's password hash, or who can check it."""
    level: int = 0
    tokens: tuple[Token, ...] = ()
    """Active ones only."""
    app_password: AppPassword | None = None
    """The row that the field's prefix has found, whoever owns it."""


@dataclass(frozen=True, slots=True)
class Yes:
    person: Person
    by: str
    """What let him in, for the log: `password`, `token 7`, `app-password 3`."""


@dataclass(frozen=True, slots=True)
class No:
    why: Why
    account: int | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Nobody could find out; the reason is for the operator."""

    reason: str


@dataclass(frozen=True, slots=True)
class Spend:
    """The last step: set the token's `last` to this step if it is still below."""

    match: Match
    done: Yes
    lost: No


@dataclass(frozen=True, slots=True)
class Hash:
    """One slow hash: of `secret` against `stored`; where `stored` is None the same work, which is never right."""

    secret: str = field(repr=False)
    stored: Stored | None = field(repr=False)
    right: Yes | Spend | No
    wrong: No


Verdict = Yes | No | Later
Step = Verdict | Hash


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
            return with_code(request, person, facts, now)


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
    if door.app_passwords and alive and service in key.scopes:
        return Yes(person, f"app-password {key.id}")
    return in_vain(request, No(Why.APP_PASSWORD, person.account))


def with_code(request: Request, person: Person, facts: Facts, now: int) -> Hash | Later:
    """Split the field by the shapes of the account's own tokens, longest code first.

    Two tokens whose codes differ in length and are both right happen once in a million logins; the longer one
    counts, so that there is one hash and no second guess.
    """
    shaped = list(by_suffix(facts.tokens, request.field))
    hits = [hit for token, code in shaped if (hit := KINDS[token.kind].match(token, code, now)) is not None]
    if not hits and any(token.secret is None or token.kind not in KINDS for token in facts.tokens):
        return Later("a token of the account cannot be opened")
    nothing = No(Why.NOTHING, person.account)
    if not shaped:
        return in_vain(request, nothing)
    if not hits:
        # The hash tells only a password holder's failure from a stranger's; it lets nobody in.
        secret = request.field[: -len(shaped[0][1])]
        return Hash(secret, facts.stored, No(Why.SECRET_ONLY, person.account), nothing)
    hit = hits[0]
    secret = request.field[: -len(next(code for token, code in shaped if token is hit.token))]
    spend = Spend(hit, Yes(person, f"token {hit.token.id}"), No(Why.SPENT, person.account))
    return Hash(secret, facts.stored, spend, No(Why.CODE_ONLY, person.account))


def by_suffix(tokens: Iterable[Token], text: str) -> Iterable[tuple[Token, str]]:
    """Tokens whose code could end the field, behind a secret that is not empty; longest code first."""
    fitting = [(token, KINDS[token.kind].suffix(token, text)) for token in tokens if token.kind in KINDS]
    long_enough = [(token, length) for token, length in fitting if length is not None and length < len(text)]
    for token, length in sorted(long_enough, key=lambda pair: -pair[1]):
        yield token, text[-length:]
