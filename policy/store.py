"""Aliases: addresses that are made, found, and never given out twice.

An address gets its row in `tombstone` in the transaction that makes the alias. From then on the tombstone stands
whatever happens to the alias: its primary key refuses a second issue on either engine, and outrider.addresses.judge
calls the address Dead as soon as no live alias beats the tombstone. So there is no clean-up that could be late,
and deleting an alias is deleting its row.
"""

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass

from outrider.addresses import Dead, Facts, FactsSource, Unknown, domain_of, fold, judge, split_tag
from outrider.db import Database, Taken
from outrider.people import Refused

# 32 letters and digits without 0, 1, l and o, which people mistake when they read an address to somebody.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
# 5 bits each: 65 bits. With a million live aliases and 1000 guesses a second, the first is hit after 1200 years.
LOCAL_CHARACTERS = 13
# The number is 2^65; a second draw is for a broken source of randomness, a third would only hide it.
DRAWS = 2
DAY_SECONDS = 86_400
LABEL_CHARACTERS = 100


@dataclass(frozen=True)
class AliasRow:
    """One alias as its owner sees it; `expires` in seconds since 1970, None = never."""

    address: str
    kind: str
    label: str
    created: int
    expires: int | None


class AliasStore:
    """Reads and writes `alias` and `tombstone`; times are seconds since 1970. Raises DatabaseDown."""

    def __init__(self, database: Database, directory: FactsSource, draw: Callable[[str], str] = secrets.choice) -> None:
        """`draw` takes one letter of an alphabet at random."""
        self._db = database
        self._directory = directory
        self._draw = draw

    async def disposable_domains(self) -> list[str]:
        """The domains in which disposable addresses are made, by name."""
        return await self._db.all(str, "SELECT name FROM domain WHERE kind = 'disposable' ORDER BY name")

    async def new(self, account: int, domain: str, label: str, now: int, days: int) -> AliasRow:
        """A new disposable address in a disposable domain that lives for `days`."""
        for _ in range(DRAWS):
            local = "".join(self._draw(ALPHABET) for _ in range(LOCAL_CHARACTERS))
            row = AliasRow(f"{local}@{domain}", "disposable", label, now, now + days * DAY_SECONDS)
            try:
                await self._give(account, row)
            except Taken:
                continue
            return row
        raise Refused("no free address was found")

    async def add(self, account: int, address: str, label: str, now: int) -> AliasRow:
        """A permanent alias that nobody has and nobody ever had."""
        row = AliasRow(fold(address), "permanent", label, now, None)
        self._free(await self._directory.facts(row.address), now)
        try:
            await self._give(account, row)
        except Taken:
            raise Refused(f"{row.address} is taken") from None
        return row

    @staticmethod
    def _free(facts: Facts, now: int) -> None:
        """Refuse what is somebody's, what was somebody's, and what cannot be anybody's."""
        address = facts.address
        if facts.domain not in ("own", "external"):
            raise Refused(f"{domain_of(address)} is no domain for permanent aliases")
        if split_tag(address)[1]:
            raise Refused("an alias cannot hold a tag")
        found = judge(facts, now)
        if isinstance(found, Dead):
            raise Refused(f"{address} was given out before and never comes back")
        by_catch_all = facts.exact.person is None and facts.exact.alias is None
        if not (isinstance(found, Unknown) or by_catch_all):
            raise Refused(f"{address} is taken")

    async def of_account(self, account: int) -> list[AliasRow]:
        """All aliases of an account, expired ones too, newest first."""
        sql = (
            "SELECT address, kind, label, created, expires FROM alias"
            " WHERE account_id = :account ORDER BY created DESC, address"
        )
        return await self._db.all(AliasRow, sql, account=account)

    async def end(self, address: str) -> None:
        """Delete an alias: the folded address is dead from now on, and for ever."""
        if not await self._db.run("DELETE FROM alias WHERE address = :address", address=address):
            raise Refused(f"there is no alias {address}")

    async def _give(self, account: int, row: AliasRow) -> None:
        """Tombstone and alias together; Taken if the address was ever given out."""
        bury = "INSERT INTO tombstone (address, created) VALUES (:address, :created)"
        alias = (
            "INSERT INTO alias (address, account_id, kind, label, created, expires)"
            " VALUES (:address, :account, :kind, :label, :created, :expires)"
        )
        await self._db.transaction(
            [
                (bury, {"address": row.address, "created": row.created}),
                (alias, {"account": account, **asdict(row)}),
            ]
        )
