"""Pure decisions: what a look-up is answered, and which certificate may be published.

Query + what the store found     -> Answer
Certificate + now                -> Publishable | BadCertificate
"""

from dataclasses import dataclass
from typing import assert_never

from hkpd.protocol.answers import BINARY, HTML, KEYS, NOT_FOUND, TEXT, Answer
from hkpd.protocol.listing import page
from hkpd.protocol.queries import Get, Index, Query, WkdKey
from outrider.openpgp import BadCertificate, Certificate, encryptable


def answer(query: Query, found: bytes | None) -> Answer:
    """A miss looks the same for an address of nobody, one without a key, and one whose key was withdrawn."""
    if found is None:
        return NOT_FOUND
    match query:
        case Get():
            return Answer(200, found, KEYS)
        case Index(machine=True):
            return Answer(200, found, TEXT)
        case Index():
            return Answer(200, page(found), HTML)
        case WkdKey():
            return Answer(200, found, BINARY)
        case _:
            assert_never(query)


@dataclass(frozen=True, slots=True)
class Publishable:
    """It may be published; the warning is for its owner, empty if there is none."""

    warning: str


def judge(certificate: Certificate, now: int) -> Publishable | BadCertificate:
    """May this cleaned certificate be published at `now` (epoch seconds)?

    A revoked one may: only so do others learn of it. One that ran out may not: nobody could use it, and its owner
    would believe that all is well.
    """
    if certificate.revoked:
        return Publishable("The key is revoked. Others will see that and no longer encrypt to it.")
    if not certificate.addresses:
        return BadCertificate("address-revoked", address=certificate.user_ids[0].address)
    why = encryptable(certificate, now)
    if why is None:
        return Publishable("")
    if why.code == "sign-only":
        return Publishable(why.reason)
    return why
