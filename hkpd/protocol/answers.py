"""Every answer of the keyserver, in one table, and how an answer becomes bytes.

gpg shows none of these texts. What it makes of the numbers (2.2 and 2.4): 404, 400, 405 "No data"; 501 "Not
implemented"; 413 "Provided object is too large"; 503 is tried again. A program that sends keys shows success for 200
alone, so a refused send is 501 and never 202.
"""

from dataclasses import dataclass
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
KEYS = "application/pgp-keys"  # RFC 3156 section 7
BINARY = "application/octet-stream"  # what Web Key Directory answers (its draft, section 3.1)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body and what else the head says."""

    status: int
    body: bytes
    kind: str = TEXT
    extra: str = ""  # whole header lines, each with its CRLF


NOT_FOUND = Answer(404, b"No key found.\n")
BAD_REQUEST = Answer(400, b"The request is not one that a keyserver knows.\n")
SHORT_KEY_ID = Answer(400, b"Ask with the fingerprint: short key ids are easily forged and not answered.\n")
NO_SUCH_OPERATION = Answer(501, b"This keyserver answers get, index and vindex.\n")
NOT_TAKEN = Answer(501, b"Keys are published here by their owners, in their mail account. Nothing was stored.\n")
ONLY_GET = Answer(405, b"Only GET and HEAD.\n", extra="Allow: GET, HEAD\r\n")
LENGTH_REQUIRED = Answer(411, b"Chunked bodies are not taken.\n")
TOO_LARGE = Answer(413, b"The body is too large.\n")
HEAD_TOO_LARGE = Answer(431, b"The head of the request is too large.\n")
LATER = Answer(503, b"The keyserver cannot look this up now.\n", extra="Retry-After: 30\r\n")
STATISTICS = Answer(200, b"Outrider keyserver: keys of this provider's users. No figures are published.\n")
WKD_POLICY = Answer(200, b"")  # must exist, may be empty (draft-koch-openpgp-webkey-service section 4.5)

MALFORMED = {400: BAD_REQUEST, 411: LENGTH_REQUIRED, 413: TOO_LARGE, 431: HEAD_TOO_LARGE}

# On every answer: any web page may ask (Mailvelope and others do); a withdrawn key is gone at once; a browser must
# not guess that a key is a page.
ALWAYS = (
    "Access-Control-Allow-Origin: *\r\n"
    "Cache-Control: no-cache\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def rendered(answer: Answer, *, date: str, head_only: bool, keep_alive: bool) -> bytes:
    """The answer as it goes over the wire. `date` is an HTTP-date (RFC 9110 section 5.6.7)."""
    head = (
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
        f"Date: {date}\r\n"
        f"Content-Type: {answer.kind}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        f"{ALWAYS}{answer.extra}"
        f"{'' if keep_alive else 'Connection: close' + chr(13) + chr(10)}\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else answer.body)
