"""What a login needs from the database: one query for the facts, one statement to spend a code."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from authd.methods import Match, Token, app_password, recovery, ticket
from authd.methods.app_password import AppPassword
from authd.methods.recovery import RecoveryCode
from authd.methods.ticket import Ticket
from authd.networks import networks
from authd.verdict import Touch
from outrider.db import Database
from outrider.sealed import Keyring, KeyTrouble

logger = logging.getLogger(__name__)

# A ticket ends with the first event after it that takes an account's logins away or makes them anew.
FACTS = """
SELECT s.level, n.pin,
       t.id, t.kind, t.secret, t.extra, t.public_id, t.algorithm, t.digits, t.period, t.last, t.drift, t.base,
       p.id, p.digest, p.scopes, p.expires, p.revoked, p.networks, p.used,
       r.id, r.used_at,
       k.id, k.digest, k.services, k.peers, k.created, k.used,
       CASE WHEN k.id IS NULL THEN 0 ELSE (SELECT COUNT(*) FROM account_event e WHERE e.account_id = a.id
         AND e.id > k.event AND e.kind IN ('ended', 'disabled', 'password')) END
FROM account a
LEFT JOIN sign_in s ON s.account_id = a.id
LEFT JOIN token_pin n ON n.account_id = a.id
LEFT JOIN token t ON t.account_id = a.id AND t.state = 'active'
LEFT JOIN app_password p ON p.account_id = a.id AND p.prefix = :app_password
LEFT JOIN recovery_code r ON r.account_id = a.id AND r.digest = :recovery
LEFT JOIN ticket k ON k.account_id = a.id AND k.prefix = :ticket
WHERE a.id = :account
ORDER BY t.id
"""

# Compare and set: of all who hold the same code exactly one changes the row, in any number of processes. The drift
# moves nowhere else. RFC 6238, 5.2: a second use must be refused.
SPEND = """
UPDATE token SET last = :step, drift = :drift, wrong = 0
WHERE id = :id AND state = 'active' AND last < :step AND locked IS NULL
"""
RECOVER = "UPDATE recovery_code SET used_at = :now WHERE id = :id AND used_at IS NULL"
TOUCH = {
    "app_password": "UPDATE app_password SET used = :now WHERE id = :id AND (used IS NULL OR used < :now)",
    "ticket": "UPDATE ticket SET used = :now WHERE id = :id AND used < :now",
}


@dataclass(frozen=True)
class FactsRow:
    """One row for each active token, or one without."""

    level: int | None
    pin: str | None
    token: int | None
    kind: str | None
    secret: bytes | None
    extra: bytes | None
    public_id: str | None
    algorithm: str | None
    digits: int | None
    period: int | None
    last: int | None
    drift: int | None
    base: int | None
    app_password: int | None
    app_password_digest: bytes | None
    app_password_scopes: str | None
    app_password_expires: int | None
    app_password_revoked: int | None
    app_password_networks: str | None
    app_password_used: int | None
    recovery: int | None
    recovery_used: int | None
    ticket: int | None
    ticket_digest: bytes | None
    ticket_services: str | None
    ticket_peers: str | None
    ticket_created: int | None
    ticket_used: int | None
    ticket_ended: int

    def __repr__(self) -> str:
        return f"FactsRow(token={self.token})"


@dataclass(frozen=True)
class SignIn:
    """How an account may log in."""

    level: int | None = None
    """None: nobody has chosen one."""
    pin: str | None = None
    tokens: tuple[Token, ...] = ()
    app_password: AppPassword | None = None
    recovery: RecoveryCode | None = None
    ticket: Ticket | None = None

    def __repr__(self) -> str:
        return f"SignIn({len(self.tokens)} tokens)"


def binding(token: int, account: int, kind: str, field: str = "secret") -> tuple[str, ...]:
    """What a token's secret is sealed for: in any other row, or for any other owner, it does not open."""
    return ("token", str(token), str(account), kind, field)


