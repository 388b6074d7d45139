"""Guessing, and what it must not do to the owner: cases 61, 62, 67 to 72, 80, 81. Times are the injected clocks'."""

import asyncio

import pytest

from authd.decide import Later, No, Request, Verdict, Why, Yes
from authd.guards import CLOSE_AFTER, LOCK_AFTER, NOTICE_AFTER
from authd.limits import ACCOUNT_BURST, CODES_FREE, NETWORK_BURST, PAIR_FREE
from kit.authd_house import ALICE, BOB, PASSWORD, House
from outrider.check import findings

ALL = frozenset({"imap", "pop3", "smtp", "sieve", "dav", "web"})
OWNER, STRANGER = "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def no_waiting(house: House) -> None:
    """What is refused unjudged waits for as long as a hash takes: the cheap one takes nothing."""
    house.hashing.typical = 0.0


async def login(house: House, user: str, field: str, service: str = "web", address: str = OWNER) -> Verdict:
    return await house.logins.judge(user, Request(service, ALL, field, address), lambda: True)


async def guess(house: House, user: str, times: int, *, address: str = STRANGER, service: str = "web") -> int:
    """Different wrong passwords, one after the other; how many were judged."""
    before = house.hash.count
    for number in range(times):
        assert not isinstance(await login(house, user, f"guess {address} {number}", service, address), Yes)
    return house.hash.count - before


async def told(house: House, kind: str) -> int:
    await house.ledger.write()
    return await house.database.one(int, "SELECT COUNT(*) FROM notice WHERE kind = :kind", kind=kind) or 0


def later(house: House, seconds: float) -> None:
    house.now += seconds
    house.ticks += seconds


# 61, 62 -----------------------------------------------------------------------------------------------------


async def test_case_61_unknown_wrong_and_locked_are_one_refusal_with_the_work_of_one_hash(house: House) -> None:
    await house.database.run("UPDATE token SET locked = 1")
    fields = [(ALICE, PASSWORD + house.code()), (ALICE, "wrong" + house.code()), (ALICE, PASSWORD + "000000")]
    for user, field in [*fields, (ALICE, "wrong"), (BOB, "wrong"), ("nobody@provider.example", "wrong")]:
        before = house.hash.count
        assert isinstance(await login(house, user, field), No)
        assert house.hash.count == before + 1


@pytest.mark.parametrize(
    "user", ["*", "a)(uid=*", "a,dc=x", "A@EX.ORG", "x" * 300, "..", "%u", "a\r\nb", "a\tb", "\x01", "a@b@c", "ä@ö"]
)
async def test_case_62_names_that_mean_something_elsewhere_are_nobody(house: House, user: str) -> None:
    assert await login(house, user, PASSWORD) == No(Why.NOBODY)
    assert house.hash.count == 1


# 67, 68, 71: strangers --------------------------------------------------------------------------------------


async def test_case_67_a_thousand_guesses_from_one_address_slow_it_down_and_nobody_else(house: House) -> None:
    assert await guess(house, BOB, 1000) <= PAIR_FREE + 1
    assert isinstance(await login(house, BOB, PASSWORD, address=STRANGER), No)  # not even the right one is judged
    assert isinstance(await login(house, BOB, PASSWORD), Yes)
    later(house, 61)
    assert isinstance(await login(house, BOB, PASSWORD, address=STRANGER), Yes)


async def test_case_67_a_thousand_names_from_one_address_slow_it_down(house: House) -> None:
    names = [f"name{number}@provider.example" for number in range(1000)]
    for name in names:
        assert isinstance(await login(house, name, "guess", address=STRANGER), No)
    assert house.hash.count == NETWORK_BURST
    assert isinstance(await login(house, BOB, PASSWORD), Yes)


async def test_case_68_a_thousand_addresses_and_the_owner_from_a_known_network(house: House) -> None:
    assert isinstance(await login(house, BOB, PASSWORD), Yes)
    await house.ledger.write()
    for number in range(1000):
        await login(house, BOB, "guess", address=f"10.{number // 250}.{number % 250}.1")
    assert house.hash.count == 1 + ACCOUNT_BURST
    house.remembered._until.clear()
    assert isinstance(await login(house, BOB, PASSWORD, address="198.51.100.99"), Yes)
    assert isinstance(await login(house, BOB, PASSWORD, address="192.0.2.1"), Later)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code(), address="192.0.2.1"), Yes)


