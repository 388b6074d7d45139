"""What an owner can read of the logins to his account: when, where, with what, and how it ended.

A row never holds a field, a code or a length; of the client it holds the network, not the address. Only accounts that
exist have rows. Rows are bounded three ways: by age, by number per account, and by number per second (authd.ledger).
"""

from __future__ import annotations

from dataclasses import dataclass

from outrider.db import Database
from outrider.db.verbs import Statement

ROWS_MOST = 10_000
"""Per account; an attacked account keeps its newest."""
LISTED_MOST = 1000
"""Of one answer."""

INSERT = """
INSERT INTO login_audit (account_id, at, service, network, credential, result, class, why, times)
VALUES (:account, :at, :service, :network, :credential, :result, :kind, :why, :times)
"""

LIST = """
SELECT account_id, at, service, network, credential, result, class, why, times FROM login_audit
WHERE account_id = :account ORDER BY id DESC LIMIT :most
"""

FAILURES = LIST.replace("ORDER", "AND result <> 'yes' ORDER")

TOO_MANY = """
DELETE FROM login_audit WHERE id IN (
  SELECT id FROM (
    SELECT id, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY id DESC) AS place FROM login_audit
  ) ranked WHERE ranked.place > :most
)
"""


@dataclass(frozen=True)
class Audit:
    """Logins that were alike; `times` of them within a second. In the order of LIST."""

    account: int
    at: int
    """Seconds since 1970."""
    service: str
    network: str
    credential: str
    """`password`, `token 7`, `app-password 3`; `-` where nothing let in."""
    result: str
    kind: str
    """The class of a failure: A, B, C or `-`."""
    why: str
    times: int = 1

    def alike(self) -> tuple[int, str, str, str, str, str, str]:
        """What has to be the same for two logins to share a row."""
        return self.account, self.service, self.network, self.credential, self.result, self.kind, self.why


def written(row: Audit) -> Statement:
    """The statement that keeps a row."""
    return INSERT, dict(vars(row))


class AuditStore:
    """Errors: DatabaseDown."""

    def __init__(self, database: Database, days: int) -> None:
        self._db, self._days = database, days

    async def rows(self, account: int, most: int = LISTED_MOST) -> list[Audit]:
        """The newest first."""
        return await self._db.all(Audit, LIST, account=account, most=most)

    async def failures(self, account: int, most: int) -> list[Audit]:
        """The newest refusals, and what nobody could find out."""
        return await self._db.all(Audit, FAILURES, account=account, most=most)

    async def sweep(self, now: int) -> None:
        """Forget what is old, what is too much, and what was of accounts that have ended."""
        await self._db.transaction(
            [
                ("DELETE FROM login_audit WHERE at <= :oldest", {"oldest": now - self._days * 86400}),
                (TOO_MANY, {"most": ROWS_MOST}),
                (
                    "DELETE FROM login_audit WHERE account_id IN (SELECT id FROM account WHERE ended IS NOT NULL)",
                    {},
                ),
            ]
        )
