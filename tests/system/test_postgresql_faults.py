"""The six verbs on PostgreSQL when something is wrong with it: silence, loss, locks, cancelled callers, other hosts."""

import asyncio
import gc
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kit.databases import empty
from kit.postgresql import Cluster
from outrider.db import Database, DatabaseDown, open_database
from outrider.db.migrate import MINE, migrate
from outrider.db.postgres import POOL_CONNECTIONS
from outrider.db.primary import CONNECT_SECONDS, STATEMENT_SECONDS
from outrider.db.verbs import DEADLINE_SECONDS

SLACK_SECONDS = 0.7  # of a busy machine
WATCHDOG_SECONDS = 20.0
ADD = "INSERT INTO domain (name, kind, created) VALUES (:name, 'own', 0)"
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outrider' AND datname = 'tests'"


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[Database]:
    one = open_database(cluster.url)
    await empty(one)
    yield one
    await one.close()


def warmed(database: Database) -> "asyncio.Future[list[int | None]]":
    """Fills the pool: each of its connections is in use at once."""
    return asyncio.gather(*(database.one(int, "SELECT 1 FROM pg_sleep(0.05)") for _ in range(POOL_CONNECTIONS)))


async def down(work: object, *, within: float) -> str:
    """What DatabaseDown says; it has to come in time."""
    started = time.monotonic()
    with pytest.raises(DatabaseDown) as raised:
        await work  # type: ignore[misc]
    assert time.monotonic() - started < within + SLACK_SECONDS
    return str(raised.value)


async def test_nobody_waits_longer_than_the_deadline_for_a_frozen_server(database: Database, cluster: Cluster) -> None:
    await warmed(database)
    twice = [(ADD, {"name": "a.example"}), (ADD, {"name": "b.example"})]
    with cluster.frozen():
        calls = []
        for _ in range(5):
            calls += [database.one(int, "SELECT 1"), database.run(ADD, name="c.example"), database.transaction(twice)]
        said = await asyncio.gather(*(down(call, within=DEADLINE_SECONDS) for call in calls))
        assert set(said) == {"PostgreSQL: no answer in time"}
        # nobody asks the old connections again: now it takes the time of a connection attempt
        assert "no answer" in await down(database.one(int, "SELECT 1"), within=CONNECT_SECONDS)
    assert await database.one(int, "SELECT 1") == 1
    await database.transaction([("DELETE FROM domain", {}), *twice])
    assert await database.one(int, CONNECTIONS) <= POOL_CONNECTIONS


async def test_stopped_and_started(database: Database, cluster: Cluster) -> None:
    await warmed(database)
    await asyncio.to_thread(cluster.stop)
    assert "No such file" in await down(database.one(int, "SELECT 1"), within=CONNECT_SECONDS)
    await down(database.transaction([(ADD, {"name": "a.example"})]), within=CONNECT_SECONDS)
    await asyncio.to_thread(cluster.start)
    assert await warmed(database) == [1] * POOL_CONNECTIONS


async def until(database: Database, there: str) -> None:
    """Until the query finds something."""
    async with asyncio.timeout(WATCHDOG_SECONDS):
        while not await database.one(int, there):  # noqa: ASYNC110 - it happens on the server
            await asyncio.sleep(0.01)


async def test_a_killed_connection_costs_one_answer(database: Database, cluster: Cluster) -> None:
    other = open_database(cluster.url)
    sleeping = asyncio.ensure_future(database.one(int, "SELECT 1 FROM pg_sleep(1.5)"))
    theirs = "FROM pg_stat_activity WHERE datname = 'tests' AND pid <> pg_backend_pid()"
    await until(other, f"SELECT 1 {theirs} AND query LIKE '%pg_sleep(1.5)'")
    assert await other.one(int, f"SELECT count(pg_terminate_backend(pid)) {theirs}") == 1
    assert await down(sleeping, within=0)
    assert await database.one(int, "SELECT 1") == 1
    await other.close()


async def test_a_lock_that_is_held_ends_in_later_and_harms_nothing(database: Database, cluster: Cluster) -> None:
    await database.run(ADD, name="a.example")
    other = open_database(cluster.url)
    lock = [("LOCK TABLE domain", {}), ("SELECT pg_sleep(1.5)", {}), ("SELECT pg_sleep(1.4)", {})]
    holding = asyncio.ensure_future(other.transaction(lock))
    await until(other, "SELECT 1 FROM pg_locks WHERE relation = CAST('domain' AS regclass) AND mode LIKE 'AccessEx%'")
    assert await down(database.run("DELETE FROM domain"), within=STATEMENT_SECONDS) == "PostgreSQL: QueryCanceledError"
    await holding
    assert await database.run("DELETE FROM domain") == 1
    await other.close()


async def test_cancelled_callers_leave_room_for_others(database: Database, cluster: Cluster) -> None:
    other = open_database(cluster.url)
    for seconds in (30, 31):
        long = [(ADD, {"name": "x.example"}), (f"SELECT pg_sleep({seconds})", {})]
        calls = [asyncio.ensure_future(database.transaction(long))]
        calls += [asyncio.ensure_future(database.one(int, long[1][0])) for _ in range(POOL_CONNECTIONS)]
        await until(
            other, f"SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep({seconds})' HAVING count(*) = 8"
        )
        for call in calls:
            call.cancel()
        began = time.monotonic()
        assert {type(one) for one in await asyncio.gather(*calls, return_exceptions=True)} == {asyncio.CancelledError}
        assert time.monotonic() - began < SLACK_SECONDS
    assert await warmed(database) == [1] * POOL_CONNECTIONS
    assert await database.all(str, "SELECT name FROM domain") == []
    await other.close()


