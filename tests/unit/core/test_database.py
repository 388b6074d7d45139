"""The six verbs promise the same on every engine."""

import asyncio
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from kit.databases import new_sqlite
from outrider.db import Database, DatabaseDown, SchemaTrouble, Taken, open_database
from outrider.db.migrate import MINE, check_schema, migrate
from outrider.db.names import numbered
from outrider.db.sqlite import SqliteDatabase

TABLE = "CREATE TABLE sample (id {id}, label TEXT NOT NULL, secret {bytes} NOT NULL, last {int} NOT NULL){strict}"
ONE = "INSERT INTO sample (label, secret, last) VALUES (:label, :secret, 0)"
SPEND = "UPDATE sample SET last = :step WHERE id = :row AND last < :step"


@dataclass(frozen=True)
class Found:
    label: str
    secret: bytes


async def sample(database: Database, label: str = "phone") -> int:
    (new,) = await database.take(int, f"{ONE} RETURNING id", label=label, secret=b"\x00\xff")
    return new


@pytest_asyncio.fixture
async def samples(database: Database) -> Database:
    await database.run(TABLE)
    return database


async def prepared(path: Path) -> Database:
    database = new_sqlite(path)
    await migrate(database)
    await database.run(TABLE)
    return database


async def test_verbs(samples: Database) -> None:
    number = await sample(samples, "Zwölf")
    read = "SELECT label, secret FROM sample WHERE id = :id"
    assert await samples.one(Found, read, id=number) == Found("Zwölf", b"\x00\xff")
    assert await samples.all(str, "SELECT label FROM sample") == ["Zwölf"]
    assert await samples.one(Found, read, id=-1) is None
    assert await samples.run("UPDATE sample SET label = :l WHERE id = :id", l="x", id=number) == 1
    assert await samples.run("DELETE FROM sample WHERE id = :id", id=-1) == 0


async def test_a_counter_moves_once_for_eight(samples: Database) -> None:
    number = await sample(samples)
    won = await asyncio.gather(*(samples.run(SPEND, row=number, step=7) for _ in range(8)))
    assert sorted(won) == [0] * 7 + [1]
    assert await samples.run(SPEND, row=number, step=6) == 0


async def test_unique_key(database: Database) -> None:
    sql = "INSERT INTO domain (name, kind, created) VALUES ('d.example', 'own', 0)"
    await database.run(sql)
    with pytest.raises(Taken):
        await database.run(sql)


async def test_transaction_is_all_or_nothing(database: Database) -> None:
    add = "INSERT INTO domain (name, kind, created) VALUES (:name, 'own', 0)"
    with pytest.raises(Taken):
        await database.transaction([(add, {"name": "a.example"}), (add, {"name": "a.example"})])
    assert await database.all(str, "SELECT name FROM domain") == []
    assert await database.transaction([(add, {"name": "a.example"}), (add, {"name": "b.example"})]) == [1, 1]


@pytest.mark.parametrize("value", ["\ud800", 2**70])
async def test_a_value_that_does_not_fit_loses_nothing(samples: Database, value: object) -> None:
    with pytest.raises(DatabaseDown, match="does not fit"):
        await samples.run(f"UPDATE sample SET {'label' if isinstance(value, str) else 'last'} = :v", v=value)
    assert await sample(samples) > 0


async def test_numbers_never_come_back(samples: Database) -> None:
    first = await sample(samples)
    await samples.run("DELETE FROM sample")
    assert await sample(samples) > first


async def test_schema_of_another_release(database: Database) -> None:
    await check_schema(database)
    assert await migrate(database) == []
    await database.run("UPDATE schema SET version = :v, readable_from = :v", v=MINE + 1)
    with pytest.raises(SchemaTrouble, match="newer release"):
        await check_schema(database)
    await database.run("UPDATE schema SET readable_from = :v", v=MINE)
    await check_schema(database)
    await database.run("UPDATE schema SET version = :v", v=MINE - 1)
    with pytest.raises(SchemaTrouble, match="outrider db migrate"):
        await check_schema(database)


async def test_four_migrate_at_once(tmp_path: Path) -> None:
    path = tmp_path / "outrider.db"
    databases = [new_sqlite(path) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(one) for one in databases))
    assert sorted(number for one in applied for number in one) == list(range(1, MINE + 1))
    assert await databases[0].all(int, "SELECT version FROM schema") == [MINE]
    for one in databases:
        await one.close()


async def test_no_file_is_down_and_comes_back(tmp_path: Path) -> None:
    database = open_database(f"sqlite:{tmp_path}/outrider.db")
    for verb in (database.all(int, "SELECT 1"), database.run("DELETE FROM sample")):
        with pytest.raises(DatabaseDown, match="No such file"):
            await verb
    await prepared(tmp_path / "outrider.db")
    assert await database.all(int, "SELECT id FROM sample") == []
    assert await sample(database) == 1
    await database.close()


async def test_a_replaced_file_is_noticed(tmp_path: Path) -> None:
    database = await prepared(tmp_path / "outrider.db")
    await sample(database)
    for name in ("outrider.db", "outrider.db-wal", "outrider.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(DatabaseDown):
        await database.all(int, "SELECT id FROM sample")
    with pytest.raises(DatabaseDown):
        await sample(database)
    await prepared(tmp_path / "outrider.db")
    assert await database.all(int, "SELECT id FROM sample") == []
    await database.close()


async def test_a_locked_file_is_down_for_writes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outrider.db.sqlite.BUSY_MS", 20)
    database = await prepared(tmp_path / "outrider.db")
    await database.close()
    other = sqlite3.connect(tmp_path / "outrider.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseDown, match="locked"):
        await sample(database)
    assert await database.all(int, "SELECT id FROM sample") == []
    other.rollback()
    assert await sample(database) == 1
    other.close()
    await database.close()


async def test_reading_verbs_do_not_write(tmp_path: Path) -> None:
    database = await prepared(tmp_path / "outrider.db")
    with pytest.raises(DatabaseDown, match="readonly"):
        await database.all(int, "DELETE FROM sample RETURNING id")
    assert isinstance(database, SqliteDatabase)
    await database.close()


def test_names_become_numbers() -> None:
    assert numbered("SELECT ':x', :a, :b, :a") == ("SELECT ':x', $1, $2, $1", ("a", "b"))
    assert numbered("{skip locked}") == ("FOR UPDATE SKIP LOCKED", ())
