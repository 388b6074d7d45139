"""Who exists: domains, people, their passwords and permanent addresses.

A directory answers a few questions (`Directory`). Ours lies in SQL (`SqlDirectory`); it joins the store's aliases and
tombstones in the same query, so that one address costs two look-ups. The operator's own directories are in
`outrider.directories`. People hang on `account.id`, an integer of ours that is issued once and never comes back.

    DatabaseDown    nobody could find out (from outrider.db)
"""

from dataclasses import dataclass
from typing import Literal, Protocol, cast

from outrider.addresses import AliasFacts, Entry, Facts, Person, domain_of, split_tag
from outrider.db import Database

NAME = "sql"

DomainKind = Literal["own", "disposable", "external", "opaque"]

PERSON = "a.id, u.address, u.enabled, u.language, u.quota, a.opaque, a.ended"
JOIN = "directory_user u JOIN account a ON a.directory = 'sql' AND a.source_key = CAST(u.id AS TEXT)"


@dataclass(frozen=True)
class PersonRow:
    """Columns of PERSON, all NULL when a LEFT JOIN found nobody."""

    account: int | None
    address: str | None
    enabled: int | None
    language: str | None
    quota: int | None
    opaque: str | None
    ended: int | None

    def person(self) -> Person | None:
        if self.account is None or self.address is None:
            return None
        return Person(
            self.account,
            self.address,
            bool(self.enabled),
            self.language or "en",
            self.quota or 0,
            self.opaque or "",
            self.ended is not None,
        )


@dataclass(frozen=True)
class DomainRow:
    kind: str
    catch_all: int | None


class EntryRow:
    """One row of ENTRIES: what stands under one spelling, and which kind of thing it is."""

    def __init__(self, what: str, spelling: str, kind: str | None, expires: int | None, *person: object) -> None:
        self.what, self.spelling, self.kind, self.expires = what, spelling, kind, expires
        self.person = PersonRow(*person).person()  # type: ignore[arg-type]


ENTRIES = f"""
SELECT 'person', u.address, NULL, NULL, {PERSON} FROM {JOIN} WHERE u.address IN (:exact, :base)
UNION ALL
SELECT 'alias', l.address, l.kind, l.expires, {PERSON} FROM alias l
  LEFT JOIN account a ON a.id = l.account_id
  LEFT JOIN directory_user u ON a.directory = 'sql' AND a.source_key = CAST(u.id AS TEXT)
  WHERE l.address IN (:exact, :base)
UNION ALL
SELECT 'tombstone', t.address, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM tombstone t
  WHERE t.address IN (:exact, :base)
"""


class Verifier(Protocol):
    """A password that only its directory can check (LDAP: by a bind)."""

    async def fits(self, secret: str) -> bool:
        """Raises DatabaseDown where nobody could find out."""
        ...


Stored = str | Verifier  # `{SCHEME}hash`, or who can check it


@dataclass(frozen=True)
class Login:
    """A person with the stored password."""

    person: Person
    stored: Stored

    def __repr__(self) -> str:
        return f"Login({self.person.account})"


class Directory(Protocol):
    """What every directory answers; addresses are folded."""

    async def facts(self, address: str) -> Facts: ...
    async def domain(self, name: str) -> DomainKind | None: ...
    async def login(self, address: str) -> Login | None: ...
    async def person(self, address: str) -> Person | None: ...
    async def people(self) -> list[Person]: ...
    async def by_account(self, account: int) -> Person | None: ...
    async def close(self) -> None: ...

    def nobody(self) -> Stored | None:
        """What the password of an unknown login is checked against, for equal work; None = our own slow hash."""
        ...


class SqlDirectory:
    """The directory in our own database."""

    def __init__(self, database: Database, opaque_domain: str) -> None:
        self._db = database
        self._opaque_domain = opaque_domain

    async def facts(self, address: str) -> Facts:
        """All that `outrider.addresses.judge` needs."""
        domain = domain_of(address)
        if domain == self._opaque_domain:
            return Facts(address, "opaque", opaque=await self._by_opaque(address.rpartition("@")[0]))
        found = await self._db.one(DomainRow, "SELECT kind, catch_all FROM domain WHERE name = :domain", domain=domain)
        if found is None:
            return Facts(address, None)
        base, _ = split_tag(address)
        rows = await self._db.all(EntryRow, ENTRIES, exact=address, base=base)
        return Facts(
            address,
            cast(Literal["own", "disposable", "external"], found.kind),
            exact=entry(rows, address),
            base=entry(rows, base) if base != address else Entry(),
            catch_all=await self.by_account(found.catch_all) if found.catch_all is not None else None,
        )

    async def domain(self, name: str) -> DomainKind | None:
        """What kind of domain of ours this is; None for everybody else's. The name is folded."""
        if name == self._opaque_domain:
            return "opaque"
        kind = await self._db.one(str, "SELECT kind FROM domain WHERE name = :name", name=name)
        return cast(DomainKind | None, kind)

    async def login(self, address: str) -> Login | None:
        """The person whose login this is, with the stored password."""
        row = await self._db.one(LoginRow, f"SELECT u.password, {PERSON} FROM {JOIN} WHERE u.address = :a", a=address)
        return Login(row.person, row.stored) if row is not None and row.person is not None else None

    async def person(self, address: str) -> Person | None:
        """The person whose own address this is."""
        row = await self._db.one(PersonRow, f"SELECT {PERSON} FROM {JOIN} WHERE u.address = :a", a=address)
        return row.person() if row is not None else None

    async def people(self) -> list[Person]:
        """Everybody, by address."""
        rows = await self._db.all(PersonRow, f"SELECT {PERSON} FROM {JOIN} ORDER BY u.address")
        return [person for row in rows if (person := row.person()) is not None]

    async def by_account(self, account: int) -> Person | None:
        """The person behind an `account.id`; None after its end."""
        row = await self._db.one(PersonRow, f"SELECT {PERSON} FROM {JOIN} WHERE a.id = :account", account=account)
        return row.person() if row is not None else None

    def nobody(self) -> None:
        """Our own slow hash is what everybody here has."""
        return

    async def close(self) -> None:
        """Nothing is held: the database belongs to whoever opened it."""

    async def _by_opaque(self, local: str) -> Person | None:
        row = await self._db.one(PersonRow, f"SELECT {PERSON} FROM {JOIN} WHERE a.opaque = :local", local=local)
        return row.person() if row is not None else None


class LoginRow:
    """A stored password and its person."""

    def __init__(self, stored: str, *person: object) -> None:
        self.stored = stored
        self.person = PersonRow(*person).person()  # type: ignore[arg-type]


def entry(rows: list[EntryRow], spelling: str) -> Entry:
    """The rows of one spelling as one entry."""
    person, alias, tombstone = None, None, False
    for row in rows:
        if row.spelling != spelling:
            continue
        match row.what:
            case "person":
                person = row.person
            case "alias":
                kind = cast(Literal["disposable", "permanent"], row.kind)
                alias = AliasFacts(kind, row.expires, row.person)
            case _:
                tombstone = True
    return Entry(person, alias, tombstone)
