"""What is known to the limits about one account, and the counters that outlive a restart.

Ten right codes beside wrong secrets lock that token; a hundred wrong codes beside the right secret close the account's
code logins until its password changes. A locked token and closed codes change what a right field is answered, never
what work is done: see `guarded`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from authd.decide import Ask, Hash, No, Spend, Why
from outrider.db import Database
from outrider.db.verbs import Statement

LOCK_AFTER = 10
"""Wrong secrets beside right codes of one token, without a login in between: only its holder can cause them."""
NOTICE_AFTER = 10
"""Wrong codes in a row beside the right secret, then the owner is told."""
CLOSE_AFTER = 100
"""Wrong codes beside the right secret in all: one chance in 3 000 to guess six digits (RFC 4226, 7.3)."""
TOTAL_SECONDS = 365 * 86400
"""After a year the hundred counts anew: an owner's own slips of many years are no attack."""
KNOWN_SECONDS = 30 * 86400
"""So long a network is known after a login."""
SEEN_AGAIN_SECONDS = 86400
"""A known network is noted anew after that time, not at every login."""
NETWORKS_MOST = 1000
"""Per account; more are no sign of an owner. The oldest go first, once an hour."""

READ = """
SELECT k.last, g.secret, g.since, g.in_a_row, g.total, g.closed, t.id, w.wrong, t.locked
FROM account a
LEFT JOIN known_network k ON k.account_id = a.id AND k.network = :network
LEFT JOIN account_guard g ON g.account_id = a.id
LEFT JOIN token t ON t.account_id = a.id AND t.state = 'active'
LEFT JOIN token_guard w ON w.token_id = t.id
WHERE a.id = :account
"""

BESIDE_WRONG = """
INSERT INTO token_guard (token_id, account_id, wrong) VALUES (:token, :account, :times)
ON CONFLICT (token_id) DO UPDATE SET wrong = token_guard.wrong + :times
"""
LOCK = """
UPDATE token SET locked = :now WHERE id = :token AND locked IS NULL
  AND EXISTS (SELECT 1 FROM token_guard g WHERE g.token_id = token.id AND g.wrong >= :most)
"""
COUNT_ANEW = "UPDATE token_guard SET wrong = 0 WHERE token_id = :token"

# The same password and within a year: counted on. Else it begins anew, and opens what was closed.
WRONG_CODE = """
INSERT INTO account_guard (account_id, secret, since, in_a_row, total, closed)
VALUES (:account, :secret, :now, :times, :times,
        CASE WHEN CAST(:times AS BIGINT) >= :most THEN CAST(:now AS BIGINT) END)
ON CONFLICT (account_id) DO UPDATE SET
  secret = :secret,
  since = CASE WHEN {same} THEN account_guard.since ELSE :now END,
  in_a_row = CASE WHEN {same} THEN account_guard.in_a_row + :times ELSE :times END,
  total = CASE WHEN {same} THEN account_guard.total + :times ELSE :times END,
  closed = CASE WHEN {same} AND account_guard.total + :times >= :most
                THEN COALESCE(account_guard.closed, CAST(:now AS BIGINT)) END
""".replace("{same}", "account_guard.secret = :secret AND account_guard.since > :oldest")
IN_A_ROW = "UPDATE account_guard SET in_a_row = :times WHERE account_id = :account"

SEEN = """
INSERT INTO known_network (account_id, network, last) VALUES (:account, :network, :now)
ON CONFLICT (account_id, network) DO UPDATE SET last = :now
"""


@dataclass(frozen=True)
class Row:
    """One row of READ: one for each active token, or one without."""

    last: int | None
    secret: bytes | None
    since: int | None
    in_a_row: int | None
    total: int | None
    closed: int | None
    token: int | None
    wrong: int | None
    locked: int | None


@dataclass(frozen=True)
class Codes:
    """Wrong codes beside the right secret."""

    secret: bytes = field(default=b"", repr=False)
    since: int = 0
    in_a_row: int = 0
    total: int = 0
    closed: bool = False


@dataclass(frozen=True)
class Guard:
    """What stands against a login to one account from one network."""

    known: bool = False
    """Somebody got in from there lately."""
    noted: int = 0
    """When that was written down; 0 = never."""
    codes: Codes = Codes()
    wrong: dict[int, int] = field(default_factory=dict)
    """By token: right codes beside a wrong secret since its last login."""
    locked: frozenset[int] = frozenset()

    def counts(self, secret: bytes, now: int) -> Codes:
        """The codes' counters as far as they are about this password."""
        codes = self.codes
        return codes if codes.secret == secret and codes.since > now - TOTAL_SECONDS else Codes(secret, now)