async def test_case_68_an_app_password_is_good_from_anywhere_whatever_strangers_do(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    for number in range(200):
        await login(house, ALICE, f"guess {number}", "imap", f"10.0.{number}.1")
    await guess(house, ALICE, 50, service="imap", address=OWNER)
    for address in (OWNER, "192.0.2.1", ""):
        assert isinstance(await login(house, ALICE, secret, "imap", address), Yes)


async def test_case_68_a_network_is_forgotten_after_thirty_days(house: House) -> None:
    assert isinstance(await login(house, BOB, PASSWORD), Yes)
    await house.ledger.write()
    later(house, 31 * 86400)
    for number in range(200):
        await login(house, BOB, "guess", address=f"10.0.{number}.1")
    house.remembered._until.clear()
    assert isinstance(await login(house, BOB, PASSWORD), Later)


async def test_case_71_a_64_of_ipv6_and_a_24_of_ipv4_count_as_one(house: House) -> None:
    for number in range(300):
        await login(house, BOB, f"guess {number}", address=f"2001:db8:1:2:{number:x}::1")
    assert house.hash.count <= PAIR_FREE + 1
    assert isinstance(await login(house, BOB, PASSWORD, address="2001:db8:1:2::7"), No)
    assert isinstance(await login(house, BOB, PASSWORD, address="2001:db8:1:3::7"), Yes)
    for number in range(250):
        await login(house, ALICE, f"guess {number}", address=f"192.0.2.{number}")
    assert isinstance(await login(house, ALICE, PASSWORD + house.code(), address="192.0.2.250"), No)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code(), address="192.0.3.1"), Yes)


async def test_a_limited_refusal_takes_the_time_of_a_hash(house: House) -> None:
    await guess(house, BOB, PAIR_FREE + 1)
    waited = []
    house.hashing.pretend = lambda: asyncio.sleep(0, waited.append(1))  # type: ignore[method-assign]
    verdict = await login(house, BOB, PASSWORD, address=STRANGER)
    assert (type(verdict), len(waited)) == (No, 1)


async def test_what_was_queued_behind_failures_is_judged_by_what_they_were(house: House) -> None:
    """A hundred connections at once get no more guesses than one after the other, but for those under way."""
    house.hash.gate.clear()
    tasks = [asyncio.create_task(login(house, BOB, f"guess {number}", address=STRANGER)) for number in range(100)]
    await house.hash.begun(2)
    house.hash.gate.set()
    await asyncio.gather(*tasks)
    assert house.hash.count <= PAIR_FREE + 3


# 69: who holds the token ------------------------------------------------------------------------------------


async def second_token(house: House) -> tuple[bytes, int]:
    first = house.secret
    number = await house.enrol(ALICE)
    second, house.secret = house.secret, first
    return second, number


async def wrong_secrets(house: House, times: int) -> None:
    for number in range(times):
        later(house, 61)
        assert isinstance(await login(house, ALICE, f"wrong {number % 3}" + house.code()), No)


async def test_case_69_ten_right_codes_beside_wrong_passwords_lock_that_token_alone(house: House) -> None:
    second, _ = await second_token(house)
    secret = await house.app_password(ALICE, "imap")
    await wrong_secrets(house, LOCK_AFTER)
    later(house, 61)
    refused = await login(house, ALICE, PASSWORD + house.code())
    assert isinstance(refused, No)
    assert refused.why is Why.LOCKED
    assert isinstance(await login(house, ALICE, secret, "imap"), Yes)
    house.secret = second
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)
    assert await told(house, "token-locked") == 1


async def test_case_69_nine_and_a_login_begin_anew(house: House) -> None:
    for _ in range(2):
        await wrong_secrets(house, LOCK_AFTER - 1)
        await house.ledger.write()
        later(house, 61)
        assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)
    assert await told(house, "token-locked") == 0


