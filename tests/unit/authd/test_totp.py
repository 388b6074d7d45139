"""TOTP against RFC 6238's appendix B and against pyotp."""

import base64
import datetime
import hashlib
from dataclasses import replace

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.methods import Match, Token, totp

KEYS = {"SHA1": b"1234567890" * 2, "SHA256": b"1234567890" * 3 + b"12", "SHA512": b"1234567890" * 6 + b"1234"}
VECTORS = {  # RFC 6238, appendix B: 8 digits, 30 s
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}
CASES = [(t, kind, code) for t, codes in VECTORS.items() for kind, code in zip(KEYS, codes, strict=True)]
NOW = 1_800_000_000
STEP = NOW // 30


def token(algorithm: str = "SHA1", digits: int = 6, *, last: int = -1, drift: int = 0, period: int = 30) -> Token:
    return Token(1, "totp", KEYS[algorithm], algorithm, digits, period, last, drift)


def code(step: int, one: Token) -> str:
    assert one.secret is not None
    return totp.code_at(one.secret, step, algorithm=one.algorithm, digits=one.digits)


@pytest.mark.parametrize(("t", "algorithm", "expected"), CASES)
def test_vectors_of_rfc_6238(t: int, algorithm: str, expected: str) -> None:
    one = token(algorithm, 8)
    assert totp.match(one, expected, t) == Match(one, t // 30, 0)


# RFC 4226, appendix D, and codes with leading zeros of the same key.
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]


@pytest.mark.parametrize(("step", "expected"), [*enumerate(HOTP), (44, "000152"), (366, "000866"), (1828, "000801")])
def test_vectors_of_rfc_4226(step: int, expected: str) -> None:
    assert totp.code_at(KEYS["SHA1"], step, algorithm="SHA1", digits=6) == expected


@given(st.binary(min_size=16, max_size=64), st.integers(0, 1 << 40), st.sampled_from(["SHA1", "SHA256", "SHA512"]))
@settings(max_examples=50, deadline=None)
def test_pyotp_agrees(secret: bytes, t: int, algorithm: str) -> None:
    for digits in (6, 8):
        oracle = pyotp.TOTP(
            base64.b32encode(secret).decode().rstrip("="),
            digits=digits,
            digest=getattr(hashlib, algorithm.lower()),
        )
        when = datetime.datetime.fromtimestamp(t % (1 << 37), datetime.UTC)
        step = int(when.timestamp()) // 30
        assert totp.code_at(secret, step, algorithm=algorithm, digits=digits) == oracle.at(when)


@pytest.mark.parametrize("away", [-1, 0, 1])
def test_a_step_on_either_side_is_right(away: int) -> None:
    one = token()
    assert totp.match(one, code(STEP + away, one), NOW) == Match(one, STEP + away, away)


@pytest.mark.parametrize("away", [-3, -2, 2, 3])
def test_two_steps_are_too_far(away: int) -> None:
    one = token()
    assert totp.match(one, code(STEP + away, one), NOW) is None


@pytest.mark.parametrize("last", [STEP, STEP + 1, STEP + 100])
def test_a_step_that_is_not_above_the_last_is_refused(last: int) -> None:
    one = token(last=last)
    assert totp.match(one, code(STEP, one), NOW) is None


def test_an_older_step_after_a_newer_one_is_refused() -> None:
    one = token(last=STEP)
    assert totp.match(one, code(STEP - 1, one), NOW) is None
    assert totp.match(one, code(STEP + 1, one), NOW) is not None


def test_a_learned_drift_moves_the_window_and_stays_within_its_limit() -> None:
    one = token(drift=2)
    assert totp.match(one, code(STEP + 3, one), NOW) == Match(one, STEP + 3, 2)
    assert totp.match(one, code(STEP, one), NOW) is None


def test_forty_late_logins_do_not_walk_the_window_away() -> None:
    one = token()
    for login in range(40):
        now = NOW + 60 * login
        late = now // 30 - 1
        match = totp.match(one, code(late, one), now)
        assert match is not None
        one = replace(one, last=match.step, drift=match.drift)
        assert -totp.DRIFT_LIMIT <= one.drift <= 0


def test_the_first_seconds_of_1970_are_no_negative_step() -> None:
    one = token()
    assert totp.match(one, code(0, one), 0) is not None
    assert totp.match(one, "000000", 29) is None
    assert totp.match(replace(one, drift=-2), "000000", 0) is None


def test_the_clock_set_back_does_not_revive_a_code() -> None:
    one = token(last=STEP)
    assert totp.match(one, code(STEP - 20, one), NOW - 600) is None


@pytest.mark.parametrize(
    "text",
    ["", "28708", "2870822", "２８７０８２", "²⁸⁷⁰⁸²", "٢٨٧٠٨٢", "287082\n", "287082 ", " 287082", "28708\0", "-28708"],
)
def test_only_ascii_digits_of_the_right_number(text: str) -> None:
    assert totp.match(token(), text, 59) is None


def test_leading_zeros_belong_to_the_code() -> None:
    one = token()
    assert totp.match(one, "000152", 44 * 30) is not None
    assert totp.match(one, "152", 44 * 30) is None


@pytest.mark.parametrize(
    ("field", "length"),
    [
        ("secret123456", 6),
        ("123456", 6),
        ("x12345", None),
        ("secret123456\n", None),
        ("secret１２３４５６", None),
        ("", None),
    ],
)
def test_suffix(field: str, length: int | None) -> None:
    assert totp.suffix(token(), field) == length


def test_a_period_of_a_minute() -> None:
    one = token(period=60)
    assert totp.match(one, code(NOW // 60, one), NOW) is not None


def test_a_token_that_cannot_be_opened_or_is_of_another_kind_matches_nothing() -> None:
    assert totp.match(replace(token(), secret=None), "287082", 59) is None
    assert totp.match(replace(token(), algorithm="MD5"), "287082", 59) is None
    assert totp.suffix(replace(token(), digits=7), "secret1234567") is None


def test_a_secret_never_shows_in_repr() -> None:
    assert "1234567890" not in repr(token())
