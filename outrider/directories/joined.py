"""The operator's directory and our store as one `Directory`.

    source (LDAP, the operator's SQL)      people, their passwords and permanent aliases; only read
    our database                           domains, account ids, ends, aliases of owners, tombstones

A person gets an account id of ours the first time he is seen, and keeps it as long as the source's key stays the same.
An ended id never comes back: whoever has its key is Dead, whatever the directory says. A tombstone beats the directory
too: nobody logs in, gets mail or is listed under an address that was given out before. What our rows decide the source
is not asked about.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from outrider.addresses import AliasFacts, Entry, Facts, Person, domain_of, new_opaque, split_tag
from outrider.db import Database, DatabaseDown
from outrider.db.verbs import Statement
from outrider.directories.source import Source, SourcePerson
from outrider.directory import DomainKind, DomainRow, Login, Stored

logger = logging.getLogger(__name__)

BATCH = 500  # rows of one transaction: a first list of all people must not hold the database for long

ACCOUNT = "a.id, a.source_key, a.opaque, a.ended, a.disabled, a.seen"
BY_KEY = f"""
SELECT {ACCOUNT}, t.address FROM account a LEFT JOIN tombstone t ON t.address = :address
WHERE a.directory = :directory AND a.source_key = :key
"""
OURS = f"""
SELECT 'alias', l.address, l.kind, l.expires, {ACCOUNT} FROM alias l
  LEFT JOIN account a ON a.id = l.account_id AND a.directory = :directory
  WHERE l.address IN (:exact, :base)
UNION ALL
SELECT 'tombstone', t.address, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM tombstone t
  WHERE t.address IN (:exact, :base)