async def test_case_69_a_locked_token_is_never_a_way_around_it(house: House) -> None:
    """With its only token locked the account is not one without a second factor."""
    await wrong_secrets(house, LOCK_AFTER)
    await house.ledger.write()
    for field in (PASSWORD, PASSWORD + house.code()):
        assert isinstance(await login(house, ALICE, field, "imap"), No)
    answer = await house.desk.answer("token unlock", {"account": ALICE, "token": 1})
    assert answer == {"token": 1, "locked": False}
    later(house, 61)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)


async def test_case_69_one_mistyped_password_in_three_connections_is_one(house: House) -> None:
    for _ in range(LOCK_AFTER - 1):
        later(house, 61)
        field = "wrong" + house.code()
        await asyncio.gather(*(login(house, ALICE, field, "imap") for _ in range(3)))
    later(house, 61)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)


# 70: who knows the password ---------------------------------------------------------------------------------


async def wrong_codes(house: House, times: int, seconds: float = 3700.0) -> None:
    for number in range(times):
        later(house, seconds)
        assert isinstance(await login(house, ALICE, f"{PASSWORD}{number:06}", address=STRANGER), No)


async def test_case_70_a_hundred_wrong_codes_close_logins_with_codes_and_nothing_else(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    await wrong_codes(house, CLOSE_AFTER)
    later(house, 3700)
    refused = await login(house, ALICE, PASSWORD + house.code())
    assert isinstance(refused, No)
    assert refused.why is Why.CODES_CLOSED
    assert isinstance(await login(house, ALICE, secret, "imap"), Yes)
    assert await told(house, "codes-closed") >= 1
    assert await house.database.one(int, "SELECT COUNT(*) FROM account_guard WHERE closed IS NOT NULL") == 1


async def test_case_70_another_password_opens_what_was_closed(house: House) -> None:
    await wrong_codes(house, CLOSE_AFTER)
    await house.ledger.write()
    await house.database.run("UPDATE directory_user SET password = 'cheap:another'")
    later(house, 3700)
    assert isinstance(await login(house, ALICE, "another" + house.code()), Yes)


async def test_case_70_an_operator_opens_what_was_closed(house: House) -> None:
    await wrong_codes(house, CLOSE_AFTER)
    await house.desk.answer("account unlock", {"account": ALICE})
    later(house, 61)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)


async def test_case_70_ten_in_a_row_are_told_once_a_day_and_then_held_up(house: House) -> None:
    await wrong_codes(house, NOTICE_AFTER - 1, seconds=100)
    assert await told(house, "codes-wrong") == 0
    await wrong_codes(house, 1, seconds=100)
    assert await told(house, "codes-wrong") == 1
    await wrong_codes(house, CODES_FREE + 1 - NOTICE_AFTER, seconds=100)
    refused = await login(house, ALICE, PASSWORD + house.code(), address=STRANGER)
    assert isinstance(refused, No)
    assert refused.why is Why.CODES_LIMITED
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)  # from the owner's network
    assert await told(house, "codes-wrong") == 1


