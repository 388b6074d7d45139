"""Codes: cases 1 to 45. Times are the injected clock's."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from authd.decide import FIELD_LIMIT, Facts, Hash, Later, No, Request, Spend, Why, Yes, decide
from authd.methods import Token, hotp, motp, totp, yubikey
from kit.authd_house import ALICE, BOB, PASSWORD, SERVED, House
from kit.databases import NOW
from kit.validation_server import Yubikey

RFC = b"12345678901234567890"
HEX = "hex:" + RFC.hex()
OTHER = "another-secret-of-20"
MOTP, PIN = "0123456789abcdef", "6666"


@pytest.fixture(autouse=True)
def no_waiting(house: House) -> None:
    """What is refused unjudged waits for as long as a hash takes: the cheap one takes nothing."""
    house.hashing.typical = 0.0


def at(step: int, secret: bytes = RFC, digits: int = 6) -> str:
    return totp.code_at(secret, step, algorithm="SHA1", digits=digits)


async def yes(house: House, field: str, user: str = ALICE, service: str = "imap") -> bool:
    verdict = await house.login(user, field, service)
    assert isinstance(verdict, Yes | No), verdict
    return isinstance(verdict, Yes)


# TOTP -----------------------------------------------------------------------------------------------


async def test_case_01_the_same_code_twice(house: House) -> None:
    field = PASSWORD + house.code()
    assert await yes(house, field)
    assert not await yes(house, field)


async def test_case_02_the_same_code_from_eight_connections(house: House) -> None:
    field = PASSWORD + house.code()
    verdicts = await asyncio.gather(*(house.login(ALICE, field) for _ in range(8)))
    assert sum(isinstance(one, Yes) for one in verdicts) == 1


async def test_case_04_an_older_code_that_is_still_in_the_window(house: House) -> None:
    assert await yes(house, PASSWORD + house.code(1))
    assert not await yes(house, PASSWORD + house.code(0))


async def test_case_05_one_secret_of_two_accounts(house: House) -> None:
    for user in (ALICE, BOB):
        await house.token(user, "totp", secret=HEX)
    field = PASSWORD + at(NOW // 30)
    assert [await yes(house, field, user) for user in (ALICE, BOB, ALICE, BOB)] == [True, True, False, False]


@pytest.mark.parametrize(("steps", "good"), [(-1, True), (1, True), (-2, False), (2, False)])
async def test_case_06_the_window(house: House, steps: int, good: bool) -> None:
    await house.token(BOB, "totp", secret=HEX)
    assert await yes(house, PASSWORD + at(NOW // 30 + steps), BOB) is good


async def test_case_07_drift_is_learned_and_limited(house: House) -> None:
    token = await house.token(BOB, "totp", secret=HEX)
    await house.database.run("UPDATE token SET drift = 2 WHERE id = :token", token=token)
    field = PASSWORD + at(NOW // 30 + 3)
    assert await yes(house, field, BOB)
    assert not await yes(house, field, BOB)
    assert await house.database.one(int, "SELECT drift FROM token WHERE id = :token", token=token) == 2


async def test_case_08_forty_logins_each_a_step_late_walk_the_window_nowhere(house: House) -> None:
    token, seen = await house.token(BOB, "totp", secret=HEX), []
    for _ in range(40):
        house.later(60)
        await yes(house, PASSWORD + at(int(house.now) // 30 - 1), BOB)
        seen.append(await house.database.one(int, "SELECT drift FROM token WHERE id = :token", token=token))
    assert min(one for one in seen if one is not None) >= -2


async def test_case_09_a_clock_that_goes_back_makes_no_used_code_good(house: House) -> None:
    used = [PASSWORD + house.code(step) for step in range(2)]
    for field in used:
        assert await yes(house, field)
    house.now -= 600
    codes = [PASSWORD + house.code(step) for step in range(-1, 2)]
    assert not any([await yes(house, field) for field in (*used, *codes)])


@pytest.mark.parametrize("now", [0, 1, 29])
async def test_case_10_the_first_seconds_of_1970(house: House, now: int) -> None:
    await house.token(BOB, "totp", secret=HEX)
    house.now = now
    for code in ("000000", at(2**63 - 1), at(0xFFFFFFFFFFFFFFFF)):
        assert not await yes(house, PASSWORD + code, BOB)


async def test_case_11_the_year_2603(house: House) -> None:
    await house.token(BOB, "totp", secret=HEX, digits=8)
    house.now = 20000000000
    assert await yes(house, PASSWORD + "65353130", BOB)


# HOTP -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "good"), [(0, True), (1, True), (10, True), (11, False)])
async def test_case_12_look_ahead(house: House, ahead: int, good: bool) -> None:
    token = await house.token(BOB, "hotp", secret=HEX, counter=20)
    assert await yes(house, PASSWORD + at(20 + ahead), BOB) is good
    assert await house.last(token) == (20 + ahead if good else 19)


async def test_case_13_a_code_before_the_counter(house: House) -> None:
    await house.token(BOB, "hotp", secret=HEX, counter=20)
    assert not await yes(house, PASSWORD + at(19), BOB)
    assert await yes(house, PASSWORD + at(25), BOB)
    assert not any([await yes(house, PASSWORD + at(counter), BOB) for counter in range(18, 26)])


async def test_case_14_a_thousand_wrong_codes_move_nothing(house: House) -> None:
    token = await house.token(BOB, "hotp", secret=HEX, counter=20)
    right = {at(20 + ahead) for ahead in range(11)}
    for number in range(1000):
        house.later(3600)  # no limit answers instead
        wrong = f"{number * 997 % 1000000:06}"
        if wrong not in right:
            await house.login(BOB, PASSWORD[:-1] + wrong)
    house.later(3600)
    assert await house.last(token) == 19
    assert await yes(house, PASSWORD + at(20), BOB)


async def test_case_15_resync_by_two_codes_in_a_row_and_the_password(house: House) -> None:
    token = await house.token(BOB, "hotp", secret=HEX, counter=20)
    asked = {"account": BOB, "token": token, "password": PASSWORD}
    wrong = [
        [at(60), at(62)],  # not consecutive
        [at(61), at(60)],  # reversed
        [at(19), at(20)],  # the first one is used up
        [at(60), at(60)],
        [at(120), at(121)],  # too far
        [at(60)],
        [at(60), at(61), at(62)],
        at(60) + at(61),
        [60, 61],
    ]
    for codes in wrong:
        assert "error" in await house.ask("token resync", **asked, codes=codes), codes
    for password in (None, "", "wrong", 5):
        done = await house.ask("token resync", **{**asked, "password": password}, codes=[at(60), at(61)])
        assert "error" in done
    assert await house.last(token) == 19
    assert "error" not in await house.ask("token resync", **asked, codes=[at(60), at(61)])
    assert not await yes(house, PASSWORD + at(61), BOB)
    assert await yes(house, PASSWORD + at(62), BOB)
    assert "error" in await house.ask("token resync", **asked, codes=[at(60), at(61)])


@pytest.mark.parametrize("away", [-119, -40, 40, 119])
async def test_case_15_a_clock_that_is_far_off_is_found_and_stays_found(house: House, away: int) -> None:
    token = await house.token(BOB, "totp", secret=HEX)
    step = NOW // 30 + away
    assert not await yes(house, PASSWORD + at(step), BOB)
    asked = {"account": BOB, "token": token, "operator": True}
    assert "error" in await house.ask("token resync", **asked, codes=[at(step - 1), at(step + 1)])
    assert "error" in await house.ask("token resync", **asked, codes=[at(step), at(step - 1)])
    assert "error" not in await house.ask("token resync", **asked, codes=[at(step - 1), at(step)])
    for _ in range(4):  # the learned drift is counted from there
        house.later(300)
        step += 10
        assert not await yes(house, PASSWORD + at(step + 4), BOB)
        assert await yes(house, PASSWORD + at(step), BOB)


@pytest.mark.parametrize("away", [-121, 121])
async def test_case_15_a_clock_that_is_an_hour_off_is_not_found(house: House, away: int) -> None:
    token = await house.token(BOB, "totp", secret=HEX)
    step = NOW // 30 + away
    asked = {"account": BOB, "token": token, "operator": True, "codes": [at(step), at(step + 1)]}
    assert "error" in await house.ask("token resync", **asked)


@pytest.mark.parametrize(("counter", "code"), [(44, "000152"), (366, "000866"), (1828, "000801")])
async def test_case_16_leading_zeros(house: House, counter: int, code: str) -> None:
    await house.token(BOB, "hotp", secret=HEX, counter=counter)
    assert await yes(house, PASSWORD + code, BOB)


async def test_case_17_a_code_without_its_zeros(house: House) -> None:
    await house.token(BOB, "hotp", secret=HEX, counter=44)
    for field in (PASSWORD + "152", "p" + PASSWORD[:-3] + "152"):
        assert not await yes(house, field, BOB)


# The field ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["２８７０８２", "²⁸⁷⁰⁸²", "٢٨٧٠٨٢", "𝟐𝟖𝟕𝟎𝟖𝟐"])
async def test_case_18_digits_of_other_scripts(house: House, digits: str) -> None:
    await house.token(BOB, "hotp", secret=HEX, counter=1)  # 287082
    assert not await yes(house, PASSWORD + digits, BOB)
    assert await yes(house, PASSWORD + "287082", BOB)


@pytest.mark.parametrize("tail", ["\n", "\r", " ", "\t", "\0", "\u200b", "\u00a0", "\ufeff"])
async def test_case_19_something_after_the_code(house: House, tail: str) -> None:
    assert not await yes(house, PASSWORD + house.code() + tail)
    assert await yes(house, PASSWORD + house.code())


async def test_case_20_more_or_fewer_digits(house: House) -> None:
    code = house.code()
    for wrong in (code[1:], code[:-1], code + "0", "0" + code[:-1], code + code[:3], code * 2):
        assert not await yes(house, PASSWORD + wrong), wrong
    assert await yes(house, PASSWORD + code)


async def test_case_21_the_code_before_the_password(house: House) -> None:
    assert not await yes(house, house.code() + PASSWORD)


async def test_case_22_the_password_alone(house: House) -> None:
    assert not await yes(house, PASSWORD)
    assert not await yes(house, PASSWORD, service="web")


async def test_case_23_the_code_alone(house: House) -> None:
    await house.database.run("UPDATE directory_user SET password = 'cheap:'")  # even an empty password
    assert not await yes(house, house.code())


async def test_case_24_an_empty_field(house: House) -> None:
    before = house.hash.count
    assert await house.login(BOB, "") == No(Why.FIELD)
    assert house.hash.count == before  # no hash, and no bind either


@pytest.mark.parametrize("field", ["x" * (1 << 20), "1" * 100_000, "x" * (FIELD_LIMIT - 5) + "123456"])
async def test_case_25_endless_fields_cost_no_hash(house: House, field: str) -> None:
    before = house.hash.count
    assert await house.login(ALICE, field) == No(Why.FIELD)
    assert house.hash.count == before


async def test_case_26_what_is_not_unicode(house: House) -> None:
    for field in ("\ud800", PASSWORD + "\udcff" + house.code(), "\udcff" * 44):
        assert not await yes(house, field)


async def test_case_27_a_password_that_ends_in_digits(house: House) -> None:
    await house.database.run("UPDATE directory_user SET password = 'cheap:pass123456'")
    assert not await yes(house, "pass" + house.code())
    assert not await yes(house, "pass123456")
    assert await yes(house, "pass123456" + house.code())


async def test_case_28_a_password_that_ends_in_another_tokens_code(house: House) -> None:
    await house.token(ALICE, "hotp", secret=HEX)
    password = "pass" + at(0)
    await house.database.run("UPDATE directory_user SET password = :p", p=f"cheap:{password}")
    assert not await yes(house, password)
    assert await yes(house, password + house.code())
    assert await yes(house, password + at(0))


@pytest.mark.parametrize("password", ["a$b", "a;b,c", "a b", 'a"b', "a'b\\", "a\tb", "$", ";;", "%s%n", "a=b"])
async def test_case_29_passwords_with_letters_that_mean_something_elsewhere(
    house: House, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await house.database.run("UPDATE directory_user SET password = :p", p=f"cheap:{password}")
    assert await yes(house, password + house.code())
    if len(password) > 2:
        assert password not in caplog.text


def test_case_30_normal_forms() -> None:
    from outrider import passwords  # noqa: PLC0415

    composed, decomposed = "Gr\u00fc\u00dfe", "Gru\u0308\u00dfe"
    for stored in (passwords.hash_password(composed), passwords.hash_password(decomposed)):
        assert passwords.verify(stored, composed)
        assert passwords.verify(stored, decomposed)


# mOTP -----------------------------------------------------------------------------------------------


def mobile(seconds: int = 0, pin: str = PIN) -> str:
    return motp.code_at(MOTP.encode(), pin.encode(), (NOW + seconds) // 10)


async def test_case_31_upper_case_is_no_code(house: House) -> None:
    await house.token(BOB, "motp", secret=MOTP, pin=PIN)
    code = next(mobile(away) for away in range(0, 180, 10) if not mobile(away).isdigit())
    assert not await yes(house, PASSWORD + code.upper(), BOB)
    assert await yes(house, PASSWORD + code, BOB)


@pytest.mark.parametrize(("seconds", "good"), [(-180, True), (180, True), (-190, False), (190, False), (0, True)])
async def test_case_32_the_window_of_motp(house: House, seconds: int, good: bool) -> None:
    await house.token(BOB, "motp", secret=MOTP, pin=PIN)
    assert await yes(house, PASSWORD + mobile(seconds), BOB) is good


async def test_case_33_another_pin(house: House) -> None:
    await house.token(BOB, "motp", secret=MOTP, pin=PIN)
    assert await house.login(BOB, "wrong" + mobile(pin="6667")) == No(Why.NOTHING, 2)
    assert not await yes(house, PASSWORD + mobile(pin="6667"), BOB)


async def test_case_34_a_code_of_motp_is_good_once_in_its_six_minutes(house: House) -> None:
    await house.token(BOB, "motp", secret=MOTP, pin=PIN)
    assert await yes(house, PASSWORD + mobile(), BOB)
    for _ in range(4):
        house.later(60)
        assert not await yes(house, PASSWORD + mobile(), BOB)
        assert not await yes(house, PASSWORD + mobile(-10), BOB)


# Yubikeys whose keys we hold ------------------------------------------------------------------------


async def own_key(house: House, user: str = BOB) -> Yubikey:
    key = Yubikey()
    keys = {"public_id": key.public_id, "private_id": key.private_id.hex(), "aes_key": key.aes_key.hex()}
    await house.token(user, "yubikey", **keys)
    return key


async def test_case_35_a_wrong_checksum(house: House) -> None:
    key = await own_key(house)
    assert not await yes(house, PASSWORD + key.typed(9, 9, crc=0), BOB)
    assert await yes(house, PASSWORD + key.press(), BOB)


async def test_case_36_a_right_checksum_and_another_private_id(house: House) -> None:
    key = await own_key(house)
    assert not await yes(house, PASSWORD + key.typed(9, 9, private_id=b"\1\2\3\4\5\7"), BOB)


async def test_case_37_38_39_counters_only_grow(house: House) -> None:
    key = await own_key(house)
    assert await yes(house, PASSWORD + key.typed(5, 5), BOB)
    for counter, use in ((5, 5), (5, 4), (5, 0), (4, 6), (4, 255), (0, 255)):
        assert not await yes(house, PASSWORD + key.typed(counter, use), BOB), (counter, use)
    assert await yes(house, PASSWORD + key.typed(6, 0), BOB)
    assert not await yes(house, PASSWORD + key.typed(5, 255), BOB)


async def test_case_40_caps_lock_is_no_counter(house: House) -> None:
    key = await own_key(house)
    token = (await house.ask("token list", account=BOB))["tokens"][0]["token"]
    assert await yes(house, PASSWORD + key.typed(0x8003, 1), BOB)
    assert await house.last(token) == 3 << 8 | 1
    assert await yes(house, PASSWORD + key.typed(4, 0), BOB)


async def test_case_41_what_is_not_44_letters_of_modhex_is_never_decrypted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await own_key(house)
    otp = key.press()
    monkeypatch.setattr(yubikey, "decrypted", None)
    for wrong in (otp[1:], otp[:-1] + "a", otp[:-1] + "C", otp[:-1] + "\u0441", "a" * 44, otp[:12]):
        assert not await yes(house, PASSWORD + wrong, BOB), wrong
    monkeypatch.undo()
    assert not await yes(house, PASSWORD + otp + "c", BOB)  # a whole shape, but of another key
    house.later(3600)
    assert await yes(house, PASSWORD + otp, BOB)


DVORAK = str.maketrans("cbdefghijklnrtuv", "jxe.uidchtnbpygk")


@pytest.mark.parametrize("typed", [str.upper, lambda otp: otp.translate(DVORAK)], ids=["upper case", "Dvorak"])
@pytest.mark.parametrize("setting", [False, True])
async def test_case_42_other_keyboards_by_setting(house: House, typed: Callable[[str], str], setting: bool) -> None:
    key = await own_key(house)
    house.login_store._keyboards = setting
    assert await yes(house, PASSWORD + typed(key.press()), BOB) is setting
    assert await yes(house, PASSWORD + key.press(), BOB)


async def test_case_43_44_the_key_of_somebody_else_or_of_nobody(house: House) -> None:
    key = await own_key(house)
    other = Yubikey(public_id="vvccccbbddef", private_id=b"abcdef", aes_key=b"k" * 16)
    keys = {"public_id": other.public_id, "private_id": other.private_id.hex(), "aes_key": other.aes_key.hex()}
    await house.token(ALICE, "yubikey", **keys)
    assert not await yes(house, PASSWORD + other.press(), BOB)
    assert not await yes(house, PASSWORD + key.press(), ALICE)
    stolen = replace(key, public_id="vvccccbbddeg")  # its secrets under an id that nobody has
    assert not await yes(house, PASSWORD + stolen.press(), BOB)
    assert house.cloud.asked == []


async def test_case_44_a_foreign_key_is_never_asked_about(house: House) -> None:
    mine, other = house.cloud.know(Yubikey()), house.cloud.know(Yubikey(public_id="ccccccbbddef"))
    await house.token(BOB, "yubicloud", public_id=mine.public_id)
    assert not await yes(house, PASSWORD + other.press(), BOB)
    assert not await yes(house, PASSWORD + other.press(), ALICE)
    assert house.cloud.asked == []
    assert await yes(house, PASSWORD + mine.press(), BOB)


async def test_case_45_the_sealed_key_of_another_row_opens_nothing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can say whether it was moved or damaged: later, an alarm, and never yes."""
    key = await own_key(house, ALICE)
    keys = {"public_id": "vvccccbbddef", "private_id": "00" * 6, "aes_key": "00" * 16}
    token = await house.token(BOB, "yubikey", **keys)
    moved = "secret = o.secret, extra = o.extra, public_id = o.public_id FROM token o"
    await house.database.run(
        f"UPDATE token SET {moved} WHERE token.id = :b AND o.kind = 'yubikey' AND o.id <> :b", b=token
    )
    for field in (PASSWORD + key.press(), PASSWORD + Yubikey("vvccccbbddef", b"\0" * 6, b"\0" * 16).press()):
        assert isinstance(await house.login(BOB, field), Later)
    assert caplog.text.count(f"trouble=token token={token} ") == 1
    assert await yes(house, PASSWORD + key.press(), ALICE)


