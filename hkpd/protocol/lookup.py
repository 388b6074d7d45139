"""HKP: `GET /pks/lookup?op=…&search=…` (draft-ietf-openpgp-hkp, version 1 of the interface).

Exact addresses, fingerprints and 16-digit key ids are answered. A piece of a name is answered like a miss: a
keyserver that lists who matches "a" hands out the provider's address book.
"""

import re
from urllib.parse import parse_qs

from hkpd.protocol.answers import BAD_REQUEST, NO_SUCH_OPERATION, NOT_FOUND, SHORT_KEY_ID, STATISTICS, Answer
from hkpd.protocol.queries import ByAddress, ByFingerprint, ByKeyId, Get, Index, Query, Search
from outrider.addresses import BadAddress, fold

MOST_FIELDS = 16  # op, search, options, exact, fingerprint and what a proxy may add
FINGERPRINTS = (40, 64)  # hex digits of versions 4 and 6
KEY_ID = 16
SHORT_IDS = (8, 32)  # the 32-bit key id, and the version 3 fingerprint

_HEX = re.compile(r"0[xX]([0-9a-fA-F]+)")
_ANGLES = re.compile(r"[^<>]*<([^<>]+)>")


def lookup(query: bytes) -> Query | Answer:
    """What the query string of /pks/lookup asks, or at once the answer to it."""
    try:
        fields = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        return BAD_REQUEST
    operation = fields.get("op", ["get"])[0]
    if operation == "stats":
        return STATISTICS
    if operation not in ("get", "index", "vindex"):
        return NO_SUCH_OPERATION
    if not fields.get("search", [""])[0]:
        return BAD_REQUEST
    search = search_for(fields["search"][0])
    if isinstance(search, Answer):
        return search
    if operation == "get":
        return Get(search)
    return Index(search, machine="mr" in fields.get("options", [""])[0].split(","))


def search_for(text: str) -> Search | Answer:
    """`0x` and hex digits, else a mail address, with or without a name before it."""
    number = _HEX.fullmatch(text.strip())
    if number:
        digits = number[1].lower()
        if len(digits) in FINGERPRINTS:
            return ByFingerprint(digits)
        if len(digits) == KEY_ID:
            return ByKeyId(digits)
        return SHORT_KEY_ID if len(digits) in SHORT_IDS else BAD_REQUEST
    named = _ANGLES.fullmatch(text.strip())
    try:
        return ByAddress(fold(named[1] if named else text.strip()))
    except BadAddress:
        return NOT_FOUND
