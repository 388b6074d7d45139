"""What a database can do and how it fails.

    DatabaseError (never raised itself)
    ├── DatabaseDown     cannot find out, or does not know whether a write happened: answer "later"
    ├── Taken            a unique key exists already
    └── SchemaTrouble    the schema is older or newer than this release can use

A write that failed with DatabaseDown may have happened ("unknown"). Nobody retries it and calls the second answer a
fact.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

Row = TypeVar("Row")
Statement = tuple[str, dict[str, Any]]

DEADLINE_SECONDS = 3.0  # every verb, waiting for a connection included: Postfix and Dovecot get an answer within 8 s


class DatabaseError(Exception):
    """Base of the errors below; never raised itself."""


class DatabaseDown(DatabaseError):
    """The database did not answer, or not in time; the text is for the operator and holds no values."""


class Taken(DatabaseError):
    """A row with this unique key exists already."""


class SchemaTrouble(DatabaseDown):
    """The schema is missing, older than this release needs, or newer than it can read."""


class Database(Protocol):
    """The six verbs, and what tells that nothing has changed; see the package's docstring."""

    dialect: str  # "sqlite" or "postgresql"

    async def one(self, row: type[Row], sql: str, /, **values: Any) -> Row | None: ...
    async def all(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]: ...
    async def run(self, sql: str, /, **values: Any) -> int: ...
    async def take(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]: ...
    async def transaction(self, statements: Sequence[Statement]) -> list[int]: ...
    async def close(self) -> None: ...

    def version(self) -> object | None:
        """Something that is another after every commit, of whatever process; None where that is not known at once.

        It may be asked before the read whose result it is to stand for, never after. DatabaseDown.
        """
        ...


def maker(row: type[Row]) -> Callable[[Sequence[Any]], Row]:
    """How a row of columns becomes a `row`."""
    if row in (int, str, bytes):
        return lambda columns: columns[0]
    return lambda columns: row(*columns)
