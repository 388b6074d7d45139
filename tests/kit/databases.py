"""A migrated database for tests: SQLite always, PostgreSQL where OUTRIDER_TEST_POSTGRESQL names a server.

database     parametrised over the engines; empty tables
directory    the SQL directory over it, opaque domain b.provider.example
people       the writer, with the demo's domains made
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from outrider.db import Database, open_database
from outrider.db.migrate import migrate
from outrider.db.sqlite import SqliteDatabase
from outrider.directory import SqlDirectory
from outrider.people import People

POSTGRESQL = os.environ.get("OUTRIDER_TEST_POSTGRESQL", "")  # postgresql://USER@HOST/NAME of an empty database
ENGINES = ["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"]
NOW = 1_800_000_000


@pytest_asyncio.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        one = new_sqlite(tmp_path / "outrider.db")
        await migrate(one)
    else:
        one = open_database(POSTGRESQL, os.environ.get("OUTRIDER_TEST_POSTGRESQL_PASSWORD", ""))
        await empty(one)
    yield one
    await one.close()


TABLES = """
SELECT c.relname || ':' || string_agg(a.attname || ' ' || CAST(a.atttypid AS TEXT), ',' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0
GROUP BY c.relname ORDER BY c.relname
"""
RESTART = "SELECT setval(CAST(schemaname || '.' || sequencename AS regclass), 1, false) FROM pg_sequences"
migrated: list[str] = []  # what TABLES and `schema` say after a migration, once there was one


async def empty(one: Database) -> None:
    """A PostgreSQL database as if just migrated. Rows go; tables, too, if a test has changed one: ten times as long."""
    if not migrated or await seen(one) != migrated:
        await one.transaction([("DROP SCHEMA public CASCADE", {}), ("CREATE SCHEMA public", {})])
        await migrate(one)
        migrated[:] = await seen(one)
        return
    tables = [table.partition(":")[0] for table in migrated[1:]]
    await one.transaction([(f"DELETE FROM {name}", {}) for name in tables if name != "schema"] + [(RESTART, {})])


async def seen(one: Database) -> list[str]:
    """The tables with their columns; first the schema's number, if there is one."""
    tables = await one.all(str, TABLES)
    if not any(table.startswith("schema:") for table in tables):
        return tables
    number = await one.one(str, "SELECT CAST(version AS TEXT) || ' ' || CAST(readable_from AS TEXT) FROM schema")
    return [number or "", *tables]


def new_sqlite(path: Path) -> Database:
    """An empty file in WAL mode, as `outrider db migrate` makes it."""
    one = SqliteDatabase(str(path))
    one.create()
    return one


@pytest.fixture
def directory(database: Database) -> SqlDirectory:
    return SqlDirectory(database, "b.provider.example")


@pytest_asyncio.fixture
async def people(database: Database, directory: SqlDirectory) -> People:
    people = People(database, directory)
    for name, kind in (
        ("provider.example", "own"),
        ("tmp.provider.example", "disposable"),
        ("customer.example", "external"),
    ):
        await people.add_domain(name, kind, NOW)
    return people


async def settle() -> None:
    """Let everything that is ready on the loop run."""
    for _ in range(5):
        await asyncio.sleep(0)
