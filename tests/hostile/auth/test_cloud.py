"""Codes that validation servers verify: cases 46 to 53."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authd.breaker import FAILURES_MOST, OPEN_SECONDS
from authd.decide import Later, No, Why, Yes
from authd.methods.yubicloud import Outcome, judge
from authd.validation import Https, Unreachable, Validation
from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.validation_server import FAULTS, LIES, ValidationServer, Yubikey
from outrider.admin import Health

URL = "https://validation.example/wsapi/2.0/verify"


@pytest.fixture
async def key(house: House) -> AsyncIterator[Yubikey]:
    """bob's key, which the servers know."""
    one = house.cloud.know(Yubikey("ccccccbbddee"))
    await house.token(BOB, "yubicloud", public_id=one.public_id)
    yield one
    house.cloud.hanging.set()


async def failures(house: House) -> int:
    """What was counted against bob."""
    await house.ledger.write()
    return await house.database.one(int, "SELECT COALESCE(SUM(total), 0) FROM account_guard") or 0


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie != "an earlier answer"])
async def test_case_46_a_lie_is_never_yes_and_never_counted(house: House, key: Yubikey, lie: str) -> None:
    house.cloud.lie = lie
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
    assert await failures(house) == 0
    if lie not in ("redirect", "endless"):
        assert "yubicloud" in house.health.problems
    house.cloud.lie = ""
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    assert "yubicloud" not in house.health.problems


async def test_case_47_the_signed_answer_to_an_earlier_question(house: House, key: Yubikey) -> None:
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    house.cloud.lie = "an earlier answer"
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
    assert "another question" in house.health.problems["yubicloud"]


@pytest.mark.parametrize("status", ["BAD_OTP", "REPLAYED_OTP"])
async def test_case_48_no_is_no(house: House, key: Yubikey, status: str) -> None:
    house.cloud.status = status
    why = Why.SECRET_ONLY if status == "BAD_OTP" else Why.SPENT
    assert await house.login(BOB, PASSWORD + key.press()) == No(why, 2)


@pytest.mark.parametrize("status", ["NOT_ENOUGH_ANSWERS", "BACKEND_ERROR", "REPLAYED_REQUEST"])
async def test_case_49_a_server_that_cannot_find_out(house: House, key: Yubikey, status: str) -> None:
    house.cloud.status = status
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
    assert await failures(house) == 0


@pytest.mark.parametrize("status", ["BAD_SIGNATURE", "NO_SUCH_CLIENT", "OPERATION_NOT_ALLOWED", "MISSING_PARAMETER"])
async def test_case_49_what_an_operator_has_to_repair(house: House, key: Yubikey, status: str) -> None:
    house.cloud.status = status
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
    assert status in house.health.problems["yubicloud"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_case_49_a_server_in_trouble(
    house: House, key: Yubikey, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authd.validation.SECONDS", 0.05)
    house.cloud.fault = fault
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
    assert await failures(house) == 0


async def test_a_wrong_secret_asks_nobody(house: House, key: Yubikey) -> None:
    assert await house.login(BOB, "wrong" + key.press()) == No(Why.NOTHING, 2)
    assert await house.login(BOB, PASSWORD) == No(Why.NOTHING, 2)
    assert house.cloud.asked == []
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    assert len(house.cloud.asked) == 1


async def test_case_50_the_second_server_has_heard_of_it_from_the_first(house: House, key: Yubikey) -> None:
    urls = (URL, "https://second.example/wsapi/2.0/verify")
    house.validation._urls = urls
    for _ in range(3):
        assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    nonces = [asked["nonce"] for asked in house.cloud.asked]
    assert len(set(nonces)) == 3
    assert len(nonces) == 6  # the same nonce to both


@pytest.mark.parametrize("first", [Outcome.BUSY, Outcome.SEEN, Outcome.BAD, Outcome.UNBELIEVABLE])
async def test_case_50_one_signed_ok_is_enough(first: Outcome) -> None:
    good, other = ValidationServer(), ValidationServer()
    key = good.know(Yubikey("ccccccbbddee"))
    match first:
        case Outcome.BUSY:
            other.fault = "500"
        case Outcome.SEEN:
            other.status = "REPLAYED_REQUEST"
        case Outcome.UNBELIEVABLE:
            other.lie = "wrong h"

    async def fetch(url: str, query: str) -> bytes:
        return await (good if "second" in url else other).fetch(url, query)

    asked = validation(fetch, (URL, "https://second.example/"), good)
    assert (await asked.ask(key.press())).outcome is Outcome.GOOD


async def test_case_51_one_code_twice_at_once_and_servers_that_say_ok_to_both(house: House, key: Yubikey) -> None:
    house.cloud.status, house.cloud.counters = "OK", (7, 7)
    field = PASSWORD + key.press()
    verdicts = await asyncio.gather(*(house.login(BOB, field) for _ in range(8)))
    assert sum(isinstance(one, Yes) for one in verdicts) == 1
    assert len(house.cloud.asked) == 1
    assert await house.login(BOB, field) == No(Why.SPENT, 2)


async def test_case_52_counters_that_fall_behind_ours(
    house: House, key: Yubikey, caplog: pytest.LogCaptureFixture
) -> None:
    key.counter = 9
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    house.cloud.last.clear()  # the server was set back
    key.counter, key.use = 8, 0
    assert await house.login(BOB, PASSWORD + key.press()) == No(Why.SPENT, 2)
    assert "trouble=token" in caplog.text


async def test_case_53_after_five_failures_nobody_waits_and_other_tokens_work(house: House, key: Yubikey) -> None:
    house.cloud.fault = "500"
    for _ in range(FAILURES_MOST + 3):
        assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
        assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)
        house.later(3)
        house.now += 30
    assert await failures(house) == 0
    house.cloud.fault = ""
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)  # left alone
    assert house.cloud.asked == []
    house.later(OPEN_SECONDS)
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)


