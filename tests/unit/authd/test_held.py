"""Logins that are answered from what was read before: at once, and only while nothing was written."""

import sqlite3
from pathlib import Path

import pytest

from authd.decide import No, Request, Verdict, Why, Yes
from authd.held import MOST, Held
from kit.authd_house import ALICE, BOB, PASSWORD, House
from outrider.db.sqlite import SEEN_SECONDS, SqliteDatabase
from outrider.people import People

ALL = frozenset({"imap", "smtp", "web"})


def asked(field: str, service: str = "imap") -> Request:
    return Request(service, ALL, field)


async def login(house: House, user: str, field: str, service: str = "imap") -> Verdict:
    return await house.logins.judge(user, asked(field, service), lambda: True)


async def app_password(house: House) -> str:
    """Of alice, used before and held."""
    secret = await house.app_password(ALICE, "imap")
    house.logins._held = Held(house.database.version)
    for _ in range(2):  # the first writes down its use
        assert isinstance(await login(house, ALICE, secret), Yes)
    return secret


@pytest.fixture(autouse=True)
def sqlite_only(house: House) -> None:
    if house.database.dialect != "sqlite":
        pytest.skip("PostgreSQL does not tell when something changes")


async def test_the_next_login_reads_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = await app_password(house)
    monkeypatch.setattr(SqliteDatabase, "_read", None)
    verdict = house.logins.at_once(ALICE, asked(secret))
    assert isinstance(verdict, Yes)
    assert verdict.by == "app-password 1"


async def test_it_lets_in_nobody_else(house: House) -> None:
    secret = await app_password(house)
    wrong = secret[:8] + "a" * 24
    for user, request in (
        (ALICE, asked(wrong)),
        (BOB, asked(secret)),
        (ALICE, asked(secret, "smtp")),
        (ALICE, asked(secret, "web")),
        (ALICE, asked(secret, "pop3")),
        (ALICE, asked(PASSWORD + house.code())),
        (BOB, asked(PASSWORD)),
    ):
        assert house.logins.at_once(user, request) is None


async def test_every_change_holds_at_once(house: House, people: People) -> None:
    secret = await app_password(house)
    await people.set_enabled(ALICE, False, int(house.now))
    assert house.logins.at_once(ALICE, asked(secret)) is None
    assert await login(house, ALICE, secret) == No(Why.DISABLED, 1)
    await people.set_enabled(ALICE, True, int(house.now))
    assert isinstance(await login(house, ALICE, secret), Yes)
    assert isinstance(house.logins.at_once(ALICE, asked(secret)), Yes)
    await house.enrolment.answer("app-password revoke", {"account": ALICE, "app_password": 1})
    assert house.logins.at_once(ALICE, asked(secret)) is None


async def test_a_change_of_another_process_holds_at_once(house: House) -> None:
    secret = await app_password(house)
    database = house.database
    assert isinstance(database, SqliteDatabase)
    with sqlite3.connect(database.path) as other:
        other.execute("UPDATE app_password SET revoked = 1")
    database._seen = (0.0, database._seen[1])  # SEEN_SECONDS have passed
    assert house.logins.at_once(ALICE, asked(secret)) is None
    assert SEEN_SECONDS <= 0.001


async def test_time_goes_on(house: House) -> None:
    secret = await app_password(house)
    await house.database.run("UPDATE app_password SET expires = :end", end=int(house.now) + 60)
    assert isinstance(await login(house, ALICE, secret), Yes)
    assert isinstance(house.logins.at_once(ALICE, asked(secret)), Yes)
    house.now += 60
    assert house.logins.at_once(ALICE, asked(secret)) is None


async def test_a_replaced_or_missing_file_is_noticed(house: House) -> None:
    secret = await app_password(house)
    database = house.database
    assert isinstance(database, SqliteDatabase)
    Path(database.path).rename(f"{database.path}.old")  # noqa: ASYNC240 - the loop has nothing else to do
    database._seen = (0.0, database._seen[1])
    assert house.logins.at_once(ALICE, asked(secret)) is None


async def test_nothing_secret_is_kept_beside_the_row(house: House) -> None:
    secret = await app_password(house)
    (facts,) = house.logins._held._facts.values()
    assert facts.stored is None
    assert [(token.secret, token.extra) for token in facts.tokens] == [(None, None)]
    assert secret not in repr(house.logins._held._facts)


async def test_passwords_are_not_held_and_the_rest_is_bounded(house: House) -> None:
    await app_password(house)
    held = house.logins._held
    assert isinstance(await login(house, BOB, PASSWORD), Yes)
    assert [user for user, _ in held._facts] == [ALICE]
    facts, version = next(iter(held._facts.values())), held.now()
    for number in range(MOST + 1):
        held.put(f"{number}@provider.example", asked("a" * 32), facts, version)
    assert len(held._facts) <= MOST


async def test_what_was_read_before_a_change_is_not_kept(house: House) -> None:
    await app_password(house)
    held = house.logins._held
    facts, version = next(iter(held._facts.values())), held.now()
    await house.database.run("UPDATE app_password SET revoked = 1")
    held.put(ALICE, asked("a" * 32), facts, version)
    assert held.get(ALICE, asked("a" * 32)) is None
    held.put(ALICE, asked("a" * 32), facts, version)
    assert held.get(ALICE, asked("a" * 32)) is None
