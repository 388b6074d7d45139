"""Enrolment: tokens, app passwords and levels, as the admin socket is asked for them."""

import asyncio

import pyotp
import pytest

from authd.enrol_access import APP_PASSWORDS_MOST
from authd.enrol_tokens import TOKENS_MOST
from authd.enrolment_store import PENDING_SECONDS, WRONG_CODES
from kit.authd_house import ALICE, BOB, House
from kit.databases import NOW
from outrider.people import People


async def ask(house: House, do: str, **named: object) -> dict[str, object]:
    return await house.enrolment.answer(do, dict(named))


async def add(house: House, account: str = BOB) -> tuple[int, pyotp.TOTP]:
    """A pending token, and an authenticator app that has scanned it."""
    done = await ask(house, "token add", account=account, kind="totp", label="phone")
    app = pyotp.parse_uri(str(done["uri"]))
    assert isinstance(app, pyotp.TOTP)
    assert app.secret == done["secret"]
    return int(str(done["token"])), app


async def test_an_authenticator_app_can_use_the_address(house: House) -> None:
    token, app = await add(house)
    assert (app.issuer, app.name, app.digits, app.interval) == ("provider.example", BOB, 6, 30)
    done = await ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW))
    codes = done.pop("recovery_codes")
    assert len(set(codes)) == 10
    assert done == {"token": token, "state": "active", "level": 3}
    assert await house.database.one(int, "SELECT last FROM token WHERE id = :t", t=token) == NOW // 30


async def test_a_first_token_sets_the_default_level_and_a_second_keeps_what_is_chosen(house: House) -> None:
    await ask(house, "level set", account=BOB, level=1)
    token, app = await add(house)
    assert (await ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW)))["level"] == 1


async def test_the_secret_lies_sealed_in_its_row(house: House) -> None:
    token, app = await add(house)
    sealed = await house.database.one(bytes, "SELECT secret FROM token WHERE id = :t", t=token)
    assert sealed is not None
    assert app.byte_secret() not in sealed
    account = (await house.enrolment.person({"account": BOB})).account
    assert house.keys.ring().open(sealed, "token", str(token), str(account), "totp", "secret") == app.byte_secret()


async def test_a_wrong_code_is_counted_and_five_end_the_token(house: House) -> None:
    token, app = await add(house)
    for _ in range(WRONG_CODES - 1):
        assert await ask(house, "token confirm", account=BOB, token=token, code="00000x") == {
            "error": "the code is wrong"
        }
    done = await ask(house, "token confirm", account=BOB, token=token, code="00000x")
    assert done == {"error": "too many wrong codes: the token is deleted"}
    done = await ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW))
    assert done == {"error": "the account has no such token"}


async def test_a_pending_token_is_forgotten_after_its_time(house: House) -> None:
    token, app = await add(house)
    house.now = NOW + PENDING_SECONDS
    done = await ask(house, "token confirm", account=BOB, token=token, code=app.at(int(house.now)))
    assert done == {"error": "the account has no such token"}
    await house.store.sweep(int(house.now))
    assert await house.database.all(int, "SELECT id FROM token WHERE state = 'pending'") == []


async def test_a_token_is_confirmed_once_and_by_its_owner_alone(house: House) -> None:
    token, app = await add(house)
    assert "error" in await ask(house, "token confirm", account=ALICE, token=token, code=app.at(NOW))
    assert "error" not in await ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW))
    assert "error" in await ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW))


async def test_a_row_whose_secret_was_never_stored_confirms_nothing(house: House) -> None:
    token, app = await add(house)
    await house.database.run("UPDATE token SET secret = :nothing WHERE id = :t", nothing=b"", t=token)
    assert "later" in await ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW))


async def test_list_and_disable(house: House) -> None:
    token, _ = await add(house)
    listed = (await ask(house, "token list", account=BOB))["tokens"]
    assert listed == [
        {
            "token": token,
            "kind": "totp",
            "label": "phone",
            "public_id": None,
            "state": "pending",
            "locked": False,
            "created": NOW,
            "confirmed": None,
        }
    ]
    assert await ask(house, "token disable", account=BOB, token=token) == {"token": token, "state": "disabled"}
    assert (await ask(house, "token list", account=BOB))["tokens"] == []
    assert "error" in await ask(house, "token disable", account=BOB, token=1)  # alice's
    assert await ask(house, "token disable", account=ALICE, token=1) == {"token": 1, "state": "disabled"}
    assert "error" in await ask(house, "token disable", account=ALICE, token=1)


async def test_there_is_an_end_to_tokens_and_app_passwords(house: House) -> None:
    for _ in range(TOKENS_MOST):
        await add(house)
    assert "error" in await ask(house, "token add", account=BOB, kind="totp")
    for _ in range(APP_PASSWORDS_MOST):
        await ask(house, "app-password add", account=BOB, scopes=["imap"])
    assert "error" in await ask(house, "app-password add", account=BOB, scopes=["imap"])


