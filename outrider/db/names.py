"""One SQL text for two engines.

    :name          → ?NNN of SQLite's named parameters, or $1, $2 … of PostgreSQL (the same name twice is one parameter)
    {skip locked}  → FOR UPDATE SKIP LOCKED on PostgreSQL; SQLite has one writer anyway
    {id} {int} {bytes} {strict}   → column types in the schema files

A colon inside a quoted text is left alone; `::` casts are not used (write CAST).
"""

import re
from functools import lru_cache
from typing import Any

WORDS = {
    "sqlite": {
        "{skip locked}": "",
        "{id}": "INTEGER PRIMARY KEY AUTOINCREMENT",  # AUTOINCREMENT: an ended number never comes back
        "{int}": "INTEGER",
        "{bytes}": "BLOB",
        "{strict}": " STRICT",
    },
    "postgresql": {
        "{skip locked}": "FOR UPDATE SKIP LOCKED",
        "{id}": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "{int}": "BIGINT",
        "{bytes}": "BYTEA",
        "{strict}": "",
    },
}

_PIECE = re.compile(r"'(?:[^']|'')*'|:([a-z_][a-z0-9_]*)")


@lru_cache(maxsize=1024)  # SQL texts are constants of the program: their number is small
def worded(sql: str, dialect: str) -> str:
    """The text with its words in braces filled in."""
    for word, meaning in WORDS[dialect].items():
        sql = sql.replace(word, meaning)
    return sql


@lru_cache(maxsize=1024)
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """PostgreSQL's form of the text, and the names in the order of $1, $2 …"""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PIECE.sub(number, worded(sql, "postgresql")), tuple(names)


def in_order(names: tuple[str, ...], values: dict[str, Any]) -> list[Any]:
    """The values as PostgreSQL's positional parameters."""
    return [values[name] for name in names]
