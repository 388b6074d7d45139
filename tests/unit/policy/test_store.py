"""Aliases: made, found, ended, and never given out twice."""

import secrets
from collections.abc import Callable

import pytest

from outrider.addresses import Alias, Dead, Resolution, Unknown, owners, resolve
from outrider.db import Database
from outrider.directory import SqlDirectory
from outrider.people import People, Refused
from policy.store import ALPHABET, DAY_SECONDS, LOCAL_CHARACTERS, AliasStore

NOW = 1_800_000_000
DOMAIN = "tmp.provider.example"


async def account(people: People, directory: SqlDirectory, address: str) -> int:
    await people.add(address, "{X}x", "en", 0, NOW)
    person = await directory.person(address)
    assert person is not None
    return person.account


@pytest.fixture
async def alice(people: People, directory: SqlDirectory) -> int:
    return await account(people, directory, "alice@provider.example")


@pytest.fixture
def store(database: Database, directory: SqlDirectory) -> AliasStore:
    return AliasStore(database, directory)


async def means(directory: SqlDirectory, address: str, now: int = NOW) -> type[Resolution]:
    return type(await resolve(directory, address, now))


def test_local_part_has_65_bits_without_look_alikes() -> None:
    assert len(set(ALPHABET)) == 32
    assert LOCAL_CHARACTERS * 5 >= 60
    assert not set("01lo") & set(ALPHABET)
    assert ALPHABET.islower()


async def test_new_address_is_random_and_belongs_to_its_owner(
    store: AliasStore, directory: SqlDirectory, alice: int
) -> None:
    made = [await store.new(alice, DOMAIN, "shop", NOW, 30) for _ in range(20)]
    assert len({row.address for row in made}) == 20
    local, _, domain = made[0].address.partition("@")
    assert len(local) == LOCAL_CHARACTERS
    assert set(local) <= set(ALPHABET)
    assert domain == DOMAIN
    assert made[0].expires == NOW + 30 * 86_400
    found = await resolve(directory, made[0].address, NOW)
    assert isinstance(found, Alias)
    assert (found.person.account, found.kind, found.expires) == (alice, "disposable", made[0].expires)


async def test_valid_until_the_second_before_it_expires(store: AliasStore, directory: SqlDirectory, alice: int) -> None:
    row = await store.new(alice, DOMAIN, "", NOW, 30)
    assert row.expires is not None
    assert await means(directory, row.address, row.expires - 1) is Alias
    assert await means(directory, row.address, row.expires) is Dead
    assert await means(directory, row.address, row.expires + 1) is Dead


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        lambda address: address.replace("@", "+shop@"),
        lambda address: address.replace("@", "+Shop@").upper(),
        lambda address: '"' + address.replace("@", '"@'),
        lambda address: address + ".",
        lambda address: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in address),
    ],
)
async def test_every_spelling_lives_and_dies_with_it(
    store: AliasStore, directory: SqlDirectory, alice: int, spell: Callable[[str], str]
) -> None:
    row = await store.new(alice, DOMAIN, "", NOW, 1)
    spelled = spell(row.address)
    assert await means(directory, spelled, NOW + DAY_SECONDS - 1) is Alias
    assert await means(directory, spelled, NOW + DAY_SECONDS) is Dead
    assert await owners(directory, spelled, NOW) == ()


async def test_ended_alias_is_dead_at_once_and_for_ever(store: AliasStore, directory: SqlDirectory, alice: int) -> None:
    row = await store.new(alice, DOMAIN, "", NOW, 30)
    await store.end(row.address)
    assert await means(directory, row.address) is Dead
    assert await store.of_account(alice) == []
    with pytest.raises(Refused, match="there is no alias"):
        await store.end(row.address)


async def test_address_is_never_drawn_again(database: Database, directory: SqlDirectory, alice: int) -> None:
    letters = iter("a" * LOCAL_CHARACTERS + "a" * LOCAL_CHARACTERS + "b" * LOCAL_CHARACTERS)
    store = AliasStore(database, directory, lambda _: next(letters))
    first = await store.new(alice, DOMAIN, "", NOW, 30)
    await store.end(first.address)
    second = await store.new(alice, DOMAIN, "", NOW, 30)
    assert first.address == f"aaaaaaaaaaaaa@{DOMAIN}"
    assert second.address == f"bbbbbbbbbbbbb@{DOMAIN}"
    assert await means(directory, first.address) is Dead


