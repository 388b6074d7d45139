"""PostgreSQL by asyncpg: a pool that starts empty, and our own way to find the primary among several hosts.

asyncpg's own list of hosts spends its whole time limit on the first one, so a frozen primary is never left. `connect`
here tries each host with a limit of its own, the last good one first, and takes the one that accepts writes.
The pool's reset query after each use is switched off (half the cost of a look-up): nothing here uses session state.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import asyncpg

from outrider.db.names import in_order, numbered
from outrider.db.verbs import DEADLINE_SECONDS, DatabaseDown, Row, Statement, Taken, maker

CONNECT_SECONDS = 1.0  # per host: a silent host must not eat the time of the others
STATEMENT_SECONDS = 2.0
POOL_CONNECTIONS = 8  # a daemon's look-ups are short; more only moves the queue into the server

Result = TypeVar("Result")
Work = Callable[["asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"], Awaitable[Result]]

DOWN = (
    OSError,  # TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.PostgresError,
)


class PostgresDatabase:
    """The verbs on PostgreSQL; hosts are tried in turn until one is the primary."""

    dialect = "postgresql"

    def __init__(self, url: str, password: str = "") -> None:
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        self._user = unquote(credentials.partition(":")[0]) or None
        self._password = password or None
        self._hosts = [host_and_port(one) for one in hosts.split(",")]
        self._name = parts.path.lstrip("/") or None
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def one(self, row: type[Row], sql: str, /, **values: Any) -> Row | None:
        text, names = numbered(sql)
        found = await self._do(lambda connection: connection.fetchrow(text, *in_order(names, values)))
        return maker(row)(tuple(found)) if found is not None else None

    async def all(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]:
        text, names = numbered(sql)
        make = maker(row)
        rows = await self._do(lambda connection: connection.fetch(text, *in_order(names, values)))
        return [make(tuple(columns)) for columns in rows]

    take = all

    async def run(self, sql: str, /, **values: Any) -> int:
        text, names = numbered(sql)
        return changed(await self._do(lambda connection: connection.execute(text, *in_order(names, values))))

    async def transaction(self, statements: Sequence[Statement]) -> list[int]:
        async def work(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> list[int]:
            done = []
            async with connection.transaction():
                for sql, values in statements:
                    text, names = numbered(sql)
                    done.append(changed(await connection.execute(text, *in_order(names, values))))
            return done

        return await self._do(work)

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def _do(self, work: Work[Result]) -> Result:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        min_size=0,
                        max_size=POOL_CONNECTIONS,
                        connect=self._connect,
                        reset=leave_as_it_is,
                        command_timeout=STATEMENT_SECONDS,
                    )
                async with self._pool.acquire() as connection:
                    return await work(connection)
        except asyncpg.UniqueViolationError as error:
            raise Taken(error.constraint_name or "unique key") from None
        except (asyncpg.DataError, UnicodeEncodeError, OverflowError) as error:
            raise DatabaseDown(f"a value does not fit into a column ({type(error).__name__})") from None
        except DOWN as error:
            raise DatabaseDown(f"PostgreSQL: {type(error).__name__}") from None

    async def _connect(self, *_: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        """Connect to the first host that takes writes; it is tried first the next time."""
        trouble: Exception = OSError("no host")
        for host in list(self._hosts):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(  # type: ignore[call-overload]
                        host=host[0],
                        port=host[1],
                        user=self._user,
                        password=self._password,
                        database=self._name,
                        target_session_attrs="read-write",
                        **{key: value for key, value in options.items() if key not in CONNECTION_OPTIONS},
                    )
            except DOWN as error:
                trouble = error
                continue
            self._hosts.remove(host)
            self._hosts.insert(0, host)
            return connection
        raise trouble


CONNECTION_OPTIONS = {"host", "port", "user", "password", "database", "target_session_attrs", "timeout"}


async def leave_as_it_is(_: Any) -> None:
    """No reset between uses of a connection."""


def host_and_port(text: str) -> tuple[str, int]:
    """`HOST[:PORT]`; a percent-encoded directory (`%2Frun%2Fpostgresql`) means the Unix socket in it."""
    host, _, port = text.partition(":") if not text.startswith("[") else text[1:].replace("]", "").partition(":")
    return unquote(host) or "/run/postgresql", int(port or 5432)


def changed(status: str) -> int:
    """How many rows, from PostgreSQL's command tag (`UPDATE 1`, `INSERT 0 1`)."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0
