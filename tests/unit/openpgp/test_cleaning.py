"""What cleaning keeps, what it drops, and the reason it gives. Certificates are made by hand or by the library."""

import hashlib
import time

import pysequoia
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pysequoia.packet import PacketPile, Tag

from kit.certificates import YEAR, Certificate, EncryptionKey, SigningKey, number, packet, signature, subpacket, usual
from outrider.openpgp import BadCertificate, claimed, clean, encryptable, merge, only_address, scan

NOW = int(time.time())  # the library reads the wall clock; a key from an hour ago is never in its future
MADE = NOW - 3600
ALICE = "alice@provider.example"


def mine(address):
    return address == ALICE


def refused(data, owned=mine):
    with pytest.raises(BadCertificate) as caught:
        clean(data, owned)
    return caught.value.code


def tags(body):
    return [int(item.tag == Tag.Signature) and item.signature_type for item in PacketPile.from_bytes(body)]


def test_a_usual_key_is_kept_as_it_is():
    made = usual(ALICE, MADE, lasts=YEAR)
    certificate = clean(made.raw, mine)
    assert certificate.body == made.raw
    assert certificate.fingerprint == made.fingerprint
    assert certificate.addresses == (ALICE,)
    assert (certificate.version, certificate.algorithm, certificate.bits) == (4, 22, 255)
    assert (certificate.created, certificate.expires, certificate.encrypts_until) == (MADE, MADE + YEAR, MADE + YEAR)
    assert certificate.can_encrypt
    assert not certificate.revoked
    assert len(certificate.keys) == 2
    assert encryptable(certificate, NOW) is None


def test_armored_input_gives_the_same_and_the_armor_names_nobody():
    made = usual(ALICE, MADE)
    certificate = clean(made.raw, mine)
    mail = b"Here is my key:\r\n\r\n" + certificate.armored.replace(b"\n", b"\r\n") + b"\r\nBye"
    assert clean(mail, mine) == certificate
    assert b"Comment" not in certificate.armored


def test_only_owned_user_ids_are_kept():
    made = Certificate(MADE).user_id("Al <al@elsewhere.example>").user_id(f"Alice <{ALICE}>").user_id("Alice")
    made = made.user_id("Bob <bob@provider.example>").subkey(EncryptionKey(MADE))
    certificate = clean(made.raw, mine)
    assert [user_id.text for user_id in certificate.user_ids] == [f"Alice <{ALICE}>"]
    assert b"elsewhere" not in certificate.body
    assert b"bob@" not in certificate.body
    assert certificate.can_encrypt


def test_the_address_is_folded_before_anybody_is_asked():
    asked = []
    made = Certificate(MADE).user_id("Alice <ALICE@Provider.Example>").subkey(EncryptionKey(MADE))
    clean(made.raw, lambda address: not asked.append(address))
    assert asked == [ALICE]
    assert claimed(made.raw) == (ALICE,)


def test_no_owned_user_id():
    assert refused(usual("bob@provider.example", MADE).raw) == "no-address"
    assert refused(Certificate(MADE).user_id("Alice").raw) == "no-address"


@pytest.mark.parametrize(
    "text", ["Ali\nce <alice@provider.example>", "A\x00 <alice@provider.example>", "\u202e <alice@provider.example>"]
)
def test_unprintable_user_ids_are_nobodys(text):
    assert refused(Certificate(MADE).user_id(text).raw) == "no-address"


def test_a_forged_user_id_names_the_victim_as_its_signer():
    victim, mallory = Certificate(MADE).user_id("V <victim@provider.example>"), SigningKey(MADE)
    victim = victim.user_id(f"Alice <{ALICE}>", signer=mallory, issuer=victim.key.fingerprint)
    assert refused(victim.raw) == "no-signature"


def test_a_user_id_without_any_signature():
    made = usual("v@provider.example", MADE)
    assert refused(made.raw + packet(13, f"Alice <{ALICE}>".encode())) == "no-signature"


def test_a_forged_user_id_beside_a_good_one_is_dropped():
    made = usual(ALICE, MADE)
    made = made.user_id("Eve <eve@provider.example>", signer=SigningKey(MADE), issuer=made.key.fingerprint)
    certificate = clean(made.raw, lambda _: True)
    assert certificate.addresses == (ALICE,)
    assert b"eve@" not in certificate.body


