"""Which path means what, on which listener."""

import httptools

from hkpd.protocol.answers import BAD_REQUEST, NO_SUCH_OPERATION, NOT_FOUND, NOT_TAKEN, ONLY_GET, Answer
from hkpd.protocol.lookup import lookup
from hkpd.protocol.queries import Query
from hkpd.protocol.requests import Request
from hkpd.protocol.wkd import ROOT, wkd


def route(request: Request, *, behind_tls: bool) -> Query | Answer:
    """The query, or at once the answer. Web Key Directory is answered behind TLS alone (its draft demands https)."""
    try:
        url = httptools.parse_url(request.target)
        path = (url.path or b"/").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        return BAD_REQUEST
    if path == "/pks/add":
        return NOT_TAKEN if request.method == "POST" else NO_SUCH_OPERATION
    if request.method not in ("GET", "HEAD"):
        return ONLY_GET
    if path == "/pks/lookup":
        return lookup(url.query or b"")
    if behind_tls and path.startswith(ROOT):
        return wkd(path, request.host)
    return NOT_FOUND
