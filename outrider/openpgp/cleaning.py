"""Cleaning: of a stranger's certificate, keep what its owner signed and what the account owns. Nothing else.

    primary key   newest direct-key signature that holds; revocations that hold
    user ID       if its address is owned: newest self-signature that holds; revocations that hold
    subkey        newest binding that holds (with the back signature where it may sign); revocations

The work is bounded by the scanner's caps: at most one verification for each of 500 packets.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from outrider.addresses import BadAddress, fold
from outrider.openpgp import library
from outrider.openpgp.bindings import SUBKEY_BINDING, SUBKEY_REVOCATION, binding_holds
from outrider.openpgp.certificate import Certificate, Key, UserId
from outrider.openpgp.components import Components, Part, Signature, sort_packets
from outrider.openpgp.framing import MAX_INPUT, MAX_SUBKEYS, MAX_USER_IDS, USER_ID, Frame, scan
from outrider.openpgp.keys import DSA, RSA, bits
from outrider.openpgp.refusals import BadCertificate

CERTIFICATIONS = (0x10, 0x11, 0x12, 0x13)  # RFC 9580 sections 5.2.1.4 to 5.2.1.7
DIRECT_KEY, KEY_REVOCATION, CERTIFICATION_REVOCATION = 0x1F, 0x20, 0x30
OLD_HASHES = {1: "MD5", 2: "SHA-1", 3: "RIPEMD-160"}
SHORTEST = 2048  # bits of RSA and DSA that the library still believes
LONGEST = 4096  # bits of RSA that its arithmetic takes; 1 % of Debian's developers have longer ones
MAX_REVOCATIONS = 8  # per part; one is enough to revoke, the hard ones are kept first


@dataclass(frozen=True, slots=True)
class _Subkey:
    raw: bytes
    key: Key | None  # None: kept, but not found by its id, because its binding could not be verified here
    encrypts: bool
    expires: int | None


def claimed(data: bytes) -> tuple[str, ...]:
    """The folded addresses that the user IDs name, so that their owners can be looked up before `clean`."""
    found = [_address(frame) for frame in scan(data) if frame.tag == USER_ID]
    return tuple(dict.fromkeys(address for address in found if address))


def clean(data: bytes, owned: Callable[[str], bool]) -> Certificate:
    """The certificate in `data`, cleaned; `owned` is asked for folded addresses. Raises BadCertificate."""
    return _assemble(sort_packets(scan(data)), owned)


def merge(old: bytes, data: bytes, owned: Callable[[str], bool]) -> Certificate:
    """A stored body and a newer upload of the same key, cleaned together: a revocation in either stays."""
    return _assemble(sort_packets(scan(old), scan(data)), owned)


def _address(frame: Frame) -> str | None:
    """The address in a user ID, folded; None where there is none or the text is not printable."""
    try:
        text = frame.body.decode()
    except UnicodeDecodeError:
        return None
    meanings = library.meanings(frame.raw)
    address = meanings[0].email if meanings and text.isprintable() else None
    try:
        return fold(address) if address else None
    except BadAddress:
        return None


def _assemble(components: Components, owned: Callable[[str], bool]) -> Certificate:
    primary = components.primary
    revocations = _held(primary.revocations(KEY_REVOCATION), lambda s: library.is_revoked(primary.frame.raw, s.raw))
    direct = next((s for s in primary.newest((DIRECT_KEY,)) if library.is_direct(primary.frame.raw, s.raw)), None)
    head = primary.frame.raw + (direct.raw if direct else b"")
    user_ids = _user_ids(head, components, owned)
    base = head + user_ids[0][0]
    subkeys = [found for part in components.subkeys.values() if (found := _subkey(base, primary, part))]
    if len(subkeys) > MAX_SUBKEYS:  # two versions together; a stored body has to pass the scanner again
        raise BadCertificate("subkeys", limit=MAX_SUBKEYS)
    body = b"".join(
        [primary.frame.raw, *(s.raw for s in revocations), direct.raw if direct else b""]
        + [raw + revoked for raw, revoked, _ in user_ids]
        + [subkey.raw for subkey in subkeys]
    )
    if len(body) > MAX_INPUT or not library.is_readable(body):
        raise BadCertificate("unreadable")
    expires = library.expiration(base)
    ends = ([expires] if library.encrypts(base) else []) + [subkey.expires for subkey in subkeys if subkey.encrypts]
    return Certificate(
        fingerprint=_key(primary).fingerprint,
        version=primary.frame.body[0],
        body=body,
        armored=library.armor(body),
        user_ids=tuple(user_id for _, _, user_id in user_ids),
        keys=(_key(primary), *(subkey.key for subkey in subkeys if subkey.key)),
        algorithm=primary.frame.body[5],
        bits=bits(primary.frame.body),
        created=int.from_bytes(primary.frame.body[1:5], "big"),
        expires=expires,
        revoked=bool(revocations),
        can_encrypt=bool(ends),
        encrypts_until=None if None in ends else max((end for end in ends if end is not None), default=None),
    )


def _key(part: Part) -> Key:
    fingerprint, key_id = part.meaning.fingerprint, part.meaning.key_id
    if fingerprint is None or key_id is None:
        raise BadCertificate("unreadable")
    return Key(fingerprint, key_id)


def _held(signatures: Iterable[Signature], holds: Callable[[Signature], bool]) -> list[Signature]:
    """The first few that hold."""
    found: list[Signature] = []
    for signature in signatures:
        if len(found) < MAX_REVOCATIONS and holds(signature):
            found.append(signature)
    return found


def _user_ids(head: bytes, components: Components, owned: Callable[[str], bool]) -> list[tuple[bytes, bytes, UserId]]:
    """For each owned user ID that holds: packet with self-signature, revocations, description. Those alive first."""
    found: list[tuple[bytes, bytes, UserId]] = []
    trouble: BadCertificate | None = None
    for part in components.user_ids.values():
        address = _address(part.frame)
        if address is None or not owned(address):
            continue
        try:
            found.append(_user_id(head, components.primary, part, address))
        except BadCertificate as reason:
            trouble = trouble or reason
    if not found:
        raise trouble or BadCertificate("no-address")
    if len(found) > MAX_USER_IDS:
        raise BadCertificate("user-ids", limit=MAX_USER_IDS)
    return sorted(found, key=lambda entry: entry[2].revoked)


def _user_id(head: bytes, primary: Part, part: Part, address: str) -> tuple[bytes, bytes, UserId]:
    raw = part.frame.raw
    own = part.newest(CERTIFICATIONS)
    chosen = next((s for s in own if library.is_self_signed(head, raw, s.raw)), None)
    if chosen is None:
        raise _why_not(primary, own, address)
    revocations = _held(
        part.revocations(CERTIFICATION_REVOCATION),
        lambda s: not library.is_self_signed(head, raw, chosen.raw + s.raw),
    )
    described = UserId(part.frame.body.decode(), address, chosen.created, chosen.expires, bool(revocations))
    return raw + chosen.raw, b"".join(s.raw for s in revocations), described


def _why_not(primary: Part, own: list[Signature], address: str) -> BadCertificate:
    """What is wrong with the newest self-signature, as far as its owner can do something about it.

    The library does not say. The text is guessed from the signature's own fields; nothing is let in by it.
    """
    if not own:
        return BadCertificate("no-signature", address=address)
    newest = own[0]
    size = bits(primary.frame.body)
    if primary.frame.body[5] in RSA | {DSA} and size < SHORTEST:
        return BadCertificate("weak")
    if primary.frame.body[5] in RSA and size > LONGEST:
        return BadCertificate("long", bits=size, limit=LONGEST)
    if newest.hash in OLD_HASHES:
        return BadCertificate("old-signature", address=address, detail=OLD_HASHES[newest.hash])
    if newest.expires is not None:
        return BadCertificate("signature-expired", address=address)
    return BadCertificate("no-signature", address=address)


def _subkey(base: bytes, primary: Part, part: Part) -> _Subkey | None:
    """None for a subkey that the primary key did not bind."""
    bindings = [
        (signature, holds)
        for signature in part.newest((SUBKEY_BINDING,))
        if (holds := binding_holds(primary.frame.body, part.frame.body, signature.body)) is not False
    ]
    if not bindings:
        return None
    binding, holds = bindings[0]
    revocations = _held(
        part.revocations(SUBKEY_REVOCATION),
        lambda s: binding_holds(primary.frame.body, part.frame.body, s.body) is not False,
    )
    raw = part.frame.raw + binding.raw
    created = int.from_bytes(part.frame.body[1:5], "big")
    return _Subkey(
        raw=raw + b"".join(s.raw for s in revocations),
        key=_key(part) if holds else None,
        encrypts=not revocations and library.encrypts(base + raw),
        expires=created + binding.key_seconds if binding.key_seconds else None,
    )
