"""The database: SQLite or PostgreSQL behind six verbs.

    one(row, sql, **values)     the first row, or None          all(row, sql, **values)    every row
    run(sql, **values)          how many rows were changed      take(row, sql, **values)   rows of `… RETURNING`
    transaction([(sql, values), …])   all or nothing; rows changed by each
    close()

SQL is written once, with `:names`, for both engines. `row` is a dataclass or NamedTuple whose fields are the columns in
their order, or int, str or bytes for a single column. `one` and `all` only read: use `run` or `take` to write.

Reading order: verbs (the errors and the interface), names (the SQL text), sqlite; address, primary, postgres; migrate.
"""

from outrider.db.verbs import Database, DatabaseDown, SchemaTrouble, Taken

__all__ = ["Database", "DatabaseDown", "SchemaTrouble", "Taken", "open_database"]


def open_database(url: str, password: str = "") -> Database:
    """The database that `[outrider] database` names. Never waits for it: the verbs say DatabaseDown.

    ValueError: the URL is no URL.
    """
    if url.startswith("sqlite:"):
        from outrider.db.sqlite import SqliteDatabase  # noqa: PLC0415 - a daemon loads the engine that it uses

        return SqliteDatabase(url.removeprefix("sqlite:"))
    from outrider.db.address import read_address  # noqa: PLC0415
    from outrider.db.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(read_address(url), password)