async def test_app_passwords(house: House) -> None:
    added = await ask(house, "app-password add", account=BOB, scopes=["smtp", "imap"], label="mutt", expires=NOW + 60)
    assert added["scopes"] == ["imap", "smtp"]
    assert len(str(added["secret"])) == 32
    number = added["app_password"]
    assert (await ask(house, "app-password list", account=BOB))["app_passwords"] == [
        {
            "app_password": number,
            "label": "mutt",
            "scopes": ["imap", "smtp"],
            "networks": [],
            "created": NOW,
            "expires": NOW + 60,
            "revoked": None,
            "used": None,
        }
    ]
    assert "error" in await ask(house, "app-password revoke", account=ALICE, app_password=number)
    assert await ask(house, "app-password revoke", account=BOB, app_password=number) == {
        "app_password": number,
        "revoked": True,
    }
    assert "error" in await ask(house, "app-password revoke", account=BOB, app_password=number)


async def test_a_prefix_that_exists_is_drawn_again(house: House) -> None:
    draws = iter([b"a" * 20, b"a" * 20, b"b" * 20])
    house.enrolment.access.random = lambda _: next(draws)
    first = await ask(house, "app-password add", account=BOB, scopes=["imap"])
    second = await ask(house, "app-password add", account=BOB, scopes=["imap"])
    assert first["secret"] != second["secret"]
    assert next(draws, None) is None


async def test_levels(house: House) -> None:
    assert await ask(house, "level get", account=BOB) == {"account": BOB, "level": None, "effective": 0}
    assert await ask(house, "level set", account=BOB, level=4) == {"account": BOB, "level": 4, "effective": 0}
    assert await ask(house, "level get", account=ALICE) == {"account": ALICE, "level": 4, "effective": 4}


@pytest.mark.parametrize(
    ("do", "named"),
    [
        ("nonsense", {}),
        ("token add", {}),
        ("token add", {"account": 5}),
        ("token add", {"account": "nobody@provider.example", "kind": "totp"}),
        ("token add", {"account": "not an address", "kind": "totp"}),
        ("token add", {"account": BOB, "kind": "telepathy"}),
        ("token add", {"account": BOB, "kind": "totp", "label": "x" * 101}),
        ("token add", {"account": BOB, "kind": "totp", "label": "a\nb"}),
        ("token confirm", {"account": ALICE, "token": "1", "code": "123456"}),
        ("token confirm", {"account": ALICE, "token": True, "code": "123456"}),
        ("token confirm", {"account": ALICE, "token": 1}),
        ("token disable", {"account": ALICE, "token": -1}),
        ("app-password add", {"account": BOB, "scopes": []}),
        ("app-password add", {"account": BOB, "scopes": "imap"}),
        ("app-password add", {"account": BOB, "scopes": ["web"]}),
        ("app-password add", {"account": BOB, "scopes": [["imap"]]}),
        ("app-password add", {"account": BOB, "scopes": ["imap"], "expires": NOW}),
        ("level set", {"account": BOB, "level": 5}),
        ("level set", {"account": BOB, "level": 1.5}),
    ],
)
async def test_questions_that_make_no_sense(house: House, do: str, named: dict[str, object]) -> None:
    assert list(await house.enrolment.answer(do, named)) == ["error"]


async def test_without_a_key_it_is_later(house: House) -> None:
    assert await ask(house, "ping") == {"pong": True}
    house.key.unlink()
    house.keys._ring = None
    assert "later" in await ask(house, "ping")
    assert "later" in await ask(house, "token add", account=BOB, kind="totp")


async def test_the_sweep_forgets_everything_of_an_ended_account(house: House, people: People) -> None:
    await house.app_password(ALICE, "imap")
    await house.app_password(BOB, "imap")
    await people.end(ALICE, NOW)
    await house.store.sweep(NOW)
    for table, left in (("token", 0), ("sign_in", 0), ("app_password", 1)):
        assert await house.database.one(int, f"SELECT COUNT(*) FROM {table}") == left


async def test_a_broken_random_source_is_no_endless_loop(house: House) -> None:
    house.enrolment.access.random = lambda size: b"a" * size
    assert "secret" in await ask(house, "app-password add", account=BOB, scopes=["imap"])
    assert "error" in await ask(house, "app-password add", account=BOB, scopes=["imap"])


async def test_of_eight_confirmations_with_one_code_one_succeeds(house: House) -> None:
    token, app = await add(house)
    asked = [ask(house, "token confirm", account=BOB, token=token, code=app.at(NOW)) for _ in range(8)]
    done = await asyncio.gather(*asked)
    assert sum("error" not in one for one in done) == 1


async def test_a_disabled_token_is_not_confirmed_into_life(house: House) -> None:
    before = await house.database.one(int, "SELECT confirmed FROM token")
    await ask(house, "token disable", account=ALICE, token=1)
    assert not await house.store.confirm(1, step=1, drift=0, level=3, now=NOW)
    assert await house.database.one(int, "SELECT confirmed FROM token") == before
