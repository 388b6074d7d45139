"""A certificate's packets sorted by what they belong to: primary key, user IDs, subkeys (RFC 9580 section 10.1).

Signatures that cannot be the owner's are dropped here already: other issuers, version 3, not exportable.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from outrider.openpgp import library
from outrider.openpgp.bindings import read_signature, subpackets
from outrider.openpgp.framing import PUBLIC_KEY, SIGNATURE, USER_ID, Frame
from outrider.openpgp.keys import Unknown
from outrider.openpgp.library import Meaning
from outrider.openpgp.refusals import BadCertificate

REVOCATION_REASON = 29  # subpacket, RFC 9580 section 5.2.3.31
SOFT_REASONS = frozenset({1, 3, 32})  # superseded, retired, user ID no longer valid: the past stays good


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that names the primary key as its issuer. Nothing is verified yet."""

    raw: bytes
    body: bytes
    kind: int  # RFC 9580 section 5.2.1
    created: int  # epoch seconds
    expires: int | None
    key_seconds: int | None  # how long the signed key lasts after its creation
    hash: int  # RFC 9580 section 9.5

    @property
    def hard(self) -> bool:
        """A revocation that also takes back the past (or does not say why)."""
        try:
            reasons = [v for kind, v in subpackets(read_signature(self.body).hashed) if kind == REVOCATION_REASON]
        except Unknown:
            return True
        return not any(value[:1] and value[0] in SOFT_REASONS for value in reasons)


@dataclass(slots=True)
class Part:
    """A primary key, user ID or subkey with its signatures, each signature once."""

    frame: Frame
    meaning: Meaning
    signatures: dict[bytes, Signature] = field(default_factory=dict)

    def newest(self, kinds: Iterable[int]) -> list[Signature]:
        """Signatures of these kinds, newest first."""
        wanted = tuple(kinds)
        found = [signature for signature in self.signatures.values() if signature.kind in wanted]
        return sorted(found, key=lambda signature: signature.created, reverse=True)

    def revocations(self, kind: int) -> list[Signature]:
        """Hard ones first, so that a flood of soft ones cannot push out "the key was stolen"."""
        return sorted(self.newest((kind,)), key=lambda signature: not signature.hard)


@dataclass(slots=True)
class Components:
    """Parts are keyed by the body of their packet, so that adding a second version of the key merges."""

    primary: Part
    user_ids: dict[bytes, Part] = field(default_factory=dict)
    subkeys: dict[bytes, Part] = field(default_factory=dict)


def sort_packets(*versions: Iterable[Frame]) -> Components:
    """Components of one certificate, or of several versions of it taken together."""
    components: Components | None = None
    for version in versions:
        frames = tuple(version)
        meanings = library.meanings(b"".join(frame.raw for frame in frames))
        if meanings is None or len(meanings) != len(frames) or meanings[0].fingerprint is None:
            raise BadCertificate("unreadable")
        components = components or Components(Part(frames[0], meanings[0]))
        if components.primary.frame.body != frames[0].body:
            raise BadCertificate("other-key")
        _add(components, frames, meanings)
    if components is None:
        raise BadCertificate("empty")
    return components


def _add(components: Components, frames: tuple[Frame, ...], meanings: list[Meaning]) -> None:
    part = components.primary
    for frame, meaning in zip(frames, meanings, strict=True):
        match frame.tag:
            case n if n == SIGNATURE:
                signature = read(frame, meaning, components.primary.meaning)
                if signature is not None:
                    part.signatures.setdefault(frame.body, signature)
            case n if n == PUBLIC_KEY:
                part = components.primary
            case n if n == USER_ID:
                part = components.user_ids.setdefault(frame.body, Part(frame, meaning))
            case _:
                part = components.subkeys.setdefault(frame.body, Part(frame, meaning))


def read(frame: Frame, meaning: Meaning, primary: Meaning) -> Signature | None:
    """None for a signature that is not (or does not claim to be) the primary key's own, or is not meant to travel."""
    if frame.body[:1] not in (b"\x04", b"\x06") or len(frame.body) < 4:
        return None
    if meaning.created is None or meaning.exportable is False:
        return None
    if meaning.issuer_fingerprint is not None:
        if meaning.issuer_fingerprint != primary.fingerprint:
            return None
    elif meaning.issuer_key_id != primary.key_id:
        return None
    return Signature(
        raw=frame.raw,
        body=frame.body,
        kind=frame.body[1],
        created=meaning.created,
        expires=meaning.expires,
        key_seconds=meaning.key_seconds,
        hash=frame.body[3],
    )
