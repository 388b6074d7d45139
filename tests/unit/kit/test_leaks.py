"""The search for secrets finds them in every form that a protocol gives them, and nothing else."""

import base64

import pytest

from kit.leaks import Secrets, found

USER, PASSWORD, CODE = "alice@provider.example", "correct-horse-16", "048213"
APP = "abcdefgh" + "ijklmnop234567qrstuvwxyz"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def known() -> Secrets:
    known = Secrets()
    known.login(USER, PASSWORD)
    known.login(USER, PASSWORD + CODE)
    known.login(USER, APP)
    known.totp(TOTP)
    return known


def plain(secret: str, authorization: str = "") -> bytes:
    return base64.b64encode(f"{authorization}\0{USER}\0{secret}".encode())


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD.encode(),
        b"LOGIN " + PASSWORD.encode() + b"999999",
        base64.b64encode(PASSWORD.encode()),
        b"resp=" + plain(PASSWORD),
        b"resp=" + plain(PASSWORD + CODE),
        plain(PASSWORD + "999999", USER),
        APP[8:].encode(),
        plain(APP),
        b"otpauth://totp/x?secret=" + TOTP.encode(),
        base64.b32decode(TOTP),
        base64.b32decode(TOTP).hex().encode(),
        b"code " + CODE.encode() + b" is wrong",
        b"code='" + CODE.encode() + b"'",
    ],
)
def test_found(known: Secrets, text: bytes) -> None:
    hits = found(known, [("log", b"before " + text + b" after")])
    assert [place.partition(":")[0] for _, place in hits] == ["log"] * max(1, len(hits))
    assert not any(part in str(hits) for part in (PASSWORD, APP[8:], TOTP))


@pytest.mark.parametrize(
    "text",
    [
        b"app password abcdefgh was used",
        b"1" + CODE.encode(),
        b"0." + CODE.encode(),
        CODE.encode() + b".5",
        b"inode:" + CODE.encode(),
        USER.encode(),
        plain("another-password"),
    ],
)
def test_not_found(known: Secrets, text: bytes) -> None:
    assert found(known, [("log", b"before " + text + b" after")]) == []


def test_nothing_known_is_nothing_found() -> None:
    assert found(Secrets(), [("log", b"anything")]) == []


def test_what_is_short_is_found_by_chance_and_not_looked_for(known: Secrets) -> None:
    known.login(USER, "short")
    assert found(known, [("log", b"a short word")]) == []