# No kind's code is another kind's -------------------------------------------------------------------


async def test_all_kinds_side_by_side_each_let_in_with_one_hash(house: House) -> None:
    key, far = await own_key(house), house.cloud.know(Yubikey("ccccccbbddee", b"uvwxyz", b"c" * 16))
    await house.token(BOB, "totp", secret=HEX)
    await house.token(BOB, "hotp", secret="hex:" + OTHER.encode().hex(), digits=8)
    await house.token(BOB, "motp", secret=MOTP, pin=PIN)
    await house.token(BOB, "yubicloud", public_id=far.public_id)
    eight = hotp.code_at(OTHER.encode(), 0, algorithm="SHA1", digits=8)
    for code in (key.press(), far.press(), at(NOW // 30), eight, mobile()):
        house.ticks += 3600  # nothing is remembered
        before = house.hash.count
        assert await yes(house, PASSWORD + code, BOB)
        assert house.hash.count == before + 1
        assert not await yes(house, PASSWORD + code, BOB)


def test_a_code_that_only_others_verify_is_asked_about_after_the_secret() -> None:
    token = Token(1, "yubicloud", b"ccccccbbddee", "", 0, 0, last=-1, drift=0)
    from outrider.addresses import Person  # noqa: PLC0415

    person = Person(7, ALICE, True, "en", 0, "u1")
    otp = Yubikey("ccccccbbddee").press()
    step = decide(
        Request("imap", SERVED, "secret" + otp), Facts(person=person, stored="s", level=4, tokens=(token,)), NOW
    )
    assert isinstance(step, Hash)
    assert step.secret == "secret"
    assert not isinstance(step.right, Yes | Spend)
    assert step.wrong == No(Why.NOTHING, 7)
