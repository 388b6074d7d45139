"""The database as a daemon uses it: every verb first makes sure that this release can work on the schema.

A daemon starts before the database is there, and lives on while an operator migrates it. So the check is no step of
the start: it is made when somebody asks, its success holds for RECHECK_SECONDS, its failure (SchemaTrouble, a
DatabaseDown) is the answer "later" to whoever asked, and the next one asks anew. Nothing has to be restarted.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from outrider.db import open_database
from outrider.db.migrate import check_schema
from outrider.db.verbs import Database, Row, Statement
from outrider.settings import CoreSettings, SettingsError, credential

RECHECK_SECONDS = 10.0  # one small read in so many seconds; so long an old daemon may work on a schema too new for it


class ServingDatabase:
    """The verbs of `inner`, with the schema checked."""

    def __init__(self, inner: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.dialect = inner.dialect
        self._inner = inner
        self._clock = clock
        self._checked: float | None = None

    async def one(self, row: type[Row], sql: str, /, **values: Any) -> Row | None:
        await self._check()
        return await self._inner.one(row, sql, **values)

    async def all(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]:
        await self._check()
        return await self._inner.all(row, sql, **values)

    async def run(self, sql: str, /, **values: Any) -> int:
        await self._check()
        return await self._inner.run(sql, **values)

    async def take(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]:
        await self._check()
        return await self._inner.take(row, sql, **values)

    async def transaction(self, statements: Sequence[Statement]) -> list[int]:
        await self._check()
        return await self._inner.transaction(statements)

    async def close(self) -> None:
        await self._inner.close()

    def version(self) -> object | None:
        """None while the schema has to be checked: then a verb must do it."""
        if self._checked is None or self._clock() - self._checked >= RECHECK_SECONDS:
            return None
        return self._inner.version()

    async def _check(self) -> None:
        now = self._clock()
        if self._checked is None or now - self._checked >= RECHECK_SECONDS:
            self._checked = None
            await check_schema(self._inner)
            self._checked = now


def serving_database(core: CoreSettings) -> Database:
    """The database of [outrider] for a daemon; opens nothing yet. SettingsError if its password cannot be read."""
    return ServingDatabase(open_database(core.database, password_of(core)))


def password_of(core: CoreSettings) -> str:
    """PostgreSQL's password out of its file, empty if none is named. SettingsError if it cannot be read."""
    try:
        return credential(core.database_password).read_text().strip() if core.database_password else ""
    except OSError as error:
        raise SettingsError(f"[outrider] database_password: {error.strerror}") from None