"""
ISSUE = """
INSERT INTO account (directory, source_key, opaque, seen) VALUES (:directory, :key, :opaque, :address)
ON CONFLICT (directory, source_key) DO NOTHING
"""
SEEN = "UPDATE account SET seen = :address WHERE directory = :directory AND source_key = :key"


@dataclass(frozen=True)
class AccountRow:
    """Columns of ACCOUNT, all NULL when a LEFT JOIN found nothing; `dead` says that the address has a tombstone."""

    id: int | None
    key: str | None
    opaque: str | None
    ended: int | None
    disabled: int | None
    seen: str | None
    dead: str | None = None


class OursRow:
    """One row of OURS: what of ours stands under one spelling."""

    def __init__(self, what: str, spelling: str, kind: str | None, expires: int | None, *account: object) -> None:
        self.what, self.spelling, self.kind, self.expires = what, spelling, kind, expires
        self.account = AccountRow(*account)  # type: ignore[arg-type]


class JoinedDirectory:
    """A `Directory` over a source; `language` is that of people whose directory says nothing."""

    def __init__(self, database: Database, source: Source, opaque_domain: str, language: str = "en") -> None:
        self._db, self._source = database, source
        self._opaque_domain, self._language = opaque_domain, language

    @property
    def name(self) -> str:
        """The source's name, as in `account.directory`."""
        return self._source.name

    async def facts(self, address: str) -> Facts:
        """All that `outrider.addresses.judge` needs; the first spelling that means anything ends the search."""
        domain = domain_of(address)
        if domain == self._opaque_domain:
            return Facts(address, "opaque", opaque=await self._by_opaque(address.rpartition("@")[0]))
        found = await self._domain(domain)
        if found is None:
            return Facts(address, None)
        kind = cast(Literal["own", "disposable", "external"], found.kind)
        base, _ = split_tag(address)
        ours = await self._db.all(OursRow, OURS, exact=address, base=base, directory=self.name)
        exact = await self._entry(ours, address, kind)
        rest = await self._entry(ours, base, kind) if base != address and exact == Entry() else Entry()
        catch_all = await self._catch_all(domain, found) if exact == rest == Entry() else None
        return Facts(address, kind, exact, rest, catch_all)

    async def domain(self, name: str) -> DomainKind | None:
        """What kind of domain of ours this is: our own table first, then the source's list."""
        if name == self._opaque_domain:
            return "opaque"
        found = await self._domain(name)
        return cast(DomainKind, found.kind) if found is not None else None

    async def login(self, address: str) -> Login | None:
        """The person whose login this is; aliases do not log in."""
        found = await self._own(address)
        if found is None:
            return None
        person = await self._living(found)
        return Login(person, found.stored) if person is not None else None

    async def person(self, address: str) -> Person | None:
        """The person whose own address this is; None after his end."""
        found = await self._own(address)
        person = await self._living(found) if found is not None else None
        return person if person is not None and not person.ended else None

    async def people(self) -> list[Person]:
        """Everybody, by address. Whoever is seen for the first time gets his account id."""
        found = {one.key: one for one in await self._source.people()}
        await self._note(found.values())
        rows = await self._db.all(
            AccountRow,
            f"SELECT {ACCOUNT}, t.address FROM account a LEFT JOIN tombstone t ON t.address = a.seen"
            " WHERE a.directory = :directory",
            directory=self.name,
        )
        kinds = {name: await self.domain(name) for name in {domain_of(one.address) for one in found.values()}}
        here = [(found[row.key], row) for row in rows if row.key in found and row.dead is None]
        people = [self._joined(one, row) for one, row in here if kinds[domain_of(one.address)] in ("own", "external")]
        return sorted((person for person in people if not person.ended), key=lambda one: one.address)

    async def by_account(self, account: int) -> Person | None:
        """The person behind an `account.id`; None after its end, or if the directory lists him no more."""
        row = await self._db.one(
            AccountRow,
            f"SELECT {ACCOUNT} FROM account a WHERE a.id = :account AND a.directory = :directory AND a.ended IS NULL",
            account=account,
            directory=self.name,
        )
        return await self._behind(row)

    def nobody(self) -> Stored | None:
        return self._source.nobody()

    async def close(self) -> None:
        await self._source.close()

    # The source's people with our account ids -------------------------------------------------------

    async def _own(self, address: str) -> SourcePerson | None:
        """Who has this very address, in a domain that people live in."""
        if not address:
            return None
        domain = await self._domain(domain_of(address))
        if domain is None or domain.kind == "disposable":
            return None
        found = await self._source.find(address)
        return found if found is not None and found.address == address else None

    async def _living(self, found: SourcePerson) -> Person | None:
        """With his account; None if his address has a tombstone. An ended one is shown as ended."""
        row = await self._account(found)
        return self._joined(found, row) if row.dead is None or row.ended is not None else None

    async def _account(self, found: SourcePerson) -> AccountRow:
        """Our row of the person, made if he is new; the address he has now is noted."""
        asked = {"directory": self.name, "key": found.key, "address": found.address}
        row = await self._db.one(AccountRow, BY_KEY, **asked)
        if row is None or row.seen != found.address:
            await self._note([found])
            row = await self._db.one(AccountRow, BY_KEY, **asked)
        if row is None:
            raise DatabaseDown("an account that was just made is not there")
        return row

    async def _note(self, people: Iterable[SourcePerson]) -> None:
        """Account ids for who has none, and the present addresses; several processes may do it at once."""
        people = list(people)
        only = " AND a.source_key = :key" if len(people) == 1 else ""
        rows = await self._db.all(
            Known,
            f"SELECT a.source_key, a.seen FROM account a WHERE a.directory = :directory{only}",
            directory=self.name,
            key=people[0].key if people else "",
        )
        known = {row.key: row.seen for row in rows}
        statements: list[Statement] = []
        for one in people:
            values = {"directory": self.name, "key": one.key, "address": one.address}
            if one.key not in known:
                statements.append((ISSUE, {**values, "opaque": new_opaque()}))
            elif known[one.key] != one.address:
                statements.append((SEEN, values))
        for start in range(0, len(statements), BATCH):
            await self._db.transaction(statements[start : start + BATCH])

    def _joined(self, found: SourcePerson, row: AccountRow) -> Person:
        return Person(
            account=row.id or 0,
            address=found.address,
            enabled=found.enabled and row.disabled is None,
            language=found.language or self._language,
            quota=found.quota,
            opaque=row.opaque or "",
            ended=row.ended is not None,
        )

    # What stands under a spelling -------------------------------------------------------------------

    async def _entry(self, ours: list[OursRow], spelling: str, kind: str) -> Entry:
        """Our rows, or what the source knows where we have none. Nobody lives in a disposable domain."""
        rows = [row for row in ours if row.spelling == spelling]
        tombstone = any(row.what == "tombstone" for row in rows)
        alias = next((row for row in rows if row.what == "alias"), None)
        if alias is not None:
            owner = await self._behind(alias.account if alias.account.ended is None else None)
            facts = AliasFacts(cast(Literal["disposable", "permanent"], alias.kind), alias.expires, owner)
            return Entry(alias=facts, tombstone=tombstone)
        if tombstone or kind == "disposable":
            return Entry(tombstone=tombstone)
        found = await self._source.find(spelling)
        if found is None:
            return Entry()
        if found.address == spelling:
            row = await self._account(found)
            return Entry(person=self._joined(found, row))
        return Entry(alias=AliasFacts("permanent", None, await self._living(found)))

    async def _behind(self, row: AccountRow | None) -> Person | None:
        """The person of an account row, as the source shows him now."""
        found = await self._source.by_key(row.key) if row is not None and row.key is not None else None
        return await self._living(found) if found is not None else None

    async def _by_opaque(self, local: str) -> Person | None:
        sql = f"SELECT {ACCOUNT} FROM account a WHERE a.opaque = :local AND a.directory = :directory"
        row = await self._db.one(AccountRow, sql, local=local, directory=self.name)
        return await self._behind(row if row is not None and row.ended is None else None)

    async def _domain(self, name: str) -> DomainRow | None:
        """Our row of the domain; one that only the source lists is an own one without a catch-all of ours."""
        row = await self._db.one(DomainRow, "SELECT kind, catch_all FROM domain WHERE name = :name", name=name)
        if row is None and await self._source.has_domain(name):
            return DomainRow("own", None)
        return row

    async def _catch_all(self, domain: str, row: DomainRow) -> Person | None:
        if row.kind == "disposable":
            return None
        if row.catch_all is not None:
            return await self.by_account(row.catch_all)
        found = await self._source.catch_all(domain)
        return await self._living(found) if found is not None else None


@dataclass(frozen=True)
class Known:
    """An account id that exists already."""

    key: str
    seen: str | None
