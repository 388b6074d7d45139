"""The scanner: whatever comes in, packets inside the caps come out, or BadCertificate; nothing is interpreted."""

import time

import pysequoia
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.certificates import Certificate, packet, usual
from outrider.openpgp import BadCertificate, clean, scan
from outrider.openpgp.framing import ALLOWED, MAX_INPUT, MAX_PACKET, MAX_PACKETS

MADE = 1_700_000_000
KEY = packet(6, b"\x04" + bytes(50))
USUAL = usual("alice@provider.example", MADE).raw


def refused(data):
    with pytest.raises(BadCertificate) as caught:
        scan(data)
    return caught.value.code


def old(tag, body, kind):
    """Old-format header (RFC 9580 section 4.2.2)."""
    return bytes([0x80 | tag << 2 | kind]) + len(body).to_bytes(1 << kind, "big") + body


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_old_format_headers(kind):
    body = b"\x04" + bytes(50)
    assert [frame.body for frame in scan(old(6, body, kind) + old(13, b"a", kind))] == [body, b"a"]


@pytest.mark.parametrize("size", [0, 191, 192, 8383, 8384, MAX_PACKET])
def test_new_format_lengths(size):
    if size < 192:
        head = bytes([size])
    elif size < 8384:
        head = bytes([(size - 192 >> 8) + 192, (size - 192) & 0xFF])
    else:
        head = b"\xff" + size.to_bytes(4, "big")
    assert scan(KEY + b"\xcd" + head + bytes(size))[1].body == bytes(size)


def test_user_attributes_are_dropped_with_their_signatures():
    attribute, signature, user_id = packet(17, b"\x01"), packet(2, b"x"), packet(13, b"a")
    found = scan(KEY + user_id + signature + attribute + signature + signature + user_id + signature)
    assert [frame.tag for frame in found] == [6, 13, 2, 13, 2]


@pytest.mark.parametrize("cut", range(1, len(USUAL)))
def test_a_cut_off_key_gives_fewer_packets_or_a_reason(cut):
    try:
        found = scan(USUAL[:cut])
    except BadCertificate:
        return
    assert b"".join(frame.raw for frame in found) == USUAL[:cut]


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_anything_at_all(data):
    for start in (b"", KEY, b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"):
        try:
            found = scan(start + data)
        except BadCertificate:
            continue
        assert all(frame.tag in ALLOWED for frame in found)


@pytest.mark.parametrize("how", ["flip", "insert", "cut"])
@pytest.mark.parametrize("value", [1, 0x20, 0xFF])
def test_keys_damaged_at_any_byte_are_cleaned_or_refused(how, value):
    """A kind of signature that does not exist, a date before 1970, a version 5 packet …: cleaned, or refused."""
    for at in range(len(USUAL)):
        check_damaged(at, value, how)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(USUAL) - 1), st.integers(0, 255), st.sampled_from(["flip", "insert", "cut"]))
def test_damaged_keys_are_cleaned_or_refused(at, value, how):
    check_damaged(at, value, how)


def check_damaged(at, value, how):
    damaged = bytearray(USUAL)
    if how == "flip":
        damaged[at] ^= value or 1
    elif how == "insert":
        damaged.insert(at, value)
    else:
        del damaged[at : at + value + 1]
    try:
        certificate = clean(bytes(damaged), lambda _: True)
    except BadCertificate:
        return
    assert len(certificate.body) <= len(damaged)
    assert clean(certificate.body, lambda _: True) == certificate


def test_more_bytes_than_the_cap():
    assert refused(KEY + bytes(MAX_INPUT)) == "large"
    assert refused(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + b"A" * MAX_INPUT) == "large"


def test_more_packets_than_the_cap():
    assert len(scan(KEY + packet(2, b"") * (MAX_PACKETS - 1))) == MAX_PACKETS
    assert refused(KEY + packet(2, b"") * MAX_PACKETS) == "packets"


def test_one_packet_larger_than_the_cap():
    assert refused(KEY + packet(13, bytes(MAX_PACKET + 1))) == "packet-large"


@pytest.mark.parametrize(("tag", "code"), [(13, "user-ids"), (14, "subkeys")])
def test_user_ids_and_subkeys(tag, code):
    assert len(scan(KEY + packet(tag, b"a") * 16)) == 17
    assert refused(KEY + packet(tag, b"a") * 17) == code


@pytest.mark.parametrize("tag", sorted(set(range(64)) - ALLOWED - {5, 7}))
def test_packets_that_do_not_belong(tag):
    assert refused(KEY + packet(tag, b"x")) == "packet"


@pytest.mark.parametrize("data", [b"\xcd\xe1a", b"\xcd\xfe" + bytes(9)])
def test_partial_lengths(data):
    assert refused(KEY + data) == "partial"


def test_indeterminate_length():
    assert refused(KEY + bytes([0x80 | 13 << 2 | 3]) + b"a") == "partial"


@pytest.mark.parametrize("version", [2, 3, 5, 7])
def test_other_versions(version):
    assert refused(packet(6, bytes([version]) + bytes(50))) == "version"


def test_private_keys_are_called_by_their_name():
    secret = pysequoia.Tsk.generate(user_id="A <a@provider.example>")
    armored = str(secret).encode()
    assert b"PRIVATE" in armored
    assert refused(armored) == "private"
    assert refused(bytes(secret)) == "private"
    assert refused(USUAL + packet(7, b"x")) == "private"
    assert refused(b"\xc5\xe1x") == "private"
    mislabelled = pysequoia.armor(bytes(secret), pysequoia.ArmorKind.PublicKey)
    assert refused(mislabelled.encode() if isinstance(mislabelled, str) else mislabelled) == "private"
    with pytest.raises(BadCertificate, match="PRIVATE key") as caught:
        scan(armored)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello", "not-a-key"),
        (b"-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n", "not-a-key"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA", "armor"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n-----END PGP PUBLIC KEY BLOCK-----", "empty"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!\n-----END PGP PUBLIC KEY BLOCK-----", "armor"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n\n-----END PGP PUBLIC KEY BLOCK-----", "empty"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" * 2, "several"),
        (USUAL + USUAL, "several"),
        (packet(13, b"a") + USUAL, "not-a-key"),
        (b"\x80", "framing"),
        (b"\xff" * 20, "packet"),
        (bytes(1 << 10), "not-a-key"),
    ],
    ids=range(14),
)
def test_input_that_is_no_key(data, code):
    assert refused(data) == code


def test_the_key_behind_many_signatures_of_nobody_costs_little():
    made = Certificate(MADE)
    made.user_id("A <alice@provider.example>")
    noise = packet(2, made.raw[-110:]) * 497
    started = time.process_time()
    certificate = clean(made.raw + noise[: MAX_INPUT - len(made.raw)], lambda _: True)
    assert time.process_time() - started < 2.5  # watchdog: five times the promise
    assert len(certificate.body) == len(made.raw)