async def test_case_53_one_probe_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server, ticks = ValidationServer(fault="500"), [0.0]
    key = server.know(Yubikey("ccccccbbddee"))
    asked = validation(server.fetch, (URL,), server, ticks)
    for _ in range(FAILURES_MOST):
        await asked.ask(key.press())
    ticks[0] += OPEN_SECONDS
    server.fault = "hang"
    monkeypatch.setattr("authd.validation.SECONDS", 0.05)
    answers = await asyncio.gather(*(asked.ask(key.press()) for _ in range(4)))
    assert [answer.detail for answer in answers].count("no answer in time") == 1
    assert (await asked.ask(key.press())).detail.startswith("left alone")


def validation(fetch, urls: tuple[str, ...], server: ValidationServer, ticks: list[float] | None = None) -> Validation:  # type: ignore[no-untyped-def]
    now = ticks or [0.0]
    return Validation(
        urls, lambda: server.client, fetch, health=Health(), monotonic=lambda: now[0], random=lambda size: b"n" * size
    )


# Over TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("trouble", ["", *LIES, *FAULTS])
async def test_case_46_49_over_tls(
    trouble: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ValidationServer()
    key = server.know(Yubikey("ccccccbbddee"))
    https = Https(str(certificate[0]))
    async with server.serve(*certificate) as url:
        asked = validation(https.get, (url,), server)
        if trouble == "an earlier answer":
            assert (await asked.ask(key.press())).outcome is Outcome.GOOD
            asked._random = lambda size: b"m" * size
        if trouble == "hang":
            monkeypatch.setattr("authd.validation.SECONDS", 0.3)
        if trouble in LIES:
            server.lie = trouble
        server.fault = trouble if trouble in FAULTS else ""
        answer = await asked.ask(key.press())
        assert (answer.outcome is Outcome.GOOD) is (trouble == ""), answer
        assert answer.outcome in (Outcome.GOOD, Outcome.BUSY, Outcome.UNBELIEVABLE), answer


async def test_case_49_a_certificate_that_nobody_vouches_for(certificate: tuple[Path, Path]) -> None:
    server = ValidationServer()
    async with server.serve(*certificate) as url:
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            await Https().get(url, "")
        with pytest.raises(Unreachable, match="SSLCertVerificationError"):
            await Https(str(certificate[0])).get(url.replace("localhost", "127.0.0.1"), "")
    assert server.asked == []


@pytest.mark.parametrize("url", ["https://name.invalid/", "https://127.0.0.1:1/", "https://[::1]:1/"])
async def test_case_49_nobody_there(url: str) -> None:
    with pytest.raises(Unreachable):
        await Https().get(url, "")


def test_every_changed_byte_of_an_answer_is_seen_through() -> None:
    server, nonce = ValidationServer(), "n" * 32
    key = server.know(Yubikey("ccccccbbddee"))
    otp = key.press()
    counters = {"timestamp": "1", "sessioncounter": "1", "sessionuse": "0"}
    body = server.body({"otp": otp, "nonce": nonce, "status": "OK", **counters})
    assert judge(server.client, body, otp, nonce).outcome is Outcome.GOOD
    for at in range(len(body)):
        for byte in (body[at] ^ 1, ord("\n"), ord("="), 0xFF):
            changed = body[:at] + bytes([byte]) + body[at + 1 :]
            answer = judge(server.client, changed, otp, nonce)
            # A line end may be written otherwise; nothing that is said may.
            assert answer.outcome is not Outcome.GOOD or changed.split() == body.split(), changed
    for end in range(len(body.rstrip())):
        assert judge(server.client, body[:end], otp, nonce).outcome is not Outcome.GOOD
