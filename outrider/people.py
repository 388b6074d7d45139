"""Changing the SQL directory: domains and people are made, disabled and ended here, nowhere else.

Refused    the answer is no, with the reason for the operator
"""

from typing import Literal

from outrider.addresses import Dead, Person, Unknown, domain_of, fold, judge, new_opaque, split_tag
from outrider.db import Database, Taken
from outrider.db.verbs import Statement
from outrider.directory import NAME, Directory
from outrider.notices import notice

DomainKind = Literal["own", "disposable", "external"]


class Refused(Exception):
    """What was asked for is not possible; the text says why."""


class People:
    """Writes to the directory and to `account`; times are seconds since 1970."""

    def __init__(self, database: Database, directory: Directory) -> None:
        self._db = database
        self._directory = directory

    async def add_domain(self, name: str, kind: DomainKind, now: int) -> None:
        try:
            await self._db.run(
                "INSERT INTO domain (name, kind, created) VALUES (:name, :kind, :now)",
                name=name,
                kind=kind,
                now=now,
            )
        except Taken:
            raise Refused(f"the domain {name} exists already") from None

    async def set_catch_all(self, domain: str, account: int | None) -> None:
        """Mail to unknown addresses of a domain goes to this account; disposable domains have no catch-all."""
        changed = await self._db.run(
            "UPDATE domain SET catch_all = :account WHERE name = :domain AND kind <> 'disposable'",
            account=account,
            domain=domain,
        )
        if not changed:
            raise Refused(f"{domain} is not a domain that can have a catch-all")

    async def add(self, address: str, stored: str, language: str, quota: int, now: int) -> str:
        """A new account; returns the folded address."""
        address = fold(address)
        await self._free(address, now)
        statements: list[Statement] = [
            (
                "INSERT INTO directory_user (address, password, enabled, language, quota, created)"
                " VALUES (:address, :stored, 1, :language, :quota, :now)",
                {"address": address, "stored": stored, "language": language, "quota": quota, "now": now},
            ),
            (
                "INSERT INTO account (directory, source_key, opaque)"
                " SELECT CAST(:name AS TEXT), CAST(id AS TEXT), CAST(:opaque AS TEXT)"
                " FROM directory_user WHERE address = :address",
                {"name": NAME, "opaque": new_opaque(), "address": address},
            ),
        ]
        try:
            await self._db.transaction(statements)
        except Taken:
            raise Refused(f"{address} is taken") from None
        return address

    async def _free(self, address: str, now: int) -> None:
        """Refuse what is or was somebody's; a dead address is never given out again."""
        facts = await self._directory.facts(address)
        if facts.domain is None or facts.domain == "opaque":
            raise Refused(f"{domain_of(address)} is not a domain of this provider")
        if facts.domain == "disposable":
            raise Refused(f"{domain_of(address)} is for disposable addresses only")
        if split_tag(address)[1]:
            raise Refused("an account's address cannot hold a tag")
        match judge(facts, now):
            case Dead():
                raise Refused(f"{address} was given out before and never comes back")
            case Unknown():
                return
            case _ if facts.exact.person is None and facts.exact.alias is None:
                return  # only the domain's catch-all answers for it
            case _:
                raise Refused(f"{address} is taken")

    async def set_password(self, address: str, stored: str, now: int) -> None:
        """A new password; the owner is told."""
        person = await self._person(address)
        await self._db.transaction(
            [
                (
                    "UPDATE directory_user SET password = :stored WHERE address = :address",
                    {"stored": stored, "address": person.address},
                ),
                event(person.account, "password", now),
                notice(person.account, "password-changed", "", now),
            ]
        )

    async def set_enabled(self, address: str, enabled: bool, now: int) -> None:
        """Let the account log in, or not; its mail arrives either way."""
        person = await self._person(address)
        await self._db.transaction(
            [
                (
                    "UPDATE directory_user SET enabled = :enabled WHERE address = :address",
                    {"enabled": int(enabled), "address": person.address},
                ),
                event(person.account, "enabled" if enabled else "disabled", now),
            ]
        )

    async def end(self, address: str, now: int) -> None:
        """End an account for ever: nobody logs in, all its addresses are dead, and none is given out again."""
        person = await self._person(address)
        gone = ("DELETE FROM directory_user WHERE address = :address", {"address": person.address})
        await self._db.transaction([*self._end(person.account, person.address, now), gone])

    @staticmethod
    def _end(account: int, address: str, now: int) -> list[Statement]:
        """What ends an account, whatever directory its person is in."""
        bury = "INSERT INTO tombstone (address, created)"
        return [
            ("UPDATE account SET ended = :now WHERE id = :account", {"now": now, "account": account}),
            (
                f"{bury} SELECT address, CAST(:now AS BIGINT) FROM alias WHERE account_id = :account"
                " AND address NOT IN (SELECT address FROM tombstone)",
                {"now": now, "account": account},
            ),
            (f"{bury} VALUES (:address, :now) ON CONFLICT (address) DO NOTHING", {"address": address, "now": now}),
            ("UPDATE domain SET catch_all = NULL WHERE catch_all = :account", {"account": account}),
            event(account, "ended", now),
        ]

    async def _person(self, address: str) -> Person:
        person = await self._directory.person(fold(address))
        if person is None:
            raise Refused(f"there is no account {address}")
        return person


def event(account: int, kind: str, now: int) -> Statement:
    """The row in account_event by which every owner of data hears of the change."""
    sql = "INSERT INTO account_event (account_id, kind, at) VALUES (:account, :kind, :now)"
    return sql, {"account": account, "kind": kind, "now": now}
