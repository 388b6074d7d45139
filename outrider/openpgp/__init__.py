"""OpenPGP certificates of our own users: scan, clean, merge, judge. The only place that speaks to an OpenPGP library.

    bytes --scan--> packets inside all caps --clean(owned)--> Certificate --encryptable(now)--> None | BadCertificate

Everything a stranger sends goes through `scan` first (framing.py); what is kept is what the key's
owner signed and what the account owns (cleaning.py). Whatever is wrong comes out as BadCertificate
with a sentence for the key's owner (refusals.py). Private keys are refused and never kept.

Reading order: framing, components, library, bindings, cleaning, certificate. RFC 9580 throughout.
"""

from outrider.openpgp.certificate import Certificate, Key, UserId, encryptable, only_address
from outrider.openpgp.cleaning import claimed, clean, merge
from outrider.openpgp.framing import MAX_INPUT, scan
from outrider.openpgp.library import armor
from outrider.openpgp.refusals import BadCertificate

__all__ = [
    "MAX_INPUT",
    "BadCertificate",
    "Certificate",
    "Key",
    "UserId",
    "armor",
    "claimed",
    "clean",
    "encryptable",
    "merge",
    "only_address",
    "scan",
]
