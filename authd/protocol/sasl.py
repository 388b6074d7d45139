"""The two SASL mechanisms that carry a password, as far as the *auth client* protocol needs them.

PLAIN: RFC 4616. LOGIN: draft-murchison-sasl-login-00 (Evolution and old Outlook pick it for SMTP).
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

MECHANISMS = ("PLAIN", "LOGIN")


@dataclass(frozen=True, slots=True)
class Challenge:
    """Ask the client this and wait for its answer."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """The mechanism is through: a name and a password, neither checked."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Nonsense:
    """Not what the mechanism allows; `code` goes to the client."""

    code: str = ""


Step = Challenge | Said | Nonsense


class Exchange:
    """One mechanism in progress: base64 text in (None = no initial response), the next step out."""

    def __init__(self, mechanism: str) -> None:
        self._mechanism = mechanism
        self._user: str | None = None

    def step(self, data: str | None) -> Step:
        """Never raises on what the client sent."""
        if self._mechanism not in MECHANISMS:
            return Nonsense()
        if data is None:
            return Challenge(b"" if self._mechanism == "PLAIN" else b"Username:")
        try:
            text = binascii.a2b_base64(data.encode("ascii"), strict_mode=True).decode("utf-8")
        except UnicodeDecodeError:
            return Nonsense()
        except (binascii.Error, UnicodeEncodeError):
            return Nonsense("invalid_base64")
        return self._plain(text) if self._mechanism == "PLAIN" else self._login(text)

    def _plain(self, text: str) -> Step:
        """RFC 4616 section 2: authorization identity NUL authentication identity NUL password."""
        match text.split("\0"):
            # To act as somebody else would be a login with another one's password: refused.
            case [actor, user, password] if actor in ("", user):
                return Said(user, password)
            case _:
                return Nonsense()

    def _login(self, text: str) -> Step:
        if self._user is None:
            self._user = text
            return Challenge(b"Password:")
        return Said(self._user, text)