def test_the_newest_self_signature_that_holds_is_kept_alone():
    made = Certificate(MADE).user_id(f"Alice <{ALICE}>", lasts=YEAR, created=MADE + 10)
    newer = made.certified(f"Alice <{ALICE}>", lasts=2 * YEAR, created=MADE + 20)
    forged = newer.certified(
        f"Alice <{ALICE}>", created=MADE + 30, signer=SigningKey(MADE), issuer=made.key.fingerprint
    )
    certificate = clean(forged.raw, mine)
    assert certificate.user_ids[0].created == MADE + 20
    assert certificate.expires == MADE + 2 * YEAR
    assert len(tags(certificate.body)) == 3


def test_signatures_of_others_local_signatures_and_photographs_are_dropped():
    made = Certificate(MADE).user_id(f"Alice <{ALICE}>")
    plain = clean(made.raw, mine)
    made.certified(f"Alice <{ALICE}>", kind=0x10, signer=SigningKey(MADE))
    made.certified(f"Alice <{ALICE}>", kind=0x13, created=MADE + 9, hashed=subpacket(4, b"\x00"))
    made.raw += packet(17, b"\x05\x01\xff\xd8\xff")
    made.signed(0x13, b"\xd1\x00\x00\x00\x05\x05\x01\xff\xd8\xff")
    assert clean(made.raw, mine) == plain


def test_an_old_self_signature_has_its_own_reason():
    rsa_key = SigningKey(MADE, rsa.generate_private_key(65537, 2048))
    made = Certificate(MADE, key=rsa_key).user_id(f"Alice <{ALICE}>", hash_name="sha1")
    assert refused(made.raw) == "old-signature"
    assert clean(made.certified(f"Alice <{ALICE}>").raw, mine).addresses == (ALICE,)


def test_an_old_signature_of_somebody_else_is_no_reason():
    made = Certificate(MADE)
    made.raw += packet(13, f"Alice <{ALICE}>".encode())
    stranger = SigningKey(MADE, rsa.generate_private_key(65537, 2048))
    assert refused(made.certified(f"Alice <{ALICE}>", signer=stranger, hash_name="sha1").raw) == "no-signature"


def test_a_short_key_is_too_weak():
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - on purpose
    made = Certificate(MADE, key=SigningKey(MADE, short)).user_id(f"A <{ALICE}>")
    assert refused(made.raw) == "weak"


def test_a_key_that_is_too_long_for_the_library():
    made = usual(ALICE, MADE)
    body = b"\x04" + MADE.to_bytes(4, "big") + b"\x01" + number((1 << 8191) + 1) + number(65537)
    fingerprint = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).digest()
    own = signature(made.key, 0x13, b"whatever", created=MADE, issuer=fingerprint)
    assert refused(packet(6, body) + packet(13, f"A <{ALICE}>".encode()) + packet(2, own)) == "long"


def test_the_first_user_id_gives_the_reason():
    made = Certificate(MADE).user_id(f"A <{ALICE}>", hashed=subpacket(3, (60).to_bytes(4, "big")))
    made.raw += packet(13, f"B <{ALICE}>".encode())
    assert refused(made.raw) == "signature-expired"


def test_a_self_signature_that_ran_out():
    made = Certificate(MADE).user_id(f"Alice <{ALICE}>", hashed=subpacket(3, (60).to_bytes(4, "big")))
    assert refused(made.raw) == "signature-expired"


def test_subkeys_grafted_from_another_key_are_dropped():
    bob_signs, bob_encrypts = SigningKey(MADE), EncryptionKey(MADE)
    bob = usual("bob@provider.example", MADE).subkey(bob_signs)
    alice = usual(ALICE, MADE)
    plain = clean(alice.raw, mine)
    own = alice.key.fingerprint
    grafts = [
        bob.raw[len(packet(6, bob.key.body)) :].split(packet(14, bob_signs.body))[1],  # with Bob's own binding
        Certificate(MADE, alice.key, b"-").subkey(bob_encrypts, signer=bob.key, issuer=own).raw[1:],  # a lie
    ]
    assert clean(alice.raw + packet(14, bob_signs.body) + grafts[0], mine) == plain
    assert clean(alice.raw + grafts[1], mine) == plain


