"""What a new token of each kind is made of: from the question, or drawn. Pure but for the random source.

totp, hotp   secret (base32, or `hex:` and hex digits) | drawn; algorithm, digits, period or counter
motp         secret (text) | drawn; pin
yubikey      public_id, private_id, aes_key (modhex, hex, hex) | public_id of one in stock | all drawn
yubicloud    public_id
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pyotp

from authd.methods import hotp, modhex, motp, totp
from authd.methods.yubikey import KEY_BYTES, PRIVATE_ID_BYTES, PUBLIC_ID_MOST, PUBLIC_ID_USUAL
from authd.questions import choice, optional_number, optional_text, some_bytes, text
from outrider.people import Refused

SECRET_BYTES = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
"""RFC 6238, 3, R3 and RFC 2104, 3: as long as the hash; 20 are RFC 4226's recommendation (4, R6)."""
BROUGHT_BYTES = range(10, 129)
"""Of a secret that somebody brings: old Google tokens have 10."""
MOTP_BYTES = 16
OWN_PREFIX = "vv"
"""Yubico, "YubiKey manual": public ids that are not Yubico's begin so."""

_MOTP_SECRET = re.compile(r"[\x21-\x7e]{8,64}\Z", re.ASCII)
_MOTP_PIN = re.compile(r"[\x21-\x7e]{4,64}\Z", re.ASCII)

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class NewToken:
    """Everything that is stored of it, and what its owner is shown once."""

    kind: str
    secret: bytes = field(repr=False)
    extra: bytes | None = field(default=None, repr=False)
    public_id: str | None = None
    algorithm: str = ""
    digits: int = 0
    period: int = 0
    last: int = -1
    label: str = ""
    shown: dict[str, str] = field(default_factory=dict, repr=False)
    stock: int | None = None


def new_token(kind: str, named: dict[str, Any], owner: str, issuer: str, random: Random) -> NewToken | None:
    """The token that was asked for; None: a Yubikey that has to be in stock. Refused."""
    match kind:
        case "totp" | "hotp":
            return oath(kind, named, owner, issuer, random)
        case "motp":
            return new_motp(named, owner, issuer, random)
        case "yubikey":
            return new_yubikey(named, random)
        case _:
            return new_yubicloud(named)


def oath(kind: str, named: dict[str, Any], owner: str, issuer: str, random: Random) -> NewToken:
    """TOTP or HOTP; by default SHA1, 6 digits, 30 seconds, since several apps ignore anything else."""
    algorithm = choice(named, "algorithm", tuple(hotp.HASHES), "SHA1")
    digits = choice(named, "digits", hotp.DIGITS, 6)
    period = choice(named, "period", totp.PERIODS, 30) if kind == "totp" else 0
    counter = (optional_number(named, "counter") or 0) if kind == "hotp" else 0
    brought = optional_text(named, "secret")
    secret = decoded(brought) if brought is not None else random(SECRET_BYTES[algorithm])
    shown = {}
    if brought is None:
        base32 = base64.b32encode(secret).decode("ascii").rstrip("=")
        uri = uri_of(kind, base32, algorithm, digits, owner=owner, issuer=issuer, period=period, counter=counter)
        shown = {"secret": base32, "uri": uri}
    return NewToken(kind, secret, algorithm=algorithm, digits=digits, period=period, last=counter - 1, shown=shown)


def uri_of(
    kind: str, secret: str, algorithm: str, digits: int, *, owner: str, issuer: str, period: int, counter: int
) -> str:
    """The otpauth address that authenticator apps scan."""
    digest = hotp.HASHES[algorithm]
    if kind == "totp":
        made = pyotp.TOTP(secret, digits=digits, digest=digest, interval=period)
        return str(made.provisioning_uri(name=owner, issuer_name=issuer))
    counted = pyotp.HOTP(secret, digits=digits, digest=digest)
    return str(counted.provisioning_uri(name=owner, issuer_name=issuer, initial_count=counter))


def decoded(brought: str) -> bytes:
    """A secret as people have it: base32 in groups, any case, padded or not; or hex digits after `hex:`."""
    try:
        if brought.lower().startswith("hex:"):
            secret = bytes.fromhex(brought[4:])
        else:
            letters = re.sub(r"[ \-=]", "", brought).upper()
            secret = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (ValueError, binascii.Error):
        raise Refused("secret: expected base32, or hex: and hex digits") from None
    if len(secret) not in BROUGHT_BYTES:
        raise Refused(f"secret: expected {BROUGHT_BYTES[0]} to {BROUGHT_BYTES[-1]} bytes")
    return secret


def new_motp(named: dict[str, Any], owner: str, issuer: str, random: Random) -> NewToken:
    """The secret is text; where it is hex digits, apps hash them in lower case."""
    pin, brought = text(named, "pin"), optional_text(named, "secret")
    if not _MOTP_PIN.match(pin):
        raise Refused("pin: expected 4 to 64 ASCII characters without spaces")
    secret = random(MOTP_BYTES).hex() if brought is None else brought
    if not _MOTP_SECRET.match(secret):
        raise Refused("secret: expected 8 to 64 ASCII characters without spaces")
    if re.fullmatch(r"[0-9A-Fa-f]+", secret):
        secret = secret.lower()
    uri = f"motp://{quote(issuer)}:{quote(owner)}?secret={secret}"
    return NewToken(
        "motp",
        secret.encode("ascii"),
        extra=pin.encode("ascii"),
        algorithm="MD5",
        digits=motp.DIGITS,
        period=motp.PERIOD,
        shown={"secret": secret, "uri": uri} if brought is None else {},
    )


def new_yubikey(named: dict[str, Any], random: Random) -> NewToken | None:
    """With its keys, or drawn ones to be written into it; None: only its public id is told."""
    public_id = modhex_of(named, range(0, PUBLIC_ID_MOST + 1, 2))
    if named.get("aes_key") is not None or named.get("private_id") is not None:
        private = some_bytes(named, "private_id", range(PRIVATE_ID_BYTES, PRIVATE_ID_BYTES + 1))
        key = some_bytes(named, "aes_key", range(KEY_BYTES, KEY_BYTES + 1))
        return NewToken("yubikey", key, extra=private, public_id=public_id or "")
    if public_id is not None:
        return None
    public_id = OWN_PREFIX + modhex.encode(random((PUBLIC_ID_USUAL - len(OWN_PREFIX)) // 2))
    private, key = random(PRIVATE_ID_BYTES), random(KEY_BYTES)
    shown = {"public_id": public_id, "private_id": private.hex(), "aes_key": key.hex()}
    return NewToken("yubikey", key, extra=private, public_id=public_id, shown=shown)


def new_yubicloud(named: dict[str, Any]) -> NewToken:
    """The public id is kept sealed as well: whoever writes into the database cannot put his own key's into the row."""
    public_id = modhex_of(named, range(PUBLIC_ID_USUAL, PUBLIC_ID_USUAL + 1))
    if public_id is None:
        raise Refused("public_id: expected the first 12 letters that the key types")
    return NewToken("yubicloud", public_id.encode("ascii"), public_id=public_id)


def modhex_of(named: dict[str, Any], sizes: range) -> str | None:
    """A public id, if one is told."""
    told = named.get("public_id")
    if told is None:
        return None
    if not isinstance(told, str) or len(told) not in sizes or (found := modhex.read(told, True)) is None:
        raise Refused("public_id: expected the letters that the key types before its code, 12 as a rule")
    return found
