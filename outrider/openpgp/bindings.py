"""Does a key's signature over a subkey hold? The library has no call for that, so it is checked here.

pysequoia verifies user IDs and the revocation of a whole key (see clean.py) but keeps foreign
subkeys silently. A subkey that is not really bound would let its uploader be found under somebody
else's key id. RFC 9580 section 5.2.4 says what is hashed; `cryptography` does the arithmetic.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from outrider.openpgp.keys import EDDSA, PublicKey, Unknown, numbers, public_key

SUBKEY_BINDING, PRIMARY_BINDING, SUBKEY_REVOCATION = 0x18, 0x19, 0x28
EMBEDDED_SIGNATURE = 32  # subpacket, RFC 9580 section 5.2.3.34
KEY_FLAGS = 27
MAY_SIGN = 0x02

# RFC 9580 section 9.5. MD5 and RIPEMD-160 are left out: nobody may rely on them.
HASHES: dict[int, tuple[str, hashes.HashAlgorithm]] = {
    2: ("sha1", hashes.SHA1()),  # noqa: S303 - old bindings are only kept, encryption asks the library
    8: ("sha256", hashes.SHA256()),
    9: ("sha384", hashes.SHA384()),
    10: ("sha512", hashes.SHA512()),
    11: ("sha224", hashes.SHA224()),
    12: ("sha3_256", hashes.SHA3_256()),
    14: ("sha3_512", hashes.SHA3_512()),
}


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """A version 4 or 6 signature taken apart (RFC 9580 section 5.2.3)."""

    kind: int
    hash: int
    hashed: bytes  # subpackets that are signed
    unhashed: bytes
    salt: bytes
    prefix: bytes  # what is hashed of the signature itself
    material: bytes


def read_signature(body: bytes) -> SignatureParts:
    """Unknown for other versions and for a signature that is cut off."""
    width = {4: 2, 6: 4}.get(body[0] if body else 0)
    if width is None:
        raise Unknown
    at = 4
    hashed, at = _counted(body, at, width)
    prefix = body[:at]
    unhashed, at = _counted(body, at, width)
    at += 2  # left 16 bits of the digest
    salt = b""
    if width == 4:
        salt, at = _counted(body, at, 1)
    if at >= len(body):
        raise Unknown
    return SignatureParts(body[1], body[3], hashed, unhashed, salt, prefix, body[at:])


def _counted(body: bytes, at: int, width: int) -> tuple[bytes, int]:
    end = at + width + int.from_bytes(body[at : at + width], "big")
    if end > len(body):
        raise Unknown
    return body[at + width : end], end


def subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each subpacket (RFC 9580 section 5.2.3.7); stops where the area is damaged."""
    at = 0
    while at < len(area):
        octet = area[at]
        if octet < 192:
            size, start = octet, at + 1
        elif octet < 255:
            size, start = ((octet - 192) << 8) + int.from_bytes(area[at + 1 : at + 2], "big") + 192, at + 2
        else:
            size, start = int.from_bytes(area[at + 1 : at + 5], "big"), at + 5
        if size == 0 or start + size > len(area):
            return
        yield area[start] & 0x7F, area[start + 1 : start + size]
        at = start + size


def binding_holds(primary: bytes, subkey: bytes, signature: bytes) -> bool | None:
    """Is this binding or revocation of `subkey` really by `primary`? None = method unknown here.

    All three are packet bodies. A subkey that may sign must also have signed back (RFC 9580
    section 5.2.1.9), or anybody could claim somebody else's signing key as their own.
    """
    try:
        parts = read_signature(signature)
        if parts.kind not in (SUBKEY_BINDING, SUBKEY_REVOCATION):
            return False
        if not _verifies(primary, primary, subkey, parts):
            return False
        if parts.kind == SUBKEY_BINDING and may_sign(parts):
            return any(_signs_back(primary, subkey, back) for back in _embedded(parts))
    except Unknown:
        return None
    return True


def may_sign(parts: SignatureParts) -> bool:
    """The signing flag of a binding."""
    return any(kind == KEY_FLAGS and value[:1] and value[0] & MAY_SIGN for kind, value in subpackets(parts.hashed))


def _embedded(parts: SignatureParts) -> Iterator[bytes]:
    for area in (
        parts.hashed,
        parts.unhashed,
    ):  # GnuPG puts it in the unhashed area, Sequoia in the hashed one
        yield from (value for kind, value in subpackets(area) if kind == EMBEDDED_SIGNATURE)


def _signs_back(primary: bytes, subkey: bytes, signature: bytes) -> bool:
    parts = read_signature(signature)
    return parts.kind == PRIMARY_BINDING and _verifies(subkey, primary, subkey, parts)


def _verifies(signer: bytes, primary: bytes, subkey: bytes, parts: SignatureParts) -> bool:
    if parts.hash not in HASHES:
        raise Unknown
    name, algorithm = HASHES[parts.hash]
    digest = hashlib.new(name, _signed_data(primary, subkey, parts), usedforsecurity=False).digest()
    code, key = public_key(signer)
    try:
        _check(key, code, parts.material, digest, algorithm)
    except InvalidSignature:
        return False
    except (ValueError, OverflowError, UnsupportedAlgorithm):
        return False
    return True


def _signed_data(primary: bytes, subkey: bytes, parts: SignatureParts) -> bytes:
    """RFC 9580 section 5.2.4: salt, both keys, the signature's own head, its length."""
    trailer = bytes([parts.prefix[0], 0xFF]) + len(parts.prefix).to_bytes(4, "big")
    return parts.salt + _hashed_key(primary) + _hashed_key(subkey) + parts.prefix + trailer


def _hashed_key(body: bytes) -> bytes:
    if body[:1] == b"\x06":
        return b"\x9b" + len(body).to_bytes(4, "big") + body
    return b"\x99" + len(body).to_bytes(2, "big") + body


def _check(key: PublicKey, code: int, material: bytes, digest: bytes, algorithm: hashes.HashAlgorithm) -> None:
    """Raises InvalidSignature. EdDSA signs the digest itself as its message."""
    match key:
        case rsa.RSAPublicKey():
            size = (key.key_size + 7) // 8
            number = numbers(material, 1)[0]
            key.verify(number.to_bytes(size, "big"), digest, padding.PKCS1v15(), Prehashed(algorithm))
        case dsa.DSAPublicKey():
            key.verify(encode_dss_signature(*numbers(material, 2)), digest, Prehashed(algorithm))
        case ec.EllipticCurvePublicKey():
            key.verify(encode_dss_signature(*numbers(material, 2)), digest, ec.ECDSA(Prehashed(algorithm)))
        case ed25519.Ed25519PublicKey() if code == EDDSA:
            key.verify(b"".join(part.to_bytes(32, "big") for part in numbers(material, 2)), digest)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            key.verify(material, digest)
