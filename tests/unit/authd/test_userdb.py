"""Whose mailbox an address is; and the small rooms: granted logins, key file, settings."""

import dataclasses
from pathlib import Path

import pytest

from authd.granted import KEEP_MOST, KEEP_SECONDS, Connections, Granted
from authd.keys import Keys
from authd.settings import AuthdSettings
from authd.userdb import Entry, entry_of, fitting
from authd.watch import look
from kit.authd_house import ALICE, BOB, House
from kit.databases import NOW
from outrider.addresses import Person, TryLater
from outrider.db import DatabaseDown
from outrider.people import People
from outrider.sealed import KeyTrouble, new_key_line

PERSON = Person(7, "alice@provider.example", True, "en", 1 << 30, "u1")
OWNER = Entry(ALICE, {"uid": "vmail", "gid": "vmail", "home": "/var/vmail/provider.example/alice"})


async def alias(house: House, address: str, kind: str, expires: int | None = None) -> None:
    account = (await house.enrolment.person({"account": ALICE})).account
    await house.database.run(
        "INSERT INTO alias (address, account_id, kind, label, created, expires)"
        " VALUES (:address, :account, :kind, '', 0, :expires)",
        address=address,
        account=account,
        kind=kind,
        expires=expires,
    )


async def test_every_address_of_an_owner_has_all_fields_of_the_owner(house: House, people: People) -> None:
    await alias(house, "x1@tmp.provider.example", "disposable", NOW + 60)
    await alias(house, "shop@provider.example", "permanent")
    account = (await house.enrolment.person({"account": ALICE})).account
    await people.set_catch_all("customer.example", account)
    for address in (
        ALICE,
        "Alice@Provider.Example",
        "alice+tag@provider.example",
        "x1@tmp.provider.example",
        "x1+tag@tmp.provider.example",
        "shop@provider.example",
        "whatever@customer.example",
    ):
        assert await house.userdb.find(address) == OWNER


async def test_a_disposable_alias_dies_on_the_second(house: House) -> None:
    await alias(house, "x1@tmp.provider.example", "disposable", NOW + 60)
    house.now = NOW + 59
    assert await house.userdb.find("x1@tmp.provider.example") == OWNER
    house.now = NOW + 60
    assert await house.userdb.find("x1@tmp.provider.example") is None


@pytest.mark.parametrize(
    "address",
    ["nobody@provider.example", "x@tmp.provider.example", "a@remote.example", "", "a\tb@c", "��@provider.example"],
)
async def test_nobody_is_not_found(house: House, address: str) -> None:
    assert await house.userdb.find(address) is None


async def test_a_disabled_person_still_receives_an_ended_one_does_not(house: House, people: People) -> None:
    await people.set_enabled(ALICE, False, NOW)
    assert await house.userdb.find(ALICE) == OWNER
    await people.end(ALICE, NOW)
    assert await house.userdb.find(ALICE) is None


@pytest.mark.parametrize("error", [DatabaseDown("gone"), RuntimeError("unexpected")])
async def test_could_not_find_out_is_later(house: House, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    for verb in ("one", "all"):
        monkeypatch.setattr(house.database, verb, fail)
    assert isinstance(await house.userdb.find(ALICE), TryLater)
    assert isinstance(await house.userdb.names("*"), TryLater)


async def test_names_by_mask(house: House) -> None:
    assert await house.userdb.names("*") == [ALICE, BOB]
    assert await house.userdb.names("a*@provider.example") == [ALICE]
    assert await house.userdb.names("b?b@*") == [BOB]
    assert fitting("a.c", ["abc", "a.c"]) == ["a.c"]
    assert fitting("[ab]", ["a", "[ab]"]) == ["[ab]"]


def test_quota_in_the_words_of_each_release() -> None:
    both = AuthdSettings(), AuthdSettings(quota_field="quota_storage_size")
    rule, size = (entry_of(PERSON, settings).fields for settings in both)
    assert rule["quota_rule"] == f"*:bytes={1 << 30}"
    assert size["quota_storage_size"] == str(1 << 30)


def test_no_home_lies_inside_another() -> None:
    homes = {
        entry_of(dataclasses.replace(PERSON, address=f"{local}@b.example"), AuthdSettings()).fields["home"]
        for local in ("a", "a/b", "a=2Fb", "a%2Fb")
    }
    assert homes == {f"/var/vmail/b.example/{name}" for name in ("a", "a=2Fb", "a=3D2Fb", "a=252Fb")}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hash_threads", -1),
        ("hash_threads", 65),
        ("default_level", 5),
        ("issuer", "a:b"),
        ("mail_home", "/var/vmail/{domain}"),
        ("mail_home", "{domain}/{local}"),
    ],
)
def test_settings_that_make_no_sense_name_their_key(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        AuthdSettings(**{key: value})  # type: ignore[arg-type]


def test_a_granted_login_is_handed_over_once_to_whoever_knows_the_cookie() -> None:
    connections, granted = Connections(), Granted("secret", lambda: 0.0)
    connections.add(77, granted)
    granted.put(1, ALICE)
    assert connections.take(77, 1, "wrong") is None
    assert connections.take(78, 1, "secret") is None
    assert connections.take(77, 2, "secret") is None
    assert connections.take(77, 1, "sécret") is None
    assert connections.take(77, 1, "secret") == ALICE
    assert connections.take(77, 1, "secret") is None


def test_two_connections_may_have_one_cpid() -> None:
    connections = Connections()
    first, second = Granted("one", lambda: 0.0), Granted("two", lambda: 0.0)
    for granted, user in ((first, ALICE), (second, BOB)):
        connections.add(77, granted)
        granted.put(1, user)
    assert connections.take(77, 1, "two") == BOB
    connections.remove(77, second)
    connections.remove(77, second)
    assert connections.take(77, 1, "one") == ALICE
    connections.remove(77, first)
    assert connections._by_pid == {}


def test_a_granted_login_is_forgotten_in_time_and_in_number() -> None:
    now = [0.0]
    granted = Granted("c", lambda: now[0])
    granted.put(1, ALICE)
    granted.put(2, ALICE)
    granted.drop(2)
    assert granted.take(2, "c") is None
    now[0] = KEEP_SECONDS
    assert granted.take(1, "c") is None
    for number in range(KEEP_MOST + 10):
        granted.put(number, ALICE)
    assert len(granted._logins) == KEEP_MOST
    now[0] *= 3
    granted.put(1, ALICE)
    assert len(granted._logins) == 1


def test_the_original_of_a_copied_key_must_be_private_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, original = tmp_path / "copy", tmp_path / "etc"
    for folder, mode in ((copy, 0o400), (original, 0o444)):
        folder.mkdir()
        (folder / "auth.key").write_text(new_key_line())
        (folder / "auth.key").chmod(mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(copy))
    monkeypatch.setattr("authd.keys.SECRETS", original)
    keys = Keys("credential:auth.key", lambda: 0.0)
    with pytest.raises(KeyTrouble, match="can be read by group or others"):
        keys.ring()
    (original / "auth.key").chmod(0o400)
    assert Keys("credential:auth.key", lambda: 0.0).ring()


async def test_the_watch_says_trouble_and_recovery(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise DatabaseDown("gone")

    text = house.key.read_text()
    house.key.unlink()
    house.keys._ring = None
    with monkeypatch.context() as patch:
        patch.setattr(house.database, "one", fail)
        await look(house.database, house.keys, house.health)
    assert set(house.health.problems) == {"key", "database"}
    house.key.write_text(text)
    house.key.chmod(0o400)
    house.ticks += 5
    await look(house.database, house.keys, house.health)
    assert house.health.problems == {}