async def test_a_migration_under_prepared_statements(database: Database) -> None:
    read, write = "SELECT * FROM domain", ("UPDATE domain SET created = created + 1 RETURNING *", {})
    await database.run(ADD, name="a.example")
    await warmed(database)
    await database.all(Columns, read)
    await database.transaction([write])
    await database.run("ALTER TABLE domain ADD COLUMN more TEXT")
    assert await database.all(Columns, read) == [("a.example", "own", None, 1, None)]
    await database.run("ALTER TABLE domain DROP COLUMN more")
    assert await database.transaction([write, write]) == [1, 1]
    assert await database.all(Columns, read) == [("a.example", "own", None, 3)]


class Columns(tuple[object, ...]):
    """A row of any width."""

    __slots__ = ()

    def __new__(cls, *columns: object) -> "Columns":
        return super().__new__(cls, columns)


async def test_first_callers_share_one_pool_which_closes(database: Database, cluster: Cluster) -> None:
    other = open_database(cluster.url)
    before = await database.one(int, CONNECTIONS)
    await asyncio.gather(*(other.one(int, "SELECT 1 FROM pg_sleep(0.05)") for _ in range(3 * POOL_CONNECTIONS)))
    assert await database.one(int, CONNECTIONS) == before + POOL_CONNECTIONS
    await other.close()
    await asyncio.sleep(0.1)
    assert await database.one(int, CONNECTIONS) == before


@pytest.mark.filterwarnings("ignore")  # the first loop was closed over its connection
def test_a_second_event_loop_gets_connections_of_its_own(cluster: Cluster) -> None:
    one = open_database(cluster.url)

    async def ask() -> int | None:
        return await one.one(int, "SELECT 1")

    async def close() -> int | None:
        try:
            return await ask()
        finally:
            await one.close()

    assert asyncio.run(ask()) == 1
    assert asyncio.run(close()) == 1
    gc.collect()


async def test_four_migrate_at_once(database: Database, cluster: Cluster) -> None:
    await database.transaction([("DROP SCHEMA public CASCADE", {}), ("CREATE SCHEMA public", {})])
    databases = [open_database(cluster.url) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(one) for one in databases))
    assert sum(len(one) for one in applied) == MINE
    assert await database.all(int, "SELECT version FROM schema") == [MINE]
    for one in databases:
        await one.close()


async def test_dead_hosts_are_passed_by(cluster: Cluster) -> None:
    """One that accepts connections and says nothing, one that nobody listens at, then the right one."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"127.0.0.1:{silent.getsockname()[1]},[::1]:1,"
        one = open_database(cluster.url.replace("@", f"@{dead}"))
        began = time.monotonic()
        assert await one.one(int, "SELECT 1") == 1
        assert CONNECT_SECONDS <= time.monotonic() - began < CONNECT_SECONDS + SLACK_SECONDS
        began = time.monotonic()
        await warmed(one)  # the last good host comes first
        assert time.monotonic() - began < SLACK_SECONDS
        await one.close()


async def test_a_server_that_takes_no_writes_is_not_the_one(cluster: Cluster) -> None:
    alter = "ALTER DATABASE tests SET default_transaction_read_only = "
    cluster.sql(alter + "on")
    try:
        one = open_database(cluster.url)
        assert "accepts no writes" in await down(one.one(int, "SELECT 1"), within=CONNECT_SECONDS)
    finally:
        cluster.sql(alter + "off")
    assert await one.one(int, "SELECT 1") == 1
    await one.close()


STEPS = 20
TOKEN = """
INSERT INTO token (account_id, kind, label, state, secret, algorithm, digits, period, last, drift, wrong, created)
VALUES (1, 'totp', '', 'active', :secret, 'SHA1', 6, 30, 0, 0, 0, 0) RETURNING id
"""
TRY = f"""
import asyncio, sys
from outrider.db import open_database
SPEND = "UPDATE token SET last = :step WHERE id = :id AND last < :step"
async def main():
    database = open_database(sys.argv[1])
    await database.one(int, "SELECT 1")
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(1, {STEPS + 1}):
        won = await asyncio.gather(*(database.run(SPEND, id=int(sys.argv[2]), step=step) for _ in range(4)))
        print(sum(won))
    await database.close()
asyncio.run(main())
"""


async def test_a_code_is_good_once_for_two_processes_with_four_tasks_each(database: Database, cluster: Cluster) -> None:
    (number,) = await database.take(int, TOKEN, secret=b"x")
    told = await asyncio.to_thread(both, [sys.executable, "-c", TRY, cluster.url, str(number)])
    assert [sum(won) for won in zip(*told, strict=True)] == [1] * STEPS


def both(command: list[str]) -> list[list[int]]:
    """Two processes set off together; how many of its tasks won each step, for either."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    two = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for one in two:
        assert one.stdout.readline() == "ready\n"
    for one in two:
        one.stdin.write("\n")
        one.stdin.flush()
    return [[int(line) for line in one.communicate(timeout=WATCHDOG_SECONDS)[0].split()] for one in two]
