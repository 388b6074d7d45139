"""Storing a password anew: the same password, a better hash. Only in our own SQL directory; nobody is told."""

from collections.abc import Awaitable, Callable

from outrider.db import Database

RENEW = """
UPDATE directory_user SET password = :new
WHERE password = :old AND id IN (
  SELECT u.id FROM directory_user u JOIN account a ON a.directory = 'sql' AND a.source_key = CAST(u.id AS TEXT)
  WHERE a.id = :account
)
"""


def renewed(database: Database) -> Callable[[int, str, str], Awaitable[bool]]:
    """Puts `new` in the place of `old`, if that still stands there: a password that was changed meanwhile wins."""

    async def write(account: int, old: str, new: str) -> bool:
        return await database.run(RENEW, account=account, old=old, new=new) == 1

    return write
