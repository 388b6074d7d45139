"""A cleaned certificate: what is stored, served and encrypted to."""

from dataclasses import dataclass
from datetime import UTC, datetime

from outrider.openpgp.framing import PUBLIC_KEY, SIGNATURE, USER_ID, frames
from outrider.openpgp.refusals import BadCertificate


@dataclass(frozen=True, slots=True)
class UserId:
    """A user ID that the key itself signed. Times are epoch seconds; expires None = never."""

    text: str
    address: str  # folded
    created: int  # of the signature
    expires: int | None  # of the signature
    revoked: bool


@dataclass(frozen=True, slots=True)
class Key:
    """Primary key or subkey, as it can be asked for. Hex, lower case."""

    fingerprint: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """One person's public key after cleaning. Times are epoch seconds; None = never."""

    fingerprint: str
    version: int  # 4 or 6
    body: bytes
    armored: bytes
    user_ids: tuple[UserId, ...]
    keys: tuple[Key, ...]  # the primary key first, then every subkey whose binding was verified
    algorithm: int  # RFC 9580 section 9.1
    bits: int  # 0 = the method has no such number
    created: int
    expires: int | None
    revoked: bool
    can_encrypt: bool  # has an encryption part that is not revoked; it may have run out
    encrypts_until: int | None  # when the last encryption part runs out by itself

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of the user IDs that still hold, each once, in order."""
        return tuple(dict.fromkeys(user_id.address for user_id in self.user_ids if not user_id.revoked))


def encryptable(certificate: Certificate, now: int) -> BadCertificate | None:
    """Why nothing may be encrypted to it at `now` (epoch seconds); None = it may.

    The library itself encrypts to revoked and expired keys, so every use asks here first.
    """
    if certificate.revoked:
        return BadCertificate("revoked")
    if not certificate.can_encrypt:
        return BadCertificate("sign-only")
    ends = [moment for moment in (certificate.expires, certificate.encrypts_until) if moment is not None]
    if ends and min(ends) <= now:
        return BadCertificate("expired", day=datetime.fromtimestamp(min(ends), UTC).date().isoformat())
    return None


def only_address(certificate: Certificate, address: str) -> bytes:
    """The certificate with the user IDs of one address alone, as Web Key Directory wants it.

    (draft-koch-openpgp-webkey-service section 3.1: the key "MUST carry a User ID with that mail address";
    other user IDs would tell the asker the owner's other addresses.)
    """
    wanted = {user_id.text for user_id in certificate.user_ids if user_id.address == address}
    kept: list[bytes] = []
    keeping = True
    for frame in frames(certificate.body):
        if frame.tag != SIGNATURE:
            keeping = frame.tag != USER_ID or frame.body.decode() in wanted
        if keeping or frame.tag == PUBLIC_KEY:
            kept.append(frame.raw)
    return b"".join(kept)
