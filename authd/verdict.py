"""What a decision is about and what it says: plain data, in the order of its life.

Request, Facts -> decide -> Yes | No | Later | Hash
Hash           -> one slow hash -> `right` or `wrong`
right          -> Yes, No, or the work that is left:
                  Spend     compare and set a token's step
                  Recover   compare and set a recovery code
                  Ask       a validation server, then compare and set
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from authd.methods import Match, Token
from authd.methods.app_password import AppPassword
from authd.methods.recovery import RecoveryCode
from authd.methods.ticket import Ticket
from outrider.addresses import Person
from outrider.directory import Stored


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
    TICKET = "ticket-not-valid-here"
    NOTHING = "nothing-right"
    SECRET_ONLY = "code-wrong"  # noqa: S105
    CODE_ONLY = "secret-wrong"
    SPENT = "code-used"
    LOCKED = "token-locked"
    CODES_CLOSED = "codes-closed"
    LIMITED = "too-many-failures"
    CODES_LIMITED = "too-many-codes"


@dataclass(frozen=True, slots=True)
class Request:
    """One login as it came in."""

    service: str
    """The client's own word."""
    offered: frozenset[str]
    """Our names of the services that this listener may ask for."""
    field: str = field(repr=False)
    """What was typed as password."""
    address: str = ""
    """The user's address; empty: not told, or not to be believed."""
    peer: str = ""
    """Who has connected for the user, where that is somebody else (a webmail)."""


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
    pin: str | None = field(default=None, repr=False)
    """The hash of what this owner types before a code instead of the password."""
    recovery: RecoveryCode | None = None
    """The account's row that the end of the field has found."""
    ticket: Ticket | None = None
    """The row that the field's prefix has found, whoever owns it."""


@dataclass(frozen=True, slots=True)
class Touch:
    """The credential's last use is to be written down, if that fails nobody minds."""

    table: str
    id: int


@dataclass(frozen=True, slots=True)
class Yes:
    person: Person
    by: str
    """What let him in, for the log: `password`, `token 7`, `app-password 3`."""
    touch: Touch | None = None


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
class Recover:
    """The last step: set the recovery code's `used_at` if it is still empty."""

    code: RecoveryCode
    done: Yes
    lost: No


@dataclass(frozen=True, slots=True)
class Ask:
    """The last steps: burn the code, ask who can verify it, then set the token's `last` if it is still below."""

    token: Token
    otp: str = field(repr=False)
    done: Yes
    wrong: No
    lost: No
    """The code was used before, here or there."""


@dataclass(frozen=True, slots=True)
class Hash:
    """One slow hash: of `secret` against `stored`; where `stored` is None the same work, which is never right."""

    secret: str = field(repr=False)
    stored: Stored | None = field(repr=False)
    right: Yes | Spend | Recover | Ask | No
    wrong: No


Verdict = Yes | No | Later
Step = Verdict | Hash
