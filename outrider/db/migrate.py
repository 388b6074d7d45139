"""Migrations: numbered .sql files, one transaction each, the same for both engines.

`schema(version, readable_from)` says which file came last and the oldest release number (= its last file) that can
still work on it: a migration first only adds, and what an older release needs is removed one release later. A file may
begin with `-- readable from N`. A daemon runs if readable_from <= its own number <= version, else it answers "later".
"""

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources

from outrider.db.names import worded
from outrider.db.verbs import Database, DatabaseDown, SchemaTrouble, Statement, Taken

TABLE = "CREATE TABLE IF NOT EXISTS schema (version BIGINT NOT NULL, readable_from BIGINT NOT NULL)"
# Two who make the same table at once: PostgreSQL tells one of them so with an error. SQLite has one writer anyway.
ONE_BY_ONE: dict[str, list[Statement]] = {"postgresql": [("SELECT pg_advisory_xact_lock(7681)", {})], "sqlite": []}
READABLE_FROM = re.compile(r"^-- readable from (\d+)$", re.MULTILINE)


def migrations() -> list[tuple[int, str]]:
    """The files of this release in their order."""
    folder = resources.files("outrider.db") / "schema"
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return [(int(one.name.partition("_")[0]), one.read_text(encoding="utf-8")) for one in files]


MINE = max(number for number, _ in migrations())


async def check_schema(database: Database) -> None:
    """Raise SchemaTrouble unless this release can work on the database as it is."""
    try:
        found = await database.one(Version, "SELECT version, readable_from FROM schema")
    except DatabaseDown as error:
        if "no such table" in str(error) or "UndefinedTable" in str(error):
            raise SchemaTrouble("the database is empty: run `outrider db migrate`") from None
        raise
    if found is None:
        raise SchemaTrouble("the database is empty: run `outrider db migrate`")
    if found.version < MINE:
        raise SchemaTrouble(
            f"the schema is number {found.version}, this release needs {MINE}: run `outrider db migrate`"
        )
    if found.readable_from > MINE:
        raise SchemaTrouble(f"the schema is number {found.version}, made by a newer release; this one knows {MINE}")


class Version:
    """One row of `schema`."""

    def __init__(self, version: int, readable_from: int) -> None:
        self.version, self.readable_from = version, readable_from


async def migrate(database: Database) -> list[int]:
    """Apply what is missing; numbers of the files applied. Several at once are safe: each file is one transaction."""
    alone = ONE_BY_ONE[database.dialect]
    await database.transaction([*alone, (TABLE, {})])
    applied = []
    for number, text in migrations():
        found = await database.one(Version, "SELECT version, readable_from FROM schema")
        if found is not None and found.version >= number:
            continue
        try:
            await database.transaction([*alone, *statements(text, database.dialect), *noted(number, text, found)])
        except (DatabaseDown, Taken):
            again = await database.one(Version, "SELECT version, readable_from FROM schema")
            if again is None or again.version < number:
                raise
            continue  # another process was quicker
        applied.append(number)
    return applied


def noted(number: int, text: str, found: Version | None) -> Iterator[Statement]:
    """Record the file; the row is made by the first one. A lost race fails on the tables, so the row stays single."""
    stated = READABLE_FROM.search(text)
    oldest = int(stated.group(1)) if stated else (found.readable_from if found else number)
    sql = "UPDATE schema SET version = :version, readable_from = :oldest"
    if found is None:
        sql = "INSERT INTO schema (version, readable_from) VALUES (:version, :oldest)"
    yield sql, {"version": number, "oldest": oldest}


def statements(text: str, dialect: str) -> Iterator[Statement]:
    """The single statements of a file; SQLite itself knows where one is complete."""
    piece = ""
    for line in worded(without_comments(text), dialect).splitlines(keepends=True):
        piece += line
        if piece.strip() and sqlite3.complete_statement(piece):
            yield piece.strip(), {}
            piece = ""
    if piece.strip():
        raise SchemaTrouble("a migration ends in the middle of a statement")


def without_comments(text: str) -> str:
    """Comments go before words in braces are filled in: they speak of them."""
    return re.sub(r"--[^\n]*", "", text)
