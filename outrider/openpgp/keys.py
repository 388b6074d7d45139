"""What a key packet says about its method: algorithm, size, and a public key that `cryptography` can check with.

RFC 9580 sections 5.5.2 (layout), 5.5.5 (material), 9.1 (algorithms), 9.2 (curves).
"""

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

PublicKey = (
    rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)

RSA = frozenset({1, 2, 3})
ELGAMAL, DSA, ECDH, ECDSA, EDDSA, X25519, X448, ED25519, ED448 = 16, 17, 18, 19, 22, 25, 26, 27, 28

CURVES: dict[str, ec.EllipticCurve] = {
    "2a8648ce3d030107": ec.SECP256R1(),
    "2b81040022": ec.SECP384R1(),
    "2b81040023": ec.SECP521R1(),
    "2b2403030208010107": ec.BrainpoolP256R1(),
    "2b240303020801010b": ec.BrainpoolP384R1(),
    "2b240303020801010d": ec.BrainpoolP512R1(),
    "2b8104000a": ec.SECP256K1(),
}
CURVE_25519 = frozenset({"2b06010401da470f01", "2b060104019755010501"})  # Ed25519Legacy, Curve25519Legacy
CURVE_25519_BITS, CURVE_448_BITS = 255, 448  # as gpg prints them
NATIVE_BITS = {
    X25519: CURVE_25519_BITS,
    ED25519: CURVE_25519_BITS,
    X448: CURVE_448_BITS,
    ED448: CURVE_448_BITS,
}


class Unknown(Exception):
    """Not a refusal: this module does not know the method, or the material is not what the method needs."""


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """The fixed part of a public key packet and the algorithm's own bytes."""

    version: int
    created: int  # epoch seconds
    algorithm: int
    material: bytes


def read_key(body: bytes) -> KeyMaterial:
    """Splits the body of a public key packet (version 4 or 6); Unknown if it is too short."""
    start = 10 if body[:1] == b"\x06" else 6
    if len(body) < start:
        raise Unknown
    return KeyMaterial(body[0], int.from_bytes(body[1:5], "big"), body[5], body[start:])


def bits(body: bytes) -> int:
    """Size of the key as keyservers print it; 0 where the method has no such number."""
    try:
        key = read_key(body)
        if key.algorithm in NATIVE_BITS:
            return NATIVE_BITS[key.algorithm]
        if key.algorithm in (ECDH, ECDSA, EDDSA):
            oid = _oid(key.material)
            return CURVE_25519_BITS if oid in CURVE_25519 else CURVES[oid].key_size if oid in CURVES else 0
        if key.algorithm in RSA or key.algorithm in (ELGAMAL, DSA):
            return numbers(key.material, 1)[0].bit_length()
    except Unknown:
        pass
    return 0


def numbers(material: bytes, count: int) -> list[int]:
    """`count` multiprecision integers from the start of `material` (RFC 9580 section 3.2)."""
    found = []
    at = 0
    for _ in range(count):
        size = (int.from_bytes(material[at : at + 2], "big") + 7) // 8
        if at + 2 + size > len(material):
            raise Unknown
        found.append(int.from_bytes(material[at + 2 : at + 2 + size], "big"))
        at += 2 + size
    return found


def _oid(material: bytes) -> str:
    return material[1 : 1 + material[0]].hex() if material else ""


def public_key(body: bytes) -> tuple[int, PublicKey]:
    """The algorithm and a key object of `cryptography`; Unknown where it has no such method."""
    key = read_key(body)
    try:
        return key.algorithm, _public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        raise Unknown from None


def _public_key(key: KeyMaterial) -> PublicKey:
    if key.algorithm in RSA:
        modulus, exponent = numbers(key.material, 2)
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if key.algorithm == DSA:
        p, q, g, y = numbers(key.material, 4)
        return dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()
    if key.algorithm == ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(key.material)
    if key.algorithm == ED448:
        return ed448.Ed448PublicKey.from_public_bytes(key.material)
    if key.algorithm in (ECDSA, EDDSA):
        oid = _oid(key.material)
        point = numbers(key.material[1 + len(oid) // 2 :], 1)[0]
        encoded = point.to_bytes((point.bit_length() + 7) // 8, "big")
        if key.algorithm == EDDSA and oid in CURVE_25519 and encoded[:1] == b"\x40":
            return ed25519.Ed25519PublicKey.from_public_bytes(encoded[1:])
        if key.algorithm == ECDSA and oid in CURVES:
            return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[oid], encoded)
    raise Unknown
