"""Kinds of second factors, one file each: verification only, pure. Enrolment is `authd.enrol`'s.

    token.py          what the decision knows of a token; the interface of a kind
    totp.py           RFC 6238
    app_password.py   not a second factor, but what programs use instead of one

KINDS is the registry.
"""

from authd.methods import totp
from authd.methods.token import Match, Method, Token

KINDS: dict[str, Method] = {"totp": totp}

__all__ = ["KINDS", "Match", "Method", "Token"]
