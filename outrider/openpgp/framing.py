"""From strangers' bytes to a list of packets, with every cap applied before anything is interpreted.

The library's parser needs 1.8 s and 160 MB for some 16 MB inputs and follows compressed packets;
this scanner needs 0.1 ms, allocates no more than its input, and lets nothing else through.
Packet headers: RFC 9580 section 4.2. ASCII armor: RFC 9580 section 6.
"""

import base64
import binascii
from dataclasses import dataclass

from outrider.openpgp.refusals import BadCertificate

# Each limit is far above what a person's own key needs (median 13 kB with other people's
# signatures, 2 kB without) and far below what makes the library slow.
MAX_INPUT = 256 * 1024  # bytes, armored or not
MAX_PACKETS = 500
MAX_PACKET = 64 * 1024  # bytes; the largest post-quantum signature (SLH-DSA 256f) has 50 kB
MAX_USER_IDS = 16
MAX_SUBKEYS = 16

SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, USER_ID, PUBLIC_SUBKEY, USER_ATTRIBUTE = (
    2,
    5,
    6,
    7,
    13,
    14,
    17,
)
ALLOWED = frozenset({SIGNATURE, PUBLIC_KEY, USER_ID, PUBLIC_SUBKEY, USER_ATTRIBUTE})

_BEGIN = b"-----BEGIN PGP "
_PUBLIC = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_PRIVATE = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
_END = b"-----END PGP PUBLIC KEY BLOCK-----"


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet: its tag, its body, and the bytes it came in (header and body)."""

    tag: int
    body: bytes
    raw: bytes


def scan(data: bytes) -> tuple[Frame, ...]:
    """The packets of one certificate, binary or armored, inside all caps; user attributes are dropped.

    Raises BadCertificate, and nothing else, for whatever it is given.
    """
    if len(data) > MAX_INPUT:
        raise BadCertificate("large", limit=MAX_INPUT)
    if not data.strip():
        raise BadCertificate("empty")
    binary = data if data[0] & 0x80 else dearmor(data)
    found = frames(binary)
    if found[0].tag != PUBLIC_KEY:
        raise BadCertificate("not-a-key", detail=f"a packet of type {found[0].tag}")
    if sum(frame.tag == PUBLIC_KEY for frame in found) > 1:
        raise BadCertificate("several")
    if sum(frame.tag == USER_ID for frame in found) > MAX_USER_IDS:
        raise BadCertificate("user-ids", limit=MAX_USER_IDS)
    if sum(frame.tag == PUBLIC_SUBKEY for frame in found) > MAX_SUBKEYS:
        raise BadCertificate("subkeys", limit=MAX_SUBKEYS)
    version = found[0].body[0] if found[0].body else 0
    if version not in (4, 6):
        raise BadCertificate("version", version=version)
    return without_attributes(found)


def frames(binary: bytes) -> list[Frame]:
    """Cuts packets apart and refuses a tag, a length form or a size that has no place in a certificate."""
    found: list[Frame] = []
    at = 0
    while at < len(binary):
        tag, start, end = _header(binary, at)
        if tag in (SECRET_KEY, SECRET_SUBKEY):
            raise BadCertificate("private")
        if tag not in ALLOWED:
            raise BadCertificate("packet", tag=tag)
        if end - start > MAX_PACKET:
            raise BadCertificate("packet-large", limit=MAX_PACKET)
        if end > len(binary):
            raise BadCertificate("framing")
        if len(found) == MAX_PACKETS:
            raise BadCertificate("packets", limit=MAX_PACKETS)
        found.append(Frame(tag, binary[start:end], binary[at:end]))
        at = end
    if not found:
        raise BadCertificate("empty")
    return found


def _header(binary: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the body of the packet at `at`."""
    first = binary[at]
    if not first & 0x80:
        raise BadCertificate("framing")
    if first & 0x40:  # RFC 9580 section 4.2.1
        tag, octet = first & 0x3F, _number(binary, at + 1, 1)
        if octet < 192:
            return tag, at + 2, at + 2 + octet
        if octet < 224:
            length = ((octet - 192) << 8) + _number(binary, at + 2, 1) + 192
            return tag, at + 3, at + 3 + length
        if octet < 255:  # partial body lengths: allowed for data packets only (section 4.2.1.4)
            raise BadCertificate("private" if tag in (SECRET_KEY, SECRET_SUBKEY) else "partial")
        return tag, at + 6, at + 6 + _number(binary, at + 2, 4)
    tag, kind = (first >> 2) & 0x0F, first & 3  # RFC 9580 section 4.2.2
    if kind == 3:  # indeterminate
        raise BadCertificate("private" if tag in (SECRET_KEY, SECRET_SUBKEY) else "partial")
    size = 1 << kind
    return tag, at + 1 + size, at + 1 + size + _number(binary, at + 1, size)


def _number(binary: bytes, at: int, size: int) -> int:
    if at + size > len(binary):
        raise BadCertificate("framing")
    return int.from_bytes(binary[at : at + size], "big")


def without_attributes(found: list[Frame]) -> tuple[Frame, ...]:
    """Drops user attributes (photographs) and the signatures that belong to them."""
    kept: list[Frame] = []
    dropping = False
    for frame in found:
        if frame.tag != SIGNATURE:
            dropping = frame.tag == USER_ATTRIBUTE
        if not dropping:
            kept.append(frame)
    return tuple(kept)


def dearmor(data: bytes) -> bytes:
    """The binary inside one armored public key; text before and after it (a mail, a web page) is ignored.

    The checksum line is skipped: RFC 9580 section 6.1 forbids to reject for it.
    """
    if _PRIVATE in data:
        raise BadCertificate("private")
    if data.count(_PUBLIC) > 1:
        raise BadCertificate("several")
    start = data.find(_PUBLIC)
    if start < 0:
        other = data.find(_BEGIN)
        raise BadCertificate("not-a-key", detail="another kind of OpenPGP data" if other >= 0 else "other text")
    end = data.find(_END, start)
    if end < 0:
        raise BadCertificate("armor", detail="the END line is missing")
    lines = [line.strip() for line in data[start + len(_PUBLIC) : end].split(b"\n")]
    body = _after_headers(lines)
    try:
        return base64.b64decode(b"".join(line for line in body if not line.startswith(b"=")), validate=True)
    except binascii.Error:
        raise BadCertificate("armor", detail="it is not base64") from None


def _after_headers(lines: list[bytes]) -> list[bytes]:
    """The lines after the armor headers, which an empty line ends (RFC 9580 section 6.2)."""
    for number, line in enumerate(lines[1:], start=1):
        if not line:
            return lines[number + 1 :]
        if b":" not in line:
            return lines[number:]
    raise BadCertificate("armor", detail="it is empty")
