"""The index of one certificate: for programs (`options=mr`), and as a page for people made from the same bytes."""

from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, unquote

from outrider.openpgp import Certificate

UNESCAPED = " <>@()"  # besides letters and digits; a colon or a percent sign would end a field
ALGORITHMS = {1: "RSA", 17: "DSA", 19: "ECDSA", 22: "EdDSA", 27: "Ed25519", 28: "Ed448"}  # RFC 9580 section 9.1

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Key {fingerprint}</title></head>
<body><h1>Key {fingerprint}</h1>
<p>{method}, made {created}{expires}{revoked}. <a href="/pks/lookup?op=get&amp;search=0x{fingerprint}">Get it</a></p>
<ul>
{user_ids}
</ul></body></html>
"""


def listing(certificate: Certificate) -> bytes:
    """`info`, `pub` and `uid` lines (draft-ietf-openpgp-hkp, machine readable output).

    The flag `e` (ran out) is left to the reader: the line is rendered once, and it names the day.
    """
    lines = ["info:1:1"]
    flags = "r" if certificate.revoked else ""
    lines.append(
        f"pub:{certificate.fingerprint.upper()}:{certificate.algorithm}:{certificate.bits or ''}"
        f":{certificate.created}:{certificate.expires or ''}:{flags}"
    )
    for user_id in certificate.user_ids:
        flags = "r" if user_id.revoked else ""
        lines.append(f"uid:{quote(user_id.text, safe=UNESCAPED)}:{user_id.created}:{user_id.expires or ''}:{flags}")
    return "\n".join(lines).encode() + b"\n"


def page(lines: bytes) -> bytes:
    """The same for a browser. User IDs are strangers' text and are escaped."""
    rows = [line.split(":") for line in lines.decode().splitlines()]
    _, fingerprint, algorithm, bits, created, expires, flags = next(row for row in rows if row[0] == "pub")
    user_ids = [
        f"<li>{escape(unquote(row[1]))}{' (revoked)' if 'r' in row[4] else ''}</li>" for row in rows if row[0] == "uid"
    ]
    return PAGE.format(
        fingerprint=fingerprint,
        method=f"{ALGORITHMS.get(int(algorithm), f'algorithm {algorithm}')} {bits}".strip(),
        created=day(created),
        expires=f", runs out {day(expires)}" if expires else "",
        revoked=", <strong>revoked</strong>" if "r" in flags else "",
        user_ids="\n".join(user_ids),
    ).encode()


def day(seconds: str) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()
