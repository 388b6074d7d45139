"""An existing SQL database read in place, with the operator's own queries.

    person   :address      columns id, address, password; optional enabled, language, quota. At most one row counts.
    by_key   :key          the same columns, of the person with this id
    people                 the same columns, of everybody
    alias    :address      one column: where mail to the address goes. `@DOMAIN` is asked for what nobody else gets.
             :local :domain    its two parts
    domain   :domain       any row: the domain is one of the operator's

`alias` and `domain` may be missing. An alias counts if it ends, over at most ALIAS_HOPS others, at one person of the
same database; lists and forwards to elsewhere are Postfix's business (virtual_alias_maps).

Databases compare texts in their own way (`ü` = `u`, `a` = `A`, trailing blanks), so every row is compared again here.
"""

import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from outrider.addresses import domain_of
from outrider.db import DatabaseDown
from outrider.directories.engines import Columns, Reader, open_reader
from outrider.directories.presets import SCHEMAS, Queries
from outrider.directories.queries import Query
from outrider.directories.settings import DirectorySettings
from outrider.directories.source import SourcePerson, folded, language, the_one, without_twins
from outrider.directories.stored import schemed, useless

logger = logging.getLogger(__name__)

ALIAS_HOPS = 10  # aliases of aliases; more is a loop
NEEDED = ("id", "address", "password")
NO_WORDS = {"0", "f", "false", "n", "no", "off", "disabled", "inactive", ""}


class ForeignSource:
    """The operator's database as a `Source`. `scheme` is that of stored passwords that name none."""

    def __init__(self, name: str, reader: Reader, queries: Queries, scheme: str = "") -> None:
        self.name = name
        self._reader, self._scheme = reader, scheme
        self._person, self._by_key, self._people = Query(queries.person), Query(queries.by_key), Query(queries.people)
        self._alias, self._domain = Query(queries.alias), Query(queries.domain)
        self._seen = ""

    async def find(self, address: str) -> SourcePerson | None:
        for _ in range(ALIAS_HOPS):
            person = await self._own(address)
            if person is not None:
                return person
            address = await self._goal(address)
            if not address:
                return None
        logger.error("directory=%s: an alias leads to an alias more than %d times", self.name, ALIAS_HOPS)
        return None

    async def by_key(self, key: str) -> SourcePerson | None:
        rows = await self._reader.rows(self._by_key, {"key": key})
        return the_one([one for one in self._persons(rows) if one.key == key], self.name)

    async def catch_all(self, domain: str) -> SourcePerson | None:
        goal = await self._goal(f"@{domain}")
        return await self.find(goal) if goal else None

    async def people(self) -> list[SourcePerson]:
        return without_twins(self._persons(await self._reader.rows(self._people, {})), self.name)

    async def has_domain(self, domain: str) -> bool:
        if not self._domain.text:
            return False
        rows = await self._reader.rows(self._domain, {"domain": domain})
        return any(text(value).strip().lower() == domain for row in rows for value in row.values())

    def nobody(self) -> str | None:
        """The last password read, made one that nothing fits: what an unknown login costs then is what others cost."""
        return useless(self._seen) if self._seen else None

    async def close(self) -> None:
        await self._reader.close()

    async def _own(self, address: str) -> SourcePerson | None:
        rows = await self._reader.rows(self._person, parts_of(address))
        found = the_one([one for one in self._persons(rows) if one.address == address], self.name)
        if found is not None and isinstance(found.stored, str):
            self._seen = found.stored
        return found

    async def _goal(self, address: str) -> str:
        """Where the alias leads; empty if there is none, or if it leads to several."""
        if not self._alias.text:
            return ""
        rows = await self._reader.rows(self._alias, parts_of(address))
        goals = {folded(goal) for row in rows for value in list(row.values())[:1] for goal in text(value).split(",")}
        goals -= {address}
        return goals.pop() if len(goals) == 1 else ""

    def _persons(self, rows: Sequence[Columns]) -> list[SourcePerson]:
        """Rows as people; a row whose address is none is passed over."""
        missing = [name for name in NEEDED if rows and name not in rows[0]]
        if missing:
            raise DatabaseDown(f"{self.name}: the query gives no column {missing[0]}")
        return [one for row in rows if (one := self._made(row)).address]

    def _made(self, row: Columns) -> SourcePerson:
        return SourcePerson(
            key=text(row["id"]),
            address=folded(text(row["address"])),
            enabled=is_yes(row["enabled"]) if "enabled" in row else True,
            language=language(text(row.get("language"))),
            quota=max(0, int(row.get("quota") or 0)),
            stored=schemed(text(row["password"]), self._scheme),
        )


def parts_of(address: str) -> dict[str, str]:
    return {"address": address, "local": address.rpartition("@")[0], "domain": domain_of(address)}


def text(value: Any) -> str:
    """A column as text; binary ones hold text too (VARBINARY)."""
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)


def is_yes(value: Any) -> bool:
    """What engines and programs write for yes and no: 1, TRUE, 'Y', b'\\x01' (BIT); NULL is no."""
    if isinstance(value, (bytes, bytearray)) and len(value) == 1 and value[0] < 2:
        return bool(value[0])
    return text(value).strip().lower() not in NO_WORDS


def open_foreign(settings: DirectorySettings, password: str) -> ForeignSource:
    """The source of the settings: a preset's queries, each overruled by a setting that is not empty."""
    try:
        reader = open_reader(settings.database, password, settings.ca)
    except ValueError as error:
        raise ValueError(f"database: {error}") from None
    preset = SCHEMAS[settings.preset](reader.dialect) if settings.preset else Queries("", "", "")
    chosen = {field.name: getattr(settings, field.name) for field in fields(Queries)}
    queries = replace(preset, **{name: text for name, text in chosen.items() if text})
    return ForeignSource(settings.name or "foreign", reader, queries, settings.scheme)