async def test_broken_randomness_ends_in_a_refusal(database: Database, directory: SqlDirectory, alice: int) -> None:
    store = AliasStore(database, directory, lambda alphabet: alphabet[0])
    await store.new(alice, DOMAIN, "", NOW, 30)
    with pytest.raises(Refused, match="no free address"):
        await store.new(alice, DOMAIN, "", NOW, 30)
    assert len(await store.of_account(alice)) == 1


@pytest.mark.parametrize("fate", ["live", "ended"])
async def test_given_out_address_is_refused_as_account_and_as_alias(
    store: AliasStore, people: People, alice: int, fate: str
) -> None:
    """Permanent ones here: an account in a disposable domain is refused before anybody looks at the address."""
    row = await store.add(alice, "shop@customer.example", "", NOW)
    if fate == "ended":
        await store.end(row.address)
    for spelling in ("shop@customer.example", "SHOP@Customer.Example", '"shop"@customer.example'):
        with pytest.raises(Refused):
            await people.add(spelling, "{X}x", "en", 0, NOW)
        with pytest.raises(Refused):
            await store.add(alice, spelling, "", NOW)


async def test_account_in_a_disposable_domain_is_refused(store: AliasStore, people: People, alice: int) -> None:
    row = await store.new(alice, DOMAIN, "", NOW, 30)
    await store.end(row.address)
    with pytest.raises(Refused):
        await people.add(row.address, "{X}x", "en", 0, NOW)


async def test_permanent_alias_receives_and_sends(store: AliasStore, directory: SqlDirectory, alice: int) -> None:
    row = await store.add(alice, "Alice.Smith@provider.example", "", NOW)
    assert row.address == "alice.smith@provider.example"
    assert await means(directory, row.address, NOW + 10**9) is Alias
    assert await owners(directory, "alice.smith+x@provider.example", NOW) == ("alice@provider.example",)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("alice@provider.example", "is taken"),
        ("x@tmp.provider.example", "no domain for permanent aliases"),
        ("x@b.provider.example", "no domain for permanent aliases"),
        ("x@remote.example", "no domain for permanent aliases"),
        ("a+b@provider.example", "cannot hold a tag"),
    ],
)
async def test_permanent_alias_is_refused(store: AliasStore, alice: int, address: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        await store.add(alice, address, "", NOW)


async def test_address_that_only_the_catch_all_takes_can_become_an_alias(
    store: AliasStore, people: People, directory: SqlDirectory, alice: int
) -> None:
    bob = await account(people, directory, "bob@provider.example")
    await people.set_catch_all("customer.example", bob)
    await store.add(alice, "shop@customer.example", "", NOW)
    found = await resolve(directory, "shop@customer.example", NOW)
    assert isinstance(found, Alias)
    assert found.person.account == alice
    await store.end("shop@customer.example")
    assert await means(directory, "shop@customer.example") is Dead


async def test_aliases_of_an_ended_account_are_dead(
    store: AliasStore, people: People, directory: SqlDirectory, alice: int
) -> None:
    row = await store.new(alice, DOMAIN, "", NOW, 30)
    await people.end("alice@provider.example", NOW)
    assert await means(directory, row.address) is Dead
    assert await means(directory, "alice@provider.example") is Dead
    with pytest.raises(Refused):
        await people.add("alice@provider.example", "{X}x", "en", 0, NOW)


async def test_list_is_the_accounts_own_newest_first(
    store: AliasStore, people: People, directory: SqlDirectory, alice: int
) -> None:
    bob = await account(people, directory, "bob@provider.example")
    old = await store.new(alice, DOMAIN, "old", NOW, 30)
    new = await store.new(alice, DOMAIN, "new", NOW + 1, 30)
    await store.new(bob, DOMAIN, "", NOW, 30)
    assert await store.of_account(alice) == [new, old]


async def test_never_made_is_unknown(store: AliasStore, directory: SqlDirectory, people: People) -> None:
    local = "".join(secrets.choice(ALPHABET) for _ in range(LOCAL_CHARACTERS))
    assert await means(directory, f"{local}@{DOMAIN}") is Unknown
    assert await store.disposable_domains() == [DOMAIN]
