"""Web Key Directory (draft-koch-openpgp-webkey-service): where gpg looks by itself.

    advanced   https://openpgpkey.D/.well-known/openpgpkey/D/hu/HASH?l=LOCAL
    direct     https://D/.well-known/openpgpkey/hu/HASH?l=LOCAL

HASH is the z-base-32 of the SHA-1 of the local part in lower case. A program falls back from advanced to direct only
if the name openpgpkey.D does not exist, so both are served.
"""

import hashlib
import re

from hkpd.protocol.answers import NOT_FOUND, WKD_POLICY, Answer
from hkpd.protocol.queries import Query, WkdKey
from outrider.addresses import BadAddress, fold_domain

ROOT = "/.well-known/openpgpkey/"
ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"  # z-base-32
_HASH = re.compile(f"[{ALPHABET}]{{32}}")


def wkd(path: str, host: str) -> Query | Answer:
    """What a path below ROOT asks; the direct method takes the domain from the host name."""
    parts = path.removeprefix(ROOT).split("/")
    if parts[-1] == "policy" and len(parts) <= 2:
        return WKD_POLICY
    domain = host_name(host) if len(parts) == 2 else parts[0]
    if len(parts) not in (2, 3) or parts[-2] != "hu" or not _HASH.fullmatch(parts[-1]):
        return NOT_FOUND
    try:
        return WkdKey(fold_domain(domain), parts[-1])
    except BadAddress:
        return NOT_FOUND


def host_name(host: str) -> str:
    """The Host header without its port."""
    return re.sub(r":\d*$", "", host)


def wkd_hash(address: str) -> str:
    """The hash of a folded address's local part."""
    local = address.rpartition("@")[0]
    # "mapped to lowercase" means ASCII letters only (section 3.1); folded addresses are lower case already.
    return zbase32(hashlib.sha1(local.encode(), usedforsecurity=False).digest())


def zbase32(data: bytes) -> str:
    """5 bits a letter, most significant first; `data` is a multiple of 5 bytes long."""
    number, letters = int.from_bytes(data, "big"), len(data) * 8 // 5
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(letters)))