async def test_case_70_counts_outlive_the_process(house: House) -> None:
    await wrong_codes(house, CLOSE_AFTER // 2)
    await wrong_secrets(house, LOCK_AFTER // 2)
    await house.ledger.write()
    again = House(house.database, house.directory, house.key)
    again.secret, again.now, again.hashing.typical = house.secret, house.now, 0.0
    await wrong_codes(again, CLOSE_AFTER // 2)
    refused = await login(again, ALICE, PASSWORD + again.code())
    assert isinstance(refused, No)
    assert refused.why is Why.CODES_CLOSED
    again.hashing.close()


async def test_case_70_a_program_that_sends_one_code_over_eight_connections_closes_nothing(house: House) -> None:
    """Also where another process has let it in: what was good a moment ago is no guess."""
    other = House(house.database, house.directory, house.key)
    other.hashing.typical = 0.0
    for _ in range(CLOSE_AFTER + 1):
        later(house, 30)
        other.now, other.ticks = house.now, house.ticks
        field = PASSWORD + house.code()
        tries = [login(one, ALICE, field, "imap") for one in (house, other) for _ in range(4)]
        assert isinstance(await tries.pop(0), Yes)
        assert {type(verdict) for verdict in await asyncio.gather(*tries)} == {No}
    await house.ledger.write()
    await other.ledger.write()
    assert await house.database.one(int, "SELECT COUNT(*) FROM account_guard WHERE total > 0") == 0
    other.hashing.close()


# 72: no success of another credential takes anything back -------------------------------------------------------


async def test_case_72_an_app_password_takes_nothing_back(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    await guess(house, ALICE, PAIR_FREE + 1, service="imap")
    await wrong_secrets(house, LOCK_AFTER - 1)
    assert isinstance(await login(house, ALICE, secret, "imap", STRANGER), Yes)
    assert isinstance(await login(house, ALICE, secret, "imap"), Yes)
    await wrong_secrets(house, 1)
    later(house, 61)
    refused = await login(house, ALICE, PASSWORD + house.code())
    assert isinstance(refused, No)
    assert refused.why is Why.LOCKED


async def test_case_72_an_own_account_fills_no_network_bucket(house: House) -> None:
    for number in range(200):
        await login(house, f"name{number}@provider.example", "guess", address=STRANGER)
        await login(house, BOB, PASSWORD, address=STRANGER)
    assert house.hash.count <= NETWORK_BURST + 1


async def test_case_72_another_token_takes_nothing_back(house: House) -> None:
    second, _ = await second_token(house)
    first = house.secret
    await wrong_secrets(house, LOCK_AFTER - 1)
    house.secret = second
    later(house, 61)
    assert isinstance(await login(house, ALICE, PASSWORD + house.code()), Yes)
    house.secret = first
    await wrong_secrets(house, 1)
    later(house, 61)
    refused = await login(house, ALICE, PASSWORD + house.code())
    assert isinstance(refused, No)
    assert refused.why is Why.LOCKED


# Owners -----------------------------------------------------------------------------------------------------


async def test_a_right_password_where_an_app_password_is_wanted_is_told_once_per_program_and_day(house: House) -> None:
    await house.desk.answer("level set", {"account": ALICE, "level": 3})
    for service in ("imap", "imap", "submission", "imap"):
        before = house.hash.count
        refused = await login(house, ALICE, PASSWORD, service)
        assert isinstance(refused, No)
        assert refused.why is Why.APP_WANTED
        assert house.hash.count == before + 1
    assert await told(house, "password-needs-app-password") == 2
    later(house, 86400)
    await login(house, ALICE, PASSWORD, "imap")
    assert await told(house, "password-needs-app-password") == 3
    await login(house, ALICE, "wrong", "pop3")
    assert await told(house, "password-needs-app-password") == 3


async def test_a_program_with_a_stale_password_hinders_no_other_at_home(house: House) -> None:
    for _ in range(500):
        later(house, 300)
        assert isinstance(await login(house, BOB, "old password", "imap"), No)
    assert isinstance(await login(house, BOB, PASSWORD, "imap"), Yes)
    assert isinstance(await login(house, BOB, PASSWORD, "web"), Yes)


async def test_case_80_nothing_of_a_code_is_remembered(house: House) -> None:
    field = PASSWORD + house.code()
    assert isinstance(await login(house, ALICE, field, "imap"), Yes)
    for service, address in (("imap", OWNER), ("submission", OWNER), ("imap", STRANGER)):
        assert isinstance(await login(house, ALICE, field, service, address), No)


@pytest.mark.parametrize(("size", "fine"), [("0", True), ("0 B", True), ("10 M", False), ("1k", False)])
def test_case_81_dovecots_cache_of_logins_is_found_by_check(size: str, fine: bool) -> None:
    """It accepts a used code again, without asking: authd cannot see that, `outrider check` does."""
    found = findings("", "", f"auth_cache_size = {size}\n")
    assert next(one.fine for one in found if one.name == "no cache of logins") is fine
