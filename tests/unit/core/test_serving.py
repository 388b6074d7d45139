"""A daemon's database: the schema is checked when somebody asks, never once and for all."""

from pathlib import Path

import pytest

from kit.databases import new_sqlite
from outrider.db import Database, DatabaseDown, SchemaTrouble
from outrider.db.migrate import MINE, migrate
from outrider.db.serving import RECHECK_SECONDS, ServingDatabase, serving_database
from outrider.settings import CoreSettings, SettingsError


class Clock:
    """Seconds of a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def count(database: Database) -> int | None:
    return await database.one(int, "SELECT count(*) FROM domain")


async def test_works_as_soon_as_the_schema_is_there(tmp_path: Path) -> None:
    inner = new_sqlite(tmp_path / "outrider.db")
    serving = ServingDatabase(inner)
    with pytest.raises(SchemaTrouble, match="outrider db migrate"):
        await count(serving)
    await migrate(inner)
    assert await count(serving) == 0
    await serving.close()


async def test_schema_that_became_too_new_is_noticed_and_so_is_its_return(database: Database) -> None:
    clock = Clock()
    serving = ServingDatabase(database, clock)
    assert await count(serving) == 0
    sql = "UPDATE schema SET version = :version, readable_from = :version"
    await database.run(sql, version=MINE + 1)
    clock.now += RECHECK_SECONDS
    for _ in range(2):
        with pytest.raises(SchemaTrouble, match="made by a newer release"):
            await count(serving)
        with pytest.raises(SchemaTrouble):
            await serving.run("DELETE FROM domain")
        with pytest.raises(SchemaTrouble):
            await serving.transaction([("DELETE FROM domain", {})])
    await database.run(sql, version=MINE)
    assert await count(serving) == 0


async def test_success_holds_for_a_while(database: Database) -> None:
    clock = Clock()
    serving = ServingDatabase(database, clock)
    await count(serving)
    await database.run("UPDATE schema SET version = :version, readable_from = :version", version=MINE + 1)
    clock.now += RECHECK_SECONDS - 1
    assert await count(serving) == 0


async def test_no_database_is_no_obstacle_to_the_start(tmp_path: Path) -> None:
    core = CoreSettings("provider.example", "mail.provider.example", f"sqlite:{tmp_path}/none.db")
    serving = serving_database(core)
    with pytest.raises(DatabaseDown):
        await count(serving)


def test_password_that_cannot_be_read_is_a_fault_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    core = CoreSettings("provider.example", "mail.provider.example", database_password="credential:none")
    with pytest.raises(SettingsError, match="database_password: No such file"):
        serving_database(core)
