"""The SQL directory and the changes to it, on every engine."""

import pytest

from kit.databases import NOW
from outrider.addresses import Alias, Dead, Mailbox, Unknown, resolve
from outrider.db import Database
from outrider.directory import SqlDirectory
from outrider.people import People, Refused


async def add(people: People, address: str = "alice@provider.example") -> str:
    return await people.add(address, "{ARGON2ID}x", "de", 0, NOW)


async def test_account_in_every_spelling(people: People, directory: SqlDirectory) -> None:
    await add(people, "Alice@Provider.Example")
    for spelling in ("ALICE@provider.example", "alice+news@provider.example.", '"alice"@provider.example'):
        found = await resolve(directory, spelling, NOW)
        assert isinstance(found, Mailbox)
        assert found.person.address == "alice@provider.example"
    assert await resolve(directory, "bob@provider.example", NOW) == Unknown("bob@provider.example", local=True)
    assert await resolve(directory, "bob@elsewhere.example", NOW) == Unknown("bob@elsewhere.example", local=False)


async def test_end_is_for_ever(people: People, directory: SqlDirectory, database: Database) -> None:
    await add(people)
    person = await directory.person("alice@provider.example")
    assert person is not None
    await database.run(
        "INSERT INTO alias (address, account_id, kind, label, created, expires)"
        " VALUES ('q@tmp.provider.example', :account, 'disposable', '', 0, NULL)",
        account=person.account,
    )
    await people.set_catch_all("customer.example", person.account)
    assert isinstance(await resolve(directory, "any@customer.example", NOW), Alias)
    await people.end("alice@provider.example", NOW)
    assert await resolve(directory, "alice@provider.example", NOW) == Dead("alice@provider.example")
    assert await resolve(directory, "q@tmp.provider.example", NOW) == Dead("q@tmp.provider.example")
    assert await resolve(directory, "any@customer.example", NOW) == Unknown("any@customer.example", local=True)
    assert await directory.by_account(person.account) is None
    with pytest.raises(Refused, match="never comes back"):
        await add(people, "ALICE@provider.example")
    events = await database.all(str, "SELECT kind FROM account_event WHERE account_id = :a", a=person.account)
    assert events == ["ended"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("alice@provider.example", "is taken"),
        ("new@tmp.provider.example", "disposable addresses only"),
        ("new@elsewhere.example", "not a domain of this provider"),
        ("new+tag@provider.example", "cannot hold a tag"),
        ("alice+tag@provider.example", "cannot hold a tag"),
    ],
)
async def test_what_cannot_be_an_account(people: People, address: str, why: str) -> None:
    await add(people)
    with pytest.raises(Refused, match=why):
        await add(people, address)


async def test_account_in_a_catch_all_domain(people: People, directory: SqlDirectory) -> None:
    await add(people)
    person = await directory.person("alice@provider.example")
    assert person is not None
    await people.set_catch_all("customer.example", person.account)
    assert await add(people, "info@customer.example") == "info@customer.example"


async def test_disabled_still_receives(people: People, directory: SqlDirectory) -> None:
    await add(people)
    await people.set_enabled("alice@provider.example", False, NOW)
    found = await resolve(directory, "alice@provider.example", NOW)
    assert isinstance(found, Mailbox)
    assert not found.person.enabled


async def test_changed_password_is_told_once_a_day(people: People, database: Database) -> None:
    await add(people)
    for _ in range(2):
        await people.set_password("alice@provider.example", "{ARGON2ID}y", NOW)
    assert await database.all(str, "SELECT kind FROM notice") == ["password-changed"]
    assert await database.one(str, "SELECT password FROM directory_user") == "{ARGON2ID}y"
    with pytest.raises(Refused, match="no account"):
        await people.set_password("nobody@provider.example", "{ARGON2ID}y", NOW)