class Store:
    """`keyboards`: Yubikeys may be typed in upper case and on Dvorak keyboards. Errors: DatabaseDown."""

    def __init__(self, database: Database, *, keyboards: bool = False) -> None:
        self._db, self._keyboards = database, keyboards
        self._told: set[int] = set()

    async def sign_in(self, account: int, field: str, ring: Keyring) -> SignIn:
        """Level, PIN and active tokens, and what of the account's own the field can be by its shape."""
        code = recovery.suffix(field)
        rows = await self._db.all(
            FactsRow,
            FACTS,
            account=account,
            app_password=app_password.prefix(field) or "",
            recovery=recovery.digest(code) if code else b"",
            ticket=ticket.prefix(field) or "",
        )
        if not rows:
            return SignIn()
        first, tokens = rows[0], tuple(opened(row, account, ring, self._keyboards) for row in rows if row.token)
        self._tell(account, tokens)
        return SignIn(
            level=first.level,
            pin=first.pin,
            tokens=tokens,
            app_password=app_password_of(first, account),
            recovery=RecoveryCode(first.recovery, first.recovery_used is not None) if first.recovery else None,
            ticket=ticket_of(first, account),
        )

    def _tell(self, account: int, tokens: tuple[Token, ...]) -> None:
        """Say once which token does not open: its row was damaged, or it is another's, or a key is missing."""
        for token in tokens:
            if token.secret is None and token.id not in self._told:
                self._told.add(token.id)
                logger.error("trouble=token token=%d account=%d: its secret does not open here", token.id, account)

    async def spend(self, match: Match) -> bool:
        """Use the code up; False: somebody else was faster, or the token is gone.

        After DatabaseDown nobody knows whether the code is used: the login is not let in, and not retried.
        """
        return await self._db.run(SPEND, id=match.token.id, step=match.step, drift=match.drift) == 1

    async def recover(self, code: RecoveryCode, now: int) -> bool:
        """Use a recovery code up; as `spend`."""
        return await self._db.run(RECOVER, id=code.id, now=now) == 1

    async def touch(self, touch: Touch, now: int) -> None:
        """Write down a last use."""
        await self._db.run(TOUCH[touch.table], id=touch.id, now=now)


def opened(row: FactsRow, account: int, ring: Keyring, keyboards: bool) -> Token:
    """The token with its secrets, or with None where they do not open."""
    assert row.token is not None
    assert row.kind is not None
    secret: bytes | None
    try:
        secret = ring.open(row.secret or b"", *binding(row.token, account, row.kind))
        extra = ring.open(row.extra, *binding(row.token, account, row.kind, "extra")) if row.extra else None
    except KeyTrouble:
        secret = extra = None
    return Token(
        id=row.token,
        kind=row.kind,
        secret=secret,
        algorithm=row.algorithm or "",
        digits=row.digits or 0,
        period=row.period or 0,
        last=-1 if row.last is None else row.last,
        drift=row.drift or 0,
        extra=extra,
        public_id=row.public_id or "",
        base=row.base or 0,
        keyboards=keyboards,
    )


def app_password_of(row: FactsRow, account: int) -> AppPassword | None:
    """The app password of a row, if there is one."""
    if row.app_password is None:
        return None
    return AppPassword(
        id=row.app_password,
        account=account,
        digest=row.app_password_digest or b"",
        scopes=frozenset((row.app_password_scopes or "").split()),
        expires=row.app_password_expires,
        revoked=row.app_password_revoked,
        networks=networks((row.app_password_networks or "").split()),
        used=row.app_password_used,
    )


def ticket_of(row: FactsRow, account: int) -> Ticket | None:
    """The ticket of a row, if there is one."""
    if row.ticket is None:
        return None
    return Ticket(
        id=row.ticket,
        account=account,
        digest=row.ticket_digest or b"",
        services=frozenset((row.ticket_services or "").split()),
        peers=networks((row.ticket_peers or "").split()),
        created=row.ticket_created or 0,
        used=row.ticket_used or 0,
        revoked=row.ticket_ended > 0,
    )
