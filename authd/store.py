"""What a login needs from the database: one query for the facts, one statement to spend a code."""

from __future__ import annotations

from dataclasses import dataclass

from authd.methods import Match, Token
from authd.methods.app_password import AppPassword
from outrider.db import Database
from outrider.sealed import Keyring, KeyTrouble

FACTS = """
SELECT s.level, t.id, t.kind, t.secret, t.algorithm, t.digits, t.period, t.last, t.drift,
       p.id, p.digest, p.scopes, p.expires, p.revoked
FROM account a
LEFT JOIN sign_in s ON s.account_id = a.id
LEFT JOIN token t ON t.account_id = a.id AND t.state = 'active'
LEFT JOIN app_password p ON p.account_id = a.id AND p.prefix = :prefix
WHERE a.id = :account
ORDER BY t.id
"""

# Compare and set: of all who hold the same code exactly one changes the row, in any number of processes. The drift
# moves nowhere else. RFC 6238, 5.2: a second use must be refused.
SPEND = """
UPDATE token SET last = :step, drift = :drift, wrong = 0 WHERE id = :id AND state = 'active' AND last < :step
"""


@dataclass(frozen=True)
class FactsRow:
    """One row for each active token, or one without."""

    level: int | None
    token: int | None
    kind: str | None
    secret: bytes | None
    algorithm: str | None
    digits: int | None
    period: int | None
    last: int | None
    drift: int | None
    app_password: int | None
    digest: bytes | None
    scopes: str | None
    expires: int | None
    revoked: int | None

    def __repr__(self) -> str:
        return f"FactsRow(token={self.token})"


@dataclass(frozen=True)
class SignIn:
    """How an account may log in."""

    level: int | None
    """None: nobody has chosen one."""
    tokens: tuple[Token, ...]
    app_password: AppPassword | None


def binding(token: int, account: int, kind: str) -> tuple[str, ...]:
    """What a token's secret is sealed for: in any other row, or for any other owner, it does not open."""
    return ("token", str(token), str(account), kind, "secret")


class Store:
    """Errors: DatabaseDown."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def sign_in(self, account: int, prefix: str, ring: Keyring) -> SignIn:
        """Level, active tokens, and the account's own app password with this prefix (empty = none wanted)."""
        rows = await self._db.all(FactsRow, FACTS, account=account, prefix=prefix)
        tokens = tuple(opened(row, account, ring) for row in rows if row.token is not None)
        first = rows[0] if rows else None
        return SignIn(first.level if first else None, tokens, found(first, account) if first else None)

    async def spend(self, match: Match) -> bool:
        """Use the code up; False: somebody else was faster, or the token is gone.

        After DatabaseDown nobody knows whether the code is used: the login is not let in, and not retried.
        """
        return await self._db.run(SPEND, id=match.token.id, step=match.step, drift=match.drift) == 1


def opened(row: FactsRow, account: int, ring: Keyring) -> Token:
    """The token with its secret, or with None where that does not open."""
    assert row.token is not None
    assert row.kind is not None
    try:
        secret: bytes | None = ring.open(row.secret or b"", *binding(row.token, account, row.kind))
    except KeyTrouble:
        secret = None
    return Token(
        id=row.token,
        kind=row.kind,
        secret=secret,
        algorithm=row.algorithm or "",
        digits=row.digits or 0,
        period=row.period or 0,
        last=-1 if row.last is None else row.last,
        drift=row.drift or 0,
    )


def found(row: FactsRow, account: int) -> AppPassword | None:
    """The app password of a row, if there is one."""
    if row.app_password is None:
        return None
    scopes = frozenset((row.scopes or "").split())
    return AppPassword(row.app_password, account, row.digest or b"", scopes, row.expires, row.revoked)
