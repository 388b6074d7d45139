"""Kinds of second factors, one file each: verification only, pure. Enrolment is `authd.enrol`'s.

    token.py          what the decision knows of a token; the interface of a kind
    hotp.py           RFC 4226
    totp.py           RFC 6238
    motp.py           motp.sourceforge.net
    yubikey.py        Yubico OTP whose AES key we hold; modhex.py is its alphabet
    yubicloud.py      Yubico OTP that a validation server verifies
    recovery.py       what stands for a lost token's code, once
    app_password.py   not a second factor, but what programs use instead of one
    ticket.py         what a webmail uses after its user has logged in with one

KINDS and REMOTE are the registries; RESYNC knows how a token that is out of step is found again.
"""

from collections.abc import Callable

from authd.methods import hotp, motp, totp, yubicloud, yubikey
from authd.methods.token import Match, Method, RemoteMethod, Resync, Token

KINDS: dict[str, Method] = {"totp": totp, "hotp": hotp, "motp": motp, "yubikey": yubikey}
REMOTE: dict[str, RemoteMethod] = {"yubicloud": yubicloud}
RESYNC: dict[str, Callable[[Token, str, str, int], Resync | None]] = {"totp": totp.resync, "hotp": hotp.resync}
NAMES = (*KINDS, *REMOTE)

__all__ = ["KINDS", "NAMES", "REMOTE", "RESYNC", "Match", "Method", "RemoteMethod", "Resync", "Token"]
