"""PostgreSQL by asyncpg: a pool that starts empty and fills from whichever host is the primary (outrider.db.primary).

Nothing waits for a server that fell silent: a connection that did not answer in time, or whose caller was cancelled, is
cut at once (asyncpg would first ask the same server to cancel the statement), and after trouble with one connection no
older one is asked again. The pool's reset query after each use is switched off (half the cost of a look-up): nothing
here uses session state.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import asyncpg

from outrider.db.address import PostgresAddress
from outrider.db.names import in_order, numbered
from outrider.db.primary import TROUBLE, Primary
from outrider.db.verbs import DEADLINE_SECONDS, DatabaseDown, Row, Statement, Taken, maker

SILENCE_SECONDS = 2.5  # later than the server's own statement_timeout: it is the server that does not answer
CLOSE_SECONDS = 1.0  # for a polite good-bye
POOL_CONNECTIONS = 8  # a daemon's look-ups are short; more only moves the queue into the server

Result = TypeVar("Result")
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"  # generic in the stubs only
Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Work = Callable[[Connection], Awaitable[Result]]

MISFIT = (asyncpg.DataError, ValueError, OverflowError)  # ValueError: asyncpg's own DataError, UnicodeEncodeError
LOST = (  # what a server says before it hangs up, or when it is the primary no more
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)


class PostgresDatabase:
    """The verbs on PostgreSQL."""

    dialect = "postgresql"

    def __init__(self, address: PostgresAddress, password: str = "", *, reading: bool = False) -> None:
        self._primary = Primary(address, password, reading=reading)
        self._pool: Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._troubles = 0

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
        async def work(connection: Connection) -> list[int]:
            try:
                return await together(connection, statements)
            except asyncpg.InvalidCachedStatementError:
                # A migration changed a table under a prepared statement. All was rolled back, so nothing is done twice;
                # outside of transactions asyncpg itself does the same.
                return await together(connection, statements)

        return await self._do(work)

    def version(self) -> None:
        """Nobody tells; to ask would cost as much as to read."""

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None or self._loop is not asyncio.get_running_loop():
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()  # cuts the connections if it is cancelled
        except TROUBLE:
            return

    async def _do(self, work: Work[Result]) -> Result:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS) as deadline:
                pool, connection = await self._acquired()
                try:
                    result = await work(connection)
                except BaseException as error:
                    if unharmed(error):
                        await pool.release(connection)
                    else:
                        cut(connection)
                        self._troubles += deadline.expired() or not isinstance(error, asyncio.CancelledError)
                    raise
                await pool.release(connection)
                return result
        except asyncpg.UniqueViolationError as error:
            raise Taken(error.constraint_name or "unique key") from None
        except MISFIT as error:
            raise DatabaseDown(f"a value does not fit into a column ({type(error).__name__})") from None
        except TimeoutError:
            raise DatabaseDown("PostgreSQL: no answer in time") from None
        except TROUBLE as error:  # the name alone: the server's words may quote values
            raise DatabaseDown(f"PostgreSQL: {type(error).__name__}") from None

    async def _acquired(self) -> tuple[Pool, Connection]:
        """A connection that is not older than the last trouble, and the pool it belongs to: this event loop's."""
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:
            self._pool, self._loop = await self._new_pool(), loop
        pool = self._pool
        while True:
            connection: Any = await pool.acquire()  # the stubs do not know its class, Dated
            if connection.troubles == self._troubles:
                return pool, connection
            cut(connection)

    async def _new_pool(self) -> Pool:
        """Empty. asyncpg does not suspend where min_size is 0, so two first callers get the same one."""
        return await asyncpg.create_pool(
            min_size=0,
            max_size=POOL_CONNECTIONS,
            connect=self._connect,
            connection_class=Dated,
            reset=leave_as_it_is,
            command_timeout=SILENCE_SECONDS,
        )

    async def _connect(self, *_: Any, **options: Any) -> "Dated":
        made: Dated = await self._primary.connect(**options)
        made.troubles = self._troubles
        return made


class Dated(asyncpg.Connection):
    """A connection that knows how often there had been trouble when it was made."""

    troubles = 0


async def together(connection: Connection, statements: Sequence[Statement]) -> list[int]:
    """All statements in one transaction. Rolled back on the server's refusal only: whatever else happens ends with the
    connection cut, which rolls back by itself and waits for nobody."""
    transaction = connection.transaction()
    await transaction.start()
    done = []
    try:
        for sql, values in statements:
            text, names = numbered(sql)
            done.append(changed(await connection.execute(text, *in_order(names, values))))
    except Exception as error:
        if unharmed(error):
            await transaction.rollback()
        raise
    await transaction.commit()
    return done


def unharmed(error: BaseException) -> bool:
    """True if the connection is as good as before: the server answered, or was never asked."""
    return isinstance(error, (asyncpg.PostgresError, *MISFIT)) and not isinstance(error, LOST)


def cut(connection: Connection) -> None:
    """End a connection without a word, so without waiting; its place in the pool is free then."""
    with contextlib.suppress(asyncpg.InterfaceError):  # it noticed its end by itself
        connection.terminate()


async def leave_as_it_is(_: Any) -> None:
    """No reset between uses of a connection."""


def changed(status: str) -> int:
    """How many rows, from PostgreSQL's command tag (`UPDATE 1`, `INSERT 0 1`)."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0