def test_a_signing_subkey_must_have_signed_back():
    stolen = SigningKey(MADE)
    alice = usual(ALICE, MADE)
    plain = clean(alice.raw, mine)
    assert clean(alice.subkey(stolen, signs_back=False).raw, mine) == plain
    good = usual(ALICE, MADE).subkey(stolen)
    assert stolen.fingerprint.hex() in [key.fingerprint for key in clean(good.raw, mine).keys]


def test_a_back_signature_in_the_unhashed_area_counts():
    subkey = SigningKey(MADE)
    made = usual(ALICE, MADE)
    back = signature(subkey, 0x19, made.key.hashed + subkey.hashed, created=MADE)
    made.raw += packet(14, subkey.body)
    made.signed(0x18, subkey.hashed, hashed=subpacket(27, b"\x02"), unhashed=subpacket(32, back))
    assert len(clean(made.raw, mine).keys) == 3


def test_a_key_that_only_signs_is_kept_but_nothing_is_encrypted_to_it():
    certificate = clean(Certificate(MADE).user_id(f"Alice <{ALICE}>").subkey(SigningKey(MADE)).raw, mine)
    assert not certificate.can_encrypt
    assert encryptable(certificate, NOW).code == "sign-only"


def test_expiry_of_the_key_and_of_its_last_encryption_part():
    certificate = clean(usual(ALICE, MADE, lasts=YEAR).raw, mine)
    assert encryptable(certificate, MADE + YEAR - 1) is None
    assert encryptable(certificate, MADE + YEAR).code == "expired"
    shorter = Certificate(MADE).user_id(f"A <{ALICE}>", lasts=YEAR).subkey(EncryptionKey(MADE), lasts=60)
    assert clean(shorter.raw, mine).encrypts_until == MADE + 60
    assert encryptable(clean(shorter.raw, mine), NOW).code == "expired"
    two = shorter.subkey(EncryptionKey(MADE), lasts=YEAR)
    assert encryptable(clean(two.raw, mine), NOW) is None


def test_a_key_that_ran_out_long_ago_is_still_read():
    certificate = clean(usual(ALICE, NOW - 3 * YEAR, lasts=YEAR).raw, mine)
    assert certificate.expires == NOW - 2 * YEAR
    assert encryptable(certificate, NOW).code == "expired"


def test_a_revoked_key():
    certificate = clean(usual(ALICE, MADE).revoked().raw, mine)
    assert certificate.revoked
    assert certificate.addresses == (ALICE,)  # gpg skips a key without user ID, so the revocation would be lost
    assert encryptable(certificate, NOW).code == "revoked"


def test_a_forged_revocation_revokes_nothing():
    made = usual(ALICE, MADE)
    plain = clean(made.raw, mine)
    head = packet(6, made.key.body)
    forged = Certificate(MADE, made.key).signed(0x20, b"", signer=SigningKey(MADE), issuer=made.key.fingerprint)
    assert clean(forged.raw + made.raw[len(head) :], mine) == plain


def test_a_revoked_subkey_is_no_longer_encrypted_to():
    subkey = EncryptionKey(MADE)
    certificate = clean(Certificate(MADE).user_id(f"A <{ALICE}>").subkey(subkey).subkey_revoked(subkey).raw, mine)
    assert encryptable(certificate, NOW).code == "sign-only"
    forged = Certificate(MADE).user_id(f"A <{ALICE}>").subkey(subkey)
    forged.subkey_revoked(subkey, signer=SigningKey(MADE), issuer=forged.key.fingerprint)
    assert encryptable(clean(forged.raw, mine), NOW) is None


def test_a_revoked_user_id_is_kept_with_its_revocation_and_holds_no_address():
    made = Certificate(MADE).user_id(f"Alice <{ALICE}>")
    made.certified(f"Alice <{ALICE}>", kind=0x30, created=MADE + 5)
    certificate = clean(made.user_id("Alice <a@provider.example>").raw, lambda _: True)
    assert certificate.addresses == ("a@provider.example",)
    assert [user_id.revoked for user_id in certificate.user_ids] == [False, True]
    assert clean(certificate.body, lambda _: True).body == certificate.body


