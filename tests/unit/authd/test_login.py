"""A login from credentials to verdict, over a real database."""

import asyncio
from dataclasses import replace

import pytest

from authd.decide import Later, No, Request, Verdict, Why, Yes
from authd.hashing import Hashing
from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.databases import NOW
from outrider.db import DatabaseDown
from outrider.people import People

ALL = frozenset({"imap", "pop3", "smtp", "sieve", "dav", "web"})


async def login(house: House, user: str, field: str, service: str = "imap", wanted: bool = True) -> Verdict:
    return await house.logins.judge(user, Request(service, ALL, field), lambda: wanted)


async def last(house: House) -> int:
    return await house.database.one(int, "SELECT last FROM token") or 0


async def test_password_and_code_let_in_once(house: House) -> None:
    field = PASSWORD + house.code()
    verdict = await login(house, ALICE, field)
    assert isinstance(verdict, Yes)
    assert verdict.person.address == ALICE
    assert await last(house) == NOW // 30
    assert await login(house, ALICE, field) == No(Why.SPENT, verdict.person.account)


async def test_one_code_from_eight_connections_lets_in_exactly_once(house: House) -> None:
    field = PASSWORD + house.code()
    verdicts = await asyncio.gather(*(login(house, ALICE, field) for _ in range(8)))
    assert sum(isinstance(verdict, Yes) for verdict in verdicts) == 1
    assert all(isinstance(verdict, Yes | No) for verdict in verdicts)


async def test_many_codes_from_eight_connections_each_let_in_exactly_once(house: House) -> None:
    for _ in range(20):
        house.now += 30
        field = PASSWORD + house.code()
        verdicts = await asyncio.gather(*(login(house, ALICE, field) for _ in range(8)))
        assert sum(isinstance(verdict, Yes) for verdict in verdicts) == 1


async def test_the_code_of_the_confirmation_is_used_up(house: House) -> None:
    assert isinstance(await login(house, ALICE, PASSWORD + house.code(-1)), No)


async def test_a_wrong_password_leaves_the_code_usable(house: House) -> None:
    assert isinstance(await login(house, ALICE, "wrong" + house.code()), No)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)


async def test_the_drift_moves_with_the_code_and_no_further(house: House) -> None:
    for round_ in range(1, 5):
        house.now += 300
        drift = min(round_ - 1, 2)
        assert isinstance(await login(house, ALICE, PASSWORD + house.code(drift + 1)), Yes)
        assert await house.database.one(int, "SELECT drift FROM token") == min(round_, 2)


@pytest.mark.parametrize("user", ["ALICE@Provider.Example", "alice@provider.example.", "ａlice@provider.example"])
async def test_a_login_is_folded(house: House, user: str) -> None:
    verdict = await login(house, user, PASSWORD + house.code())
    assert isinstance(verdict, Yes)
    assert verdict.person.address == ALICE


@pytest.mark.parametrize(
    ("user", "field", "service"),
    [
        ("nobody@provider.example", PASSWORD, "imap"),
        ("alice+tag@provider.example", PASSWORD, "imap"),
        ("alice", PASSWORD, "imap"),
        ("", PASSWORD, "imap"),
        ("*", PASSWORD, "imap"),
        ("a)(uid=*", PASSWORD, "imap"),
        ("%u@provider.example", PASSWORD, "imap"),
        ("a\tb\r\n\x01@provider.example", PASSWORD, "imap"),
        ("x" * 400 + "@provider.example", PASSWORD, "imap"),
        ("a' OR 1=1 --@provider.example", PASSWORD, "imap"),
        (BOB, "wrong", "imap"),
        (BOB, "a" * 32, "imap"),
        (ALICE, PASSWORD, "imap"),
        (ALICE, PASSWORD + "000000", "imap"),
        (ALICE, "wrong", "web"),
    ],
)
async def test_every_refusal_is_one_slow_hash_whoever_it_is(house: House, user: str, field: str, service: str) -> None:
    assert isinstance(await login(house, user, field, service), No)
    assert house.hash.count == 1


async def test_app_passwords(house: House) -> None:
    secret = await house.app_password(ALICE, "imap", "smtp")
    assert isinstance(await login(house, ALICE, secret), Yes)
    assert isinstance(await login(house, ALICE, secret, "submission"), Yes)
    assert house.hash.count == 0
    for user, service in ((ALICE, "pop3"), (ALICE, "web"), (BOB, "imap"), ("nobody@provider.example", "imap")):
        before = house.hash.count
        assert isinstance(await login(house, user, secret, service), No)
        assert house.hash.count == before + 1
    await house.enrolment.answer("app-password revoke", {"account": ALICE, "app_password": 1})
    assert isinstance(await login(house, ALICE, secret), No)


async def test_a_disabled_account_is_refused_with_everything(house: House, people: People) -> None:
    secret = await house.app_password(ALICE, "imap")
    await people.set_enabled(ALICE, False, NOW)
    for field in (secret, PASSWORD + house.code()):
        before = house.hash.count
        assert isinstance(await login(house, ALICE, field), No)
        assert house.hash.count == before + 1
    await people.set_enabled(ALICE, True, NOW)
    assert isinstance(await login(house, ALICE, secret), Yes)