def of_rows(rows: list[Row], now: int) -> Guard:
    """The guard of an account, from the rows of READ."""
    if not rows:
        return Guard()
    first = rows[0]
    return Guard(
        known=first.last is not None and first.last > now - KNOWN_SECONDS,
        noted=first.last or 0,
        codes=Codes(
            first.secret or b"", first.since or 0, first.in_a_row or 0, first.total or 0, first.closed is not None
        ),
        wrong={row.token: row.wrong or 0 for row in rows if row.token is not None},
        locked=frozenset(row.token for row in rows if row.token is not None and row.locked is not None),
    )


def fingerprint(stored: object) -> bytes:
    """Which password it is about. A directory that checks passwords itself shows none: its codes are opened by hand."""
    return hashlib.sha256(stored.encode()).digest()[:16] if isinstance(stored, str) else b"-"


def guarded(step: Hash, guard: Guard, now: int) -> Hash:
    """The same work, but a locked token and closed codes let nobody in. Recovery codes cannot be guessed and go on."""
    if token_of(step) in guard.locked:
        return replace(step, right=No(Why.LOCKED, step.wrong.account))
    match step.right:
        case Spend() | Ask() | No(Why.SECRET_ONLY | Why.SPENT) if guard.counts(fingerprint(step.stored), now).closed:
            return replace(step, right=No(Why.CODES_CLOSED, step.wrong.account))
    return step


def token_of(step: Hash) -> int | None:
    """The token whose code was right, or could be."""
    match step.right:
        case Spend(match=match):
            return match.token.id
        case Ask(token=token):
            return token.id
    return None


class GuardStore:
    """Errors: DatabaseDown."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def read(self, account: int, network: str, now: int) -> Guard:
        """The same look-up for an account that does not exist."""
        return of_rows(await self._db.all(Row, READ, account=account, network=network), now)

    async def unlock(self, account: int, token: int) -> bool:
        """A locked token is good again, and its count begins anew; False: the account has no such token."""
        named = {"token": token, "account": account}
        changed, _ = await self._db.transaction(
            [
                ("UPDATE token SET locked = NULL WHERE id = :token AND account_id = :account", named),
                ("DELETE FROM token_guard WHERE token_id = :token AND account_id = :account", named),
            ]
        )
        return changed == 1

    async def reopen(self, account: int) -> None:
        """All locks of the account end, all counts begin anew."""
        await self._db.transaction(
            [
                ("UPDATE token SET locked = NULL WHERE account_id = :account", {"account": account}),
                ("DELETE FROM token_guard WHERE account_id = :account", {"account": account}),
                ("DELETE FROM account_guard WHERE account_id = :account", {"account": account}),
            ]
        )

    async def sweep(self, now: int) -> None:
        """Forget networks that are no longer known, and what belongs to tokens and accounts that are gone."""
        ended = "account_id IN (SELECT id FROM account WHERE ended IS NOT NULL)"
        await self._db.transaction(
            [
                ("DELETE FROM known_network WHERE last <= :oldest", {"oldest": now - KNOWN_SECONDS}),
                (TOO_MANY_NETWORKS, {"most": NETWORKS_MOST}),
                ("DELETE FROM token_guard WHERE token_id NOT IN (SELECT id FROM token)", {}),
                *((f"DELETE FROM {table} WHERE {ended}", {}) for table in ("account_guard", "known_network")),
            ]
        )


TOO_MANY_NETWORKS = """
DELETE FROM known_network WHERE EXISTS (
  SELECT 1 FROM (
    SELECT account_id, network, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY last DESC, network) AS place
    FROM known_network
  ) ranked WHERE ranked.place > :most
    AND ranked.account_id = known_network.account_id AND ranked.network = known_network.network
)
"""


def wrong_secrets(account: int, token: int, times: int, now: int) -> Iterator[Statement]:
    """Right codes of this token beside a wrong secret."""
    yield BESIDE_WRONG, {"token": token, "account": account, "times": times}
    yield LOCK, {"token": token, "most": LOCK_AFTER, "now": now}


def wrong_codes(account: int, secret: bytes, times: int, now: int) -> Statement:
    """Wrong codes beside the right secret."""
    values = {"account": account, "secret": secret, "times": times, "most": CLOSE_AFTER, "now": now}
    return WRONG_CODE, {**values, "oldest": now - TOTAL_SECONDS}


def right_token(token: int) -> Statement:
    """A login with this token's code."""
    return COUNT_ANEW, {"token": token}


def in_a_row(account: int, times: int) -> Statement:
    """So many wrong codes since the last login with a code."""
    return IN_A_ROW, {"account": account, "times": times}


def seen(account: int, network: str, now: int) -> Statement:
    """Somebody got in from there."""
    return SEEN, {"account": account, "network": network, "now": now}
