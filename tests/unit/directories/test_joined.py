"""An operator's directory and our store as one: who is who, what ends, what never comes back."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from kit.databases import NOW
from outrider.addresses import Alias, Dead, Mailbox, Unknown, resolve
from outrider.db import Database, DatabaseDown
from outrider.directories.joined import JoinedDirectory
from outrider.directories.people import JoinedPeople
from outrider.directories.source import SourcePerson
from outrider.directory import Stored
from outrider.people import People, Refused

ALICE = SourcePerson("a1", "alice@provider.example", True, "de", 1 << 30, "{ARGON2ID}alice")
BOB = SourcePerson("b2", "bob@customer.example", True, "", 0, "{ARGON2ID}bob")


class Source:
    """People in a list, aliases in a mapping; counts what it is asked."""

    name = "trial"

    def __init__(self) -> None:
        self.persons = [ALICE, BOB]
        self.aliases = {"info@provider.example": "a1"}
        self.domains: set[str] = set()
        self.rest: dict[str, str] = {}
        self.asked: list[str] = []
        self.down = False

    async def find(self, address: str) -> SourcePerson | None:
        self.asked.append(address)
        if self.down:
            raise DatabaseDown("trial: away")
        key = self.aliases.get(address)
        return next((one for one in self.persons if one.address == address or one.key == key), None)

    async def by_key(self, key: str) -> SourcePerson | None:
        return next((one for one in self.persons if one.key == key), None)

    async def catch_all(self, domain: str) -> SourcePerson | None:
        return await self.by_key(self.rest.get(domain, ""))

    async def people(self) -> list[SourcePerson]:
        return self.persons

    async def has_domain(self, domain: str) -> bool:
        return domain in self.domains

    def nobody(self) -> Stored | None:
        return "{ARGON2ID}nobody"

    async def close(self) -> None:
        return


@pytest.fixture
def source() -> Source:
    return Source()


@pytest_asyncio.fixture
async def joined(database: Database, people: People, source: Source) -> AsyncIterator[JoinedDirectory]:
    """`people` makes the domains known."""
    yield JoinedDirectory(database, source, "b.provider.example", "de")


@pytest.fixture
def writer(database: Database, joined: JoinedDirectory) -> JoinedPeople:
    return JoinedPeople(database, joined)


async def account_of(joined: JoinedDirectory, address: str) -> int:
    person = await joined.person(address)
    assert person is not None
    return person.account


async def give_alias(database: Database, account: int, address: str, expires: int | None = None) -> None:
    await database.transaction(
        [
            ("INSERT INTO tombstone (address, created) VALUES (:a, 0)", {"a": address}),
            (
                "INSERT INTO alias (address, account_id, kind, label, created, expires)"
                " VALUES (:a, :account, 'disposable', '', 0, :e)",
                {"a": address, "account": account, "e": expires},
            ),
        ]
    )


async def test_account_is_issued_once_and_follows_the_key(joined: JoinedDirectory, source: Source) -> None:
    account = await account_of(joined, ALICE.address)
    assert await account_of(joined, ALICE.address) == account
    assert await account_of(joined, BOB.address) != account
    source.persons[0] = replace(ALICE, address="alice.new@provider.example")
    assert await account_of(joined, "alice.new@provider.example") == account
    assert await joined.person(ALICE.address) is None


async def test_login_carries_what_the_directory_stores(joined: JoinedDirectory) -> None:
    found = await joined.login(ALICE.address)
    assert found is not None
    assert (found.stored, found.person.language, found.person.quota) == ("{ARGON2ID}alice", "de", 1 << 30)
    assert joined.nobody() == "{ARGON2ID}nobody"
    bob = await joined.person(BOB.address)
    assert bob is not None
    assert bob.language == "de"  # the configured one, where the directory says nothing


async def test_aliases_of_the_directory_receive_and_do_not_log_in(joined: JoinedDirectory) -> None:
    found = await resolve(joined, "info+x@provider.example", NOW)
    assert isinstance(found, Alias)
    assert (found.kind, found.person.address) == ("permanent", ALICE.address)
    assert await joined.login("info@provider.example") is None
    assert await joined.person("info@provider.example") is None


async def test_only_in_our_domains(joined: JoinedDirectory, source: Source) -> None:
    source.persons.append(replace(BOB, key="e", address="eve@elsewhere.example"))
    assert await joined.login("eve@elsewhere.example") is None
    assert await resolve(joined, "eve@elsewhere.example", NOW) == Unknown("eve@elsewhere.example", local=False)
    assert "eve@elsewhere.example" not in source.asked
    source.domains.add("elsewhere.example")
    assert await joined.login("eve@elsewhere.example") is not None
    assert await joined.domain("elsewhere.example") == "own"


async def test_nobody_lives_in_a_disposable_domain(joined: JoinedDirectory, source: Source) -> None:
    source.persons.append(replace(BOB, key="e", address="eve@tmp.provider.example"))
    assert await joined.login("eve@tmp.provider.example") is None
    assert await resolve(joined, "eve@tmp.provider.example", NOW) == Unknown("eve@tmp.provider.example", local=True)
    assert source.asked == []


@pytest.mark.parametrize("login", ["", "nobody@provider.example"])
async def test_unknown_logins(joined: JoinedDirectory, source: Source, login: str) -> None:
    assert await joined.login(login) is None
    assert len(source.asked) == (1 if login else 0)


async def test_end_is_for_ever(
    joined: JoinedDirectory, source: Source, writer: JoinedPeople, database: Database
) -> None:
    account = await account_of(joined, ALICE.address)
    await give_alias(database, account, "q@tmp.provider.example")
    await writer.set_catch_all("customer.example", account)
    assert isinstance(await resolve(joined, "any@customer.example", NOW), Alias)
    await writer.end(ALICE.address, NOW)
    for address in (ALICE.address, "q@tmp.provider.example", "info@provider.example"):
        assert await resolve(joined, address, NOW) == Dead(address)
    assert await resolve(joined, "any@customer.example", NOW) == Unknown("any@customer.example", local=True)
    assert await joined.person(ALICE.address) is None
    login = await joined.login(ALICE.address)
    assert login is not None
    assert login.person.ended
    assert await joined.by_account(account) is None
    assert [one.address for one in await joined.people()] == [BOB.address]
    with pytest.raises(Refused, match="no account"):
        await writer.end(ALICE.address, NOW)


async def test_key_that_comes_back_stays_ended(joined: JoinedDirectory, source: Source, writer: JoinedPeople) -> None:
    await writer.end(ALICE.address, NOW)
    source.persons = [replace(ALICE, address="other@provider.example")]
    login = await joined.login("other@provider.example")
    assert login is not None
    assert login.person.ended
    assert await resolve(joined, "other@provider.example", NOW) == Dead("other@provider.example")


async def test_tombstone_beats_the_directory(joined: JoinedDirectory, source: Source, writer: JoinedPeople) -> None:
    await writer.end(ALICE.address, NOW)
    source.persons = [replace(ALICE, key="successor"), BOB]
    assert await joined.login(ALICE.address) is None
    assert await joined.person(ALICE.address) is None
    assert await resolve(joined, ALICE.address, NOW) == Dead(ALICE.address)
    assert [one.address for one in await joined.people()] == [BOB.address]


async def test_given_alias_beats_the_directory(joined: JoinedDirectory, source: Source, database: Database) -> None:
    account = await account_of(joined, ALICE.address)
    await give_alias(database, account, BOB.address)
    found = await resolve(joined, BOB.address, NOW)
    assert isinstance(found, Alias)
    assert found.person.address == ALICE.address
    assert await joined.login(BOB.address) is None


async def test_what_we_decide_the_directory_is_not_asked(
    joined: JoinedDirectory, source: Source, database: Database
) -> None:
    account = await account_of(joined, ALICE.address)
    await give_alias(database, account, "q@tmp.provider.example", expires=NOW)
    source.asked.clear()
    assert await resolve(joined, "q@tmp.provider.example", NOW) == Dead("q@tmp.provider.example")
    assert isinstance(await resolve(joined, "q@tmp.provider.example", NOW - 1), Alias)
    assert isinstance(await resolve(joined, ALICE.address, NOW), Mailbox)
    assert source.asked == [ALICE.address]


async def test_disabled_on_either_side(joined: JoinedDirectory, source: Source, writer: JoinedPeople) -> None:
    await writer.set_enabled(ALICE.address, False, NOW)
    person = await joined.person(ALICE.address)
    assert person is not None
    assert not person.enabled
    assert isinstance(await resolve(joined, ALICE.address, NOW), Mailbox)
    await writer.set_enabled(ALICE.address, True, NOW)
    assert (await joined.person(ALICE.address) or person).enabled
    source.persons[0] = replace(ALICE, enabled=False)
    assert not (await joined.person(ALICE.address) or replace(person, enabled=True)).enabled


async def test_what_is_not_ours_to_change(writer: JoinedPeople) -> None:
    with pytest.raises(Refused, match="`trial`, which Outrider only reads"):
        await writer.add("new@provider.example", "{ARGON2ID}x", "de", 0, NOW)
    with pytest.raises(Refused, match="`trial`, which Outrider only reads"):
        await writer.set_password(ALICE.address, "{ARGON2ID}x", NOW)


async def test_whom_the_directory_has_deleted_can_be_ended(
    joined: JoinedDirectory, source: Source, writer: JoinedPeople
) -> None:
    await account_of(joined, ALICE.address)
    source.persons = [BOB]
    assert await resolve(joined, ALICE.address, NOW) == Unknown(ALICE.address, local=True)
    await writer.end(ALICE.address, NOW)
    assert await resolve(joined, ALICE.address, NOW) == Dead(ALICE.address)


async def test_end_meets_who_has_the_address_now(
    joined: JoinedDirectory, source: Source, writer: JoinedPeople, database: Database
) -> None:
    await account_of(joined, ALICE.address)
    source.persons = [replace(BOB, address=ALICE.address)]
    await writer.end(ALICE.address, NOW)
    ended = await database.all(str, "SELECT source_key FROM account WHERE ended IS NOT NULL")
    assert ended == ["b2"]


async def test_opaque_addresses(joined: JoinedDirectory, source: Source) -> None:
    person = await joined.person(ALICE.address)
    assert person is not None
    address = f"{person.opaque}@b.provider.example"
    found = await resolve(joined, address, NOW)
    assert isinstance(found, Alias)
    assert (found.kind, found.person) == ("opaque", person)
    source.persons = []
    assert await resolve(joined, address, NOW) == Dead(address)
    assert await joined.domain("b.provider.example") == "opaque"


async def test_everybody_gets_an_account(joined: JoinedDirectory, source: Source, database: Database) -> None:
    source.persons += [replace(BOB, key=f"k{n}", address=f"u{n}@provider.example") for n in range(1200)]
    source.persons.append(replace(BOB, key="x", address="x@elsewhere.example"))
    first = await joined.people()
    assert len(first) == 1202
    assert len({one.account for one in first}) == 1202
    assert [one.address for one in first] == sorted(one.address for one in first)
    source.persons[0] = replace(ALICE, address="moved@provider.example")
    assert {one.account for one in await joined.people()} == {one.account for one in first}
    assert await database.one(str, "SELECT seen FROM account WHERE source_key = 'a1'") == "moved@provider.example"


async def test_catch_alls_of_both_sides(joined: JoinedDirectory, source: Source, writer: JoinedPeople) -> None:
    source.rest = {"customer.example": "b2", "tmp.provider.example": "b2"}
    found = await resolve(joined, "any@customer.example", NOW)
    assert isinstance(found, Alias)
    assert (found.kind, found.person.address) == ("catch-all", BOB.address)
    await writer.set_catch_all("customer.example", await account_of(joined, ALICE.address))
    found = await resolve(joined, "any@customer.example", NOW)
    assert isinstance(found, Alias)
    assert found.person.address == ALICE.address
    assert isinstance(await resolve(joined, "any@tmp.provider.example", NOW), Unknown)


async def test_rows_of_other_directories_are_nobody(joined: JoinedDirectory, database: Database) -> None:
    """The operator has switched from our own tables to his: old aliases do not reach anybody by accident."""
    await database.run("INSERT INTO account (directory, source_key, opaque) VALUES ('sql', 'a1', 'uold')")
    [old] = await database.all(int, "SELECT id FROM account WHERE directory = 'sql'")
    await give_alias(database, old, "q@tmp.provider.example")
    assert await resolve(joined, "q@tmp.provider.example", NOW) == Dead("q@tmp.provider.example")
    assert await joined.by_account(old) is None
    assert await resolve(joined, "uold@b.provider.example", NOW) == Dead("uold@b.provider.example")


async def test_directory_away_is_later(joined: JoinedDirectory, source: Source) -> None:
    source.down = True
    with pytest.raises(DatabaseDown, match="trial: away"):
        await joined.login(ALICE.address)
    assert "TryLater" in type(await resolve(joined, ALICE.address, NOW)).__name__