async def test_an_ended_account_is_nobody(house: House, people: People) -> None:
    await people.end(BOB, NOW)
    assert await login(house, BOB, PASSWORD) == No(Why.NOBODY)
    assert house.hash.count == 1


async def test_a_disabled_token_counts_no_more(house: House) -> None:
    await house.enrolment.answer("token disable", {"account": ALICE, "token": 1})
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), No)
    assert isinstance(await login(house, ALICE, PASSWORD), Yes)


async def test_a_pending_token_counts_not_yet(house: House) -> None:
    await house.enrolment.answer("token add", {"account": BOB, "kind": "totp"})
    assert isinstance(await login(house, BOB, PASSWORD + house.code()), No)
    assert isinstance(await login(house, BOB, PASSWORD), Yes)


async def test_without_a_level_of_its_own_an_account_with_a_token_has_the_default(house: House) -> None:
    await house.database.run("DELETE FROM sign_in")
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), No)  # level 3
    assert isinstance(await login(house, ALICE, PASSWORD + house.code(), "web"), Yes)


# Could not find out -------------------------------------------------------------------------------


async def test_nobody_waits_any_more_so_nothing_is_spent(house: House) -> None:
    assert isinstance(await login(house, ALICE, PASSWORD + house.code(), wanted=False), Later)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)


async def test_no_key_no_verdict_until_it_is_there_again(house: House) -> None:
    house.key.chmod(0o444)
    house.keys._ring = None
    for user in (ALICE, BOB, "nobody@provider.example"):
        assert isinstance(await login(house, user, PASSWORD), Later)
    assert "read by group or others" in house.health.problems["key"]
    house.key.chmod(0o400)
    house.ticks += 5
    assert isinstance(await login(house, BOB, PASSWORD), Yes)


async def test_a_secret_moved_from_another_row_is_later(house: House) -> None:
    await house.database.run("UPDATE token SET account_id = (SELECT id FROM account WHERE id <> account_id)")
    assert isinstance(await login(house, BOB, PASSWORD + house.code(), "web"), Later)


async def test_a_flipped_bit_is_later(house: House) -> None:
    sealed = await house.database.one(bytes, "SELECT secret FROM token")
    assert sealed is not None
    await house.database.run("UPDATE token SET secret = :s", s=sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Later)


async def test_an_unknown_scheme_is_later(house: House) -> None:
    await house.database.run("UPDATE directory_user SET password = '{WHIRLPOOL}x'")
    house.logins._hashing = Hashing(1)
    assert isinstance(await login(house, BOB, PASSWORD), Later)
    house.logins._hashing.close()


async def test_the_real_hash_knows_its_own(house: House) -> None:
    from outrider.passwords import hash_password  # noqa: PLC0415

    await house.database.run("UPDATE directory_user SET password = :p", p=hash_password(PASSWORD))
    house.logins._hashing = Hashing(1)
    assert isinstance(await login(house, BOB, PASSWORD), Yes)
    assert isinstance(await login(house, BOB, "wrong"), No)
    assert isinstance(await login(house, "nobody@provider.example", PASSWORD), No)
    house.logins._hashing.close()


class Down:
    """A database verb that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __call__(self, *_: object, **__: object) -> None:
        raise self.error


@pytest.mark.parametrize("error", [DatabaseDown("gone"), RuntimeError("unexpected")])
@pytest.mark.parametrize("verb", ["one", "all", "run"])
async def test_a_database_that_is_gone_is_later(
    house: House, verb: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.database, verb, Down(error))
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Later)
    assert ("database" in house.health.problems) is isinstance(error, DatabaseDown)


async def test_all_threads_busy_is_later_and_not_wrong(house: House) -> None:
    house.hash.gate.clear()
    busy = Hashing(1, verify=house.hash.verify, burn=house.hash.burn, wait=0.01)
    house.logins._hashing = busy
    first = asyncio.create_task(login(house, BOB, PASSWORD))
    await house.hash.begun(1)
    assert isinstance(await login(house, BOB, PASSWORD), Later)
    house.hash.gate.set()
    assert isinstance(await first, Yes)
    assert isinstance(await login(house, BOB, PASSWORD), Yes)
    busy.close()


async def test_no_verdict_in_time_is_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authd.login.ANSWER_SECONDS", 0.01)
    house.hash.gate.clear()
    assert isinstance(await login(house, BOB, PASSWORD), Later)
    house.hash.gate.set()


async def test_a_hash_that_outlives_its_login_does_not_leak_its_thread(house: House) -> None:
    house.hash.gate.clear()
    tasks = [asyncio.create_task(login(house, BOB, PASSWORD)) for _ in range(2)]
    await house.hash.begun(2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    house.hash.gate.set()
    assert isinstance(await login(house, BOB, PASSWORD), Yes)


async def test_facts_never_show_a_secret(house: House) -> None:
    request = Request("imap", ALL, PASSWORD)
    assert house.secret
    known = await house.logins._facts(ALICE, request)
    assert known.tokens
    for one in (known, replace(known, level=1), request):
        assert repr(house.secret) not in repr(one)
        assert PASSWORD not in repr(one)
