"""The operator's database behind one verb: the rows of a query, by column name. Nothing is ever written.

    sqlite:PATH        opened `mode=ro`, in threads: another program may hold the file's lock
    mariadb://…        PyMySQL in threads; the session is read-only
    postgresql://…     asyncpg; the session is read-only, and any host of several will do

Errors: DatabaseDown, also where the query does not fit the database.
"""

import os
import sqlite3
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import quote

from outrider.db.address import PostgresAddress, read_address
from outrider.db.postgres import PostgresDatabase
from outrider.db.verbs import DatabaseDown
from outrider.directories.queries import Query
from outrider.directories.threads import Workers

THREADS = 4  # connections to the operator's database; a look-up takes well under a millisecond
SQLITE_BUSY_SECONDS = 1.0  # another program's write may hold the lock that long
MARIADB_PORT = 3306
MARIADB_SOCKET = "/run/mysqld/mysqld.sock"  # where Debian's package has it
NO_COMMON_LETTERS = 1267  # ER_CANT_AGGREGATE_2COLLATIONS: a latin1 column cannot hold, nor compare, what was asked
SECONDS = 2  # PyMySQL's limits for connecting and for each answer; whole seconds

Columns = dict[str, Any]


class Reader(Protocol):
    """An engine."""

    dialect: str

    async def rows(self, query: Query, values: Mapping[str, str]) -> list[Columns]: ...
    async def close(self) -> None: ...


def open_reader(url: str, password: str, ca: str = "") -> Reader:
    """The database that `[directory] database` names; nothing is opened yet. ValueError: the URL is none."""
    match url.partition(":")[0]:
        case "sqlite":
            return SqliteReader(url.removeprefix("sqlite:"))
        case "mariadb":
            return MariadbReader(vouched(read_address(url, "mariadb", MARIADB_PORT), ca), password)
        case "postgresql":
            return PostgresReader(vouched(read_address(url), ca), password, reading=True)
        case _:
            raise ValueError("expected sqlite:PATH, mariadb://USER@HOST/NAME or postgresql://USER@HOST/NAME")


def vouched(address: PostgresAddress, ca: str) -> PostgresAddress:
    """With the setting `ca`, unless the URL names authorities of its own."""
    return replace(address, authorities=address.authorities or ca or None)


class Replaced(sqlite3.OperationalError):
    """The file is another one than the connection's."""


class SqliteFile:
    """A read-only connection that notices when its file was replaced."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity = self._identify()
        self._connection = sqlite3.connect(
            f"file:{quote(path)}?mode=ro", uri=True, timeout=SQLITE_BUSY_SECONDS, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row

    def rows(self, text: str, values: Mapping[str, str]) -> list[Columns]:
        if self._identify() != self._identity:
            raise Replaced
        return [dict(row) for row in self._connection.execute(text, values)]

    def close(self) -> None:
        self._connection.close()

    def _identify(self) -> tuple[int, int]:
        try:
            status = os.stat(self._path)  # at every look-up: pathlib would cost as much as that
        except OSError:
            raise sqlite3.OperationalError("the file cannot be found") from None
        return status.st_dev, status.st_ino


class SqliteReader:
    """The operator's SQLite file."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self._workers = Workers(
            "the directory's SQLite file",
            THREADS,
            connect=lambda: SqliteFile(path),
            close=SqliteFile.close,
            failures=(sqlite3.Error,),
            gone=(Replaced,),
            told=str,  # SQLite's texts name tables and columns, never values
        )

    async def rows(self, query: Query, values: Mapping[str, str]) -> list[Columns]:
        return await self._workers.do(lambda file: file.rows(query.named(), values))

    async def close(self) -> None:
        await self._workers.close()


class MariadbReader:
    """The operator's MariaDB or MySQL."""

    dialect = "mariadb"

    def __init__(self, address: PostgresAddress, password: str) -> None:
        import pymysql  # noqa: PLC0415 - a daemon loads the engine that it uses

        self._driver, self._address, self._password = pymysql, address, password
        self._workers = Workers(
            "the directory's MariaDB",
            THREADS,
            connect=self._connect,
            close=lambda connection: connection.close(),
            failures=(pymysql.err.MySQLError, OSError, ssl.SSLError),
            gone=(pymysql.err.OperationalError, pymysql.err.InterfaceError, OSError),
            told=lambda error: " ".join([type(error).__name__, *(str(one) for one in error.args[:1])]),
        )

    async def rows(self, query: Query, values: Mapping[str, str]) -> list[Columns]:
        text = query.formatted()

        def work(connection: Any) -> list[Columns]:
            with connection.cursor(self._driver.cursors.DictCursor) as cursor:
                try:
                    cursor.execute(text, dict(values))
                except self._driver.err.OperationalError as error:
                    if error.args[0] == NO_COMMON_LETTERS and not all(value.isascii() for value in values.values()):
                        return []
                    raise
                return list(cursor.fetchall())

        return await self._workers.do(work)

    async def close(self) -> None:
        await self._workers.close()

    def _connect(self) -> Any:
        """The first host that answers."""
        trouble: Exception = OSError("no host")
        for host in self._address.hosts:
            place = {"unix_socket": host.name} if host.local else {"host": host.name, "port": host.port}
            try:
                return self._driver.connect(
                    **place,
                    user=self._address.user,
                    password=self._password,
                    database=self._address.name,
                    charset="utf8mb4",
                    autocommit=True,
                    connect_timeout=SECONDS,
                    read_timeout=SECONDS,
                    write_timeout=SECONDS,
                    ssl=None if host.local else self._tls(),
                    init_command="SET SESSION TRANSACTION READ ONLY",
                )
            except (self._driver.err.MySQLError, OSError) as error:
                trouble = error
        raise trouble

    def _tls(self) -> ssl.SSLContext | None:
        if self._address.tls == "disable":
            return None
        context = ssl.create_default_context(cafile=self._address.authorities)
        if self._address.tls == "require":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class PostgresReader(PostgresDatabase):
    """The operator's PostgreSQL."""

    async def rows(self, query: Query, values: Mapping[str, str]) -> list[Columns]:
        text, order = query.numbered(values)
        try:
            found = await self._do(lambda connection: connection.fetch(text, *order))
        except DatabaseDown as error:
            raise DatabaseDown(f"the directory's {error}") from None
        return [dict(row) for row in found]