@pytest.mark.parametrize("order", [1, -1])
def test_merging_never_takes_a_revocation_back(order):
    subkey = EncryptionKey(MADE)
    before = Certificate(MADE).user_id(f"A <{ALICE}>").subkey(subkey)
    revoked = Certificate(MADE, before.key, before.raw).revoked().subkey_revoked(subkey)
    old, new = (revoked.raw, before.raw)[::order]
    merged = merge(clean(old, mine).body, new, mine)
    assert merged.revoked
    assert not merged.can_encrypt


def test_merging_takes_the_newer_expiry_and_new_subkeys():
    before = usual(ALICE, MADE, lasts=YEAR)
    later = Certificate(MADE, before.key).user_id(f"Somebody <{ALICE}>", lasts=2 * YEAR, created=MADE + 60)
    merged = merge(clean(before.raw, mine).body, later.subkey(EncryptionKey(MADE + 60)).raw, mine)
    assert merged.expires == MADE + 2 * YEAR
    assert len(merged.keys) == 3


def test_two_different_keys_do_not_merge():
    with pytest.raises(BadCertificate) as caught:
        merge(usual(ALICE, MADE).raw, usual(ALICE, MADE).raw, mine)
    assert caught.value.code == "other-key"


def test_the_hard_revocation_survives_a_flood_of_soft_ones():
    made = usual(ALICE, MADE)
    head, rest = packet(6, made.key.body), made.raw[len(packet(6, made.key.body)) :]
    hard = Certificate(MADE, made.key).signed(0x20, b"", created=MADE, hashed=subpacket(29, b"\x02"))
    soft = Certificate(MADE, made.key, b"-")
    for second in range(20):
        soft.signed(0x20, b"", created=MADE + second + 1, hashed=subpacket(29, b"\x03"))
    certificate = clean(hard.raw + soft.raw[1:] + rest, mine)
    kept = [frame.raw for frame in scan(certificate.body) if frame.body[1:2] == b"\x20"]
    assert certificate.revoked
    assert len(kept) == 8
    assert hard.raw[len(head) :] in kept


def test_one_address_alone():
    made = Certificate(MADE).user_id(f"Alice <{ALICE}>").user_id("A <a@provider.example>").subkey(EncryptionKey(MADE))
    certificate = clean(made.raw, lambda _: True)
    alone = only_address(certificate, ALICE)
    assert b"a@provider.example" in certificate.body
    assert b"A <a@provider.example>" not in alone
    assert clean(alone, lambda _: True).addresses == (ALICE,)
    assert clean(alone, mine).can_encrypt


SUITES = [
    pysequoia.CipherSuite.Cv25519,
    pysequoia.CipherSuite.P256,
    pysequoia.CipherSuite.P521,
    pysequoia.CipherSuite.Cv448,
]


@pytest.mark.parametrize("profile", [pysequoia.Profile.RFC4880, pysequoia.Profile.RFC9580], ids=["v4", "v6"])
@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_keys_of_the_library_keep_every_subkey(suite, profile):
    secret = pysequoia.Tsk.generate(user_id=f"Alice <{ALICE}>", profile=profile, cipher_suite=suite)
    certificate = clean(bytes(secret.extract_certificate()), mine)
    assert len(certificate.keys) == 3
    assert certificate.version == (6 if profile == pysequoia.Profile.RFC9580 else 4)
    assert certificate.can_encrypt
    assert certificate.bits in (255, 256, 448, 521)


def test_post_quantum_subkeys_are_kept_though_not_verified_here():
    suite = pysequoia.CipherSuite.MLDSA65_Ed25519
    secret = pysequoia.Tsk.generate(user_id=f"A <{ALICE}>", profile=pysequoia.Profile.RFC9580, cipher_suite=suite)
    certificate = clean(bytes(secret.extract_certificate()), mine)
    assert certificate.can_encrypt
    assert len(certificate.keys) == 1
    assert encryptable(certificate, NOW) is None


def test_the_revocation_that_the_library_makes():
    secret = pysequoia.Tsk.generate(user_id=f"Alice <{ALICE}>")
    public = secret.extract_certificate()
    first, *rest = [bytes(item) for item in PacketPile.from_bytes(bytes(public))]
    assert clean(first + bytes(public.revoke(secret.certifier())) + b"".join(rest), mine).revoked
