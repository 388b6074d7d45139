"""Published test vectors of every kind of token."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from authd.methods import Match, Token, hotp, modhex, motp, totp, yubikey
from authd.methods.yubicloud import signature

RFC_KEY = b"12345678901234567890"
HOTP = Token(1, "hotp", RFC_KEY, "SHA1", 6, 30, last=-1, drift=0)


# HOTP: RFC 4226, appendix D, and codes with leading zeros from oathtool -----------------------------

RFC_4226 = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]


@pytest.mark.parametrize(("counter", "code"), [*enumerate(RFC_4226), (44, "000152"), (366, "000866"), (1828, "000801")])
def test_hotp(counter: int, code: str) -> None:
    assert hotp.code_at(RFC_KEY, counter, algorithm="SHA1", digits=6) == code
    assert hotp.match(replace(HOTP, last=counter - 1), code, 0) == Match(replace(HOTP, last=counter - 1), counter, 0)


# TOTP: RFC 6238, appendix B -------------------------------------------------------------------------

RFC_6238 = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize(
    ("time", "algorithm", "code"),
    [
        (time, algorithm, code)
        for time, *codes in RFC_6238
        for algorithm, code in zip(("SHA1", "SHA256", "SHA512"), codes, strict=True)
    ],
)
def test_totp(time: int, algorithm: str, code: str) -> None:
    # The appendix says 20 bytes for all; its own code repeats the digits to the hash's length.
    size = {"SHA1": 20, "SHA256": 32, "SHA512": 64}[algorithm]
    token = Token(1, "totp", (RFC_KEY * 4)[:size], algorithm, 8, 30, last=-1, drift=0)
    found = totp.match(token, code, time)
    assert found is not None
    assert found.step == time // 30


# mOTP: the reference implementation's tests (test_motp.c), and Aegis' -------------------------------


@pytest.mark.parametrize(
    ("secret", "pin", "step", "code"),
    [
        ("0123456789abcdef", "6666", 129612120, "6ed4e4"),
        ("0123456789abcdef", "6666", 129612130, "502a59"),
        ("0123456789abcdef", "1", 0, "bd94a4"),
        ("0123456789abcdef", "1", 4, "fb596e"),
        ("0123456789abcdef", "77777777", 129612244, "7abf75"),
        ("0123456789abcdef", "77777777", 129612253, "4d4ac4"),
        ("e3152afee62599c8", "1234", 165892298 // 10, "e7d8b6"),
        ("e3152afee62599c8", "1234", 123456789 // 10, "4ebfb2"),
        ("bbb1912bb5c515be", "9999", 1659540020 // 10, "ced7b1"),
        ("bbb1912bb5c515be", "9999", 1659540022 // 10, "ced7b1"),
        ("bbb1912bb5c515be", "9999", 1659539870 // 10, "1a14f8"),
        ("bbb1912bb5c515be", "9999", 1659539878 // 10, "1a14f8"),
    ],
)
def test_motp(secret: str, pin: str, step: int, code: str) -> None:
    assert motp.code_at(secret.encode(), pin.encode(), step) == code
    token = Token(1, "motp", secret.encode(), "MD5", 6, 10, last=-1, drift=0, extra=pin.encode())
    assert motp.match(token, code, step * 10) == Match(token, step, 0)


# Yubico OTP: yubico-c's test-vectors.txt and selftest.c ----------------------------------------------

COUNTING = "000102030405060708090a0b0c0d0e0f"
YUBICO = [  # key, otp, uid, session counter, use
    (COUNTING, "dvgtiblfkbgturecfllberrvkinnctnn", "010203040506", 1, 1),
    (COUNTING, "rnibcnfhdninbrdebccrndfhjgnhftee", "010203040506", 1, 2),
    (COUNTING, "iikkijbdknrrdhfdrjltvgrbkkjblcbh", "010203040506", 4095, 1),
    ("88" * 16, "dcihgvrhjeucvrinhdfddbjhfjftjdei", "888888888888", 0x0888, 0x88),  # the 0x8000 is Caps Lock
    ("00" * 16, "kkkncjnvcnenkjvjgncjihljiibgbhbh", "000000000000", 0, 0),
    ("c4422890653076cde73d449b191b416a", "iucvrkjiegbhidrcicvlgrcgkgurhjnj", "33c69e7f249e", 1, 0),
    ("ecde18dbe76fbd0c33330f1c354871db", "dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh", "8792ebfe26cc", 19, 17),
]
# Presses in a row of one key, from the tests of privacyIDEA and LinOTP.
SERIES_KEY, SERIES_UID = "9163508031b20d2fbb1868954e041729", "adb0ee7dd24a"
SERIES = [
    ("fcniufvgvjturjgvinhebbbertjnihit", 1, 0),
    ("tbkfkdhnfjbjnkcbtbcckklhvgkljifu", 1, 1),
    ("ktvkekfgufndgbfvctgfrrkinergbtdj", 1, 2),
    ("jbefledlhkvjjcibvrdfcfetnjdjitrn", 1, 3),
    ("druecevifbfufgdegglttghghhvhjcbh", 1, 4),
    ("krgevltjnujcnuhtngjndbhbiiufbnki", 2, 2),
]


def key(secret: str, uid: str, public_id: str = "", last: int = -1) -> Token:
    return Token(
        1, "yubikey", bytes.fromhex(secret), "", 0, 0, last=last, drift=0, extra=bytes.fromhex(uid), public_id=public_id
    )


@pytest.mark.parametrize(
    ("secret", "otp", "uid", "counter", "use"),
    [*YUBICO, *((SERIES_KEY, otp, SERIES_UID, counter, use) for otp, counter, use in SERIES)],
)
def test_yubico_otp(secret: str, otp: str, uid: str, counter: int, use: int) -> None:
    token = key(secret, uid, otp[:-32])
    assert yubikey.suffix(token, otp) == len(otp)
    found = yubikey.match(token, otp, 0)
    assert found is not None
    assert found.step == counter << 8 | use


def test_presses_in_a_row_are_each_good_once_and_in_their_order() -> None:
    token = key(SERIES_KEY, SERIES_UID)
    steps = []
    for otp, _, _ in SERIES:
        found = yubikey.match(token, otp, 0)
        assert found is not None
        assert yubikey.match(replace(token, last=found.step), otp, 0) is None
        steps.append(found.step)
        token = replace(token, last=found.step)
    assert steps == sorted(steps)
    assert all(yubikey.match(token, otp, 0) is None for otp, _, _ in SERIES)


@pytest.mark.parametrize(
    ("data", "value"),
    [("0001020304", 62919), ("fe", 4470), ("55aa00ff", 52149), ("010203040506307500093dfa60ea", 35339)],
)
def test_checksum(data: str, value: int) -> None:
    assert yubikey.crc(bytes.fromhex(data)) == value


def test_one_block_of_aes() -> None:
    found = yubikey.decrypted(b"abcdef0123456789", b"0123456789abcdef")
    assert found.hex() == "838a467f34639551755bd32a4a2f15e1"


@pytest.mark.parametrize(
    ("data", "text"), [(b"test", "ifhgieif"), (b"foobar", "hhhvhvhdhbid"), (bytes.fromhex("2d344e83"), "dteffuje")]
)
def test_modhex(data: bytes, text: str) -> None:
    assert modhex.encode(data) == text
    assert modhex.decode(text) == data


# The validation protocol: privacyIDEA's test ---------------------------------------------------------


def test_signature() -> None:
    import base64  # noqa: PLC0415

    asked = {
        "nonce": "blablafoo",
        "otp": "ececegecejeeedehfftnecrrfcfibfbklhvetghgrvtjdtvv",
        "timestamp": "time",
    }
    assert signature(base64.b64decode("LqeG/IZscF1f7/oGQBqNnGY7MLk="), asked) == "0KRJecfPNSrpZ79+xODbJl0HM8I="


def press(secret: bytes, uid: bytes, counter: int, use: int, *, crc: int | None = None) -> str:
    """What a key with these counters types."""
    block = uid + counter.to_bytes(2, "little") + b"\1\0\0" + bytes([use]) + b"\x12\x34"
    check = ~yubikey.crc(block) & 0xFFFF if crc is None else crc
    encryptor = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305
    return modhex.encode(encryptor.update(block + check.to_bytes(2, "little")) + encryptor.finalize())


def test_what_the_tests_press_is_what_keys_press() -> None:
    found = yubikey.match(key(COUNTING, "010203040506"), press(bytes.fromhex(COUNTING), bytes(range(1, 7)), 7, 9), 0)
    assert found is not None
    assert found.step == 7 << 8 | 9
