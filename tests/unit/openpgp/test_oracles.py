"""Two programs that share no line with ours read what cleaning keeps: gpg, and PGPy where it is installed.

gpg also reads what came in. On the primary key, the owned user IDs and the live subkeys all must agree. (Ours drops one
thing more: a signing subkey that did not sign back.) PGPy is an oracle for the packets' structure alone: it lists
forged user IDs and foreign subkeys, so it sees the cleaned key only.
"""

import shutil
import subprocess
import time

import pytest

from kit.certificates import YEAR, Certificate, EncryptionKey, SigningKey, packet, subpacket, usual
from outrider.openpgp import clean

MADE = int(time.time()) - 3600
ALICE, BOB = "alice@provider.example", "bob@provider.example"


def named():
    return Certificate(MADE).user_id(f"Somebody <{ALICE}>", lasts=YEAR)


def with_subkey(made):
    """gpg takes user IDs only before the subkeys, as RFC 9580 section 10.1 has them."""
    return made.subkey(EncryptionKey(MADE), lasts=YEAR)


def plain():
    return usual(ALICE, MADE, lasts=YEAR)


def two_owned_of_three_user_ids():
    return with_subkey(named().user_id("Al <al@elsewhere.example>").user_id(f"B <{BOB}>", created=MADE + 1))


def many_subkeys():
    made = plain()
    for key in (SigningKey(MADE), EncryptionKey(MADE), SigningKey(MADE)):
        made = made.subkey(key)
    return made


def forged_user_id():
    made = named()
    return with_subkey(made.user_id(f"Eve <{BOB}>", signer=SigningKey(MADE), issuer=made.key.fingerprint))


def grafted_subkeys():
    made, mallory = plain(), SigningKey(MADE)
    return made.subkey(EncryptionKey(MADE), signer=mallory, issuer=made.key.fingerprint)


def noisy():
    made = named().certified(f"Somebody <{ALICE}>", kind=0x10, signer=SigningKey(MADE))
    made.raw += packet(17, b"\x05\x01\xff\xd8\xff")
    return with_subkey(made.signed(0x13, b"\xd1\x00\x00\x00\x05\x05\x01\xff\xd8\xff"))


def renewed():
    made = Certificate(MADE).user_id(f"Somebody <{ALICE}>", lasts=YEAR)
    made.certified(f"Somebody <{ALICE}>", lasts=2 * YEAR, created=MADE + 60)
    key = EncryptionKey(MADE)
    made.subkey(key, lasts=60)
    return made.signed(0x18, key.hashed, created=MADE + 60, hashed=subpacket(27, b"\x0c"))


def revoked_subkey():
    key = EncryptionKey(MADE)
    made = plain().subkey(key)
    return made.subkey_revoked(key)


def revoked_user_id():
    made = named().user_id(f"B <{BOB}>")
    return with_subkey(made.certified(f"B <{BOB}>", kind=0x30, created=MADE + 5))


def revoked():
    return plain().revoked()


def soft_revoked():
    return plain().revoked(reason=3)


CASES = [
    plain,
    two_owned_of_three_user_ids,
    many_subkeys,
    forged_user_id,
    grafted_subkeys,
    noisy,
    renewed,
    revoked_subkey,
    revoked_user_id,
    revoked,
    soft_revoked,
]


def cleaned(case):
    made = case()
    return made, clean(made.raw, lambda address: address in (ALICE, BOB))


def gpg_sees(home, raw):
    """What gpg has after importing: [(record, validity, name)] of keys, subkeys and owned user IDs, sorted."""
    home.mkdir(mode=0o700)
    gpg = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--no-autostart",
        "--no-auto-check-trustdb",
        "--with-colons",
        "--with-fingerprint",
    ]
    subprocess.run([*gpg, "--import"], input=raw, check=True, capture_output=True)
    listed = subprocess.run([*gpg, "--with-fingerprint", "--list-keys"], check=True, capture_output=True, text=True)
    rows = [line.split(":") for line in listed.stdout.splitlines()]
    keys = [(row[0], row[1], row[4], row[6]) for row in rows if row[0] in ("pub", "sub")]
    names = [(row[0], row[1], row[9], "") for row in rows if row[0] == "uid" and (ALICE in row[9] or BOB in row[9])]
    return sorted(keys + names)


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg is not installed")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_gpg_sees_the_same_before_and_after(case, tmp_path):
    made, certificate = cleaned(case)
    after = gpg_sees(tmp_path / "after", certificate.body)
    assert gpg_sees(tmp_path / "before", made.raw) == after
    ids = [row[2].lower() for row in after if row[0] in ("pub", "sub")]
    assert sorted(ids) == sorted(key.key_id for key in certificate.keys)
    assert (after[0][1] == "r") == certificate.revoked
    until = next(row[3] for row in after if row[0] == "pub")
    assert (int(until) if until else None) == certificate.expires


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_pgpy_reads_what_is_kept(case):
    pgpy = pytest.importorskip("pgpy", reason="PGPy is not installed (it does not run on Python 3.13)")
    _, certificate = cleaned(case)
    key, others = pgpy.PGPKey.from_blob(certificate.body)
    assert len(others) == 1
    assert key.fingerprint.replace(" ", "").lower() == certificate.fingerprint
    assert {one.lower() for one in key.subkeys} == {one.key_id for one in certificate.keys[1:]}
    assert {f"{one.name} <{one.email}>" for one in key.userids} == {one.text for one in certificate.user_ids}
    assert pgpy.PGPKey.from_blob(certificate.armored.decode())[0].fingerprint == key.fingerprint
