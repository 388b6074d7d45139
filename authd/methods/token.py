"""What a second factor is to the decision, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Token:
    """An active token of an account."""

    id: int
    kind: str
    secret: bytes | None = field(repr=False)
    """None: it could not be opened (another key, damaged, moved from another row)."""
    algorithm: str
    digits: int
    period: int
    """Seconds of one step."""
    last: int
    """The highest step or counter that was ever accepted; below 0 = none."""
    drift: int
    """Steps that its clock runs ahead of ours, as learned from logins."""
    extra: bytes | None = field(default=None, repr=False)
    """A kind's second secret: the PIN of mOTP, the private id of a Yubikey."""
    public_id: str = ""
    """What a Yubikey types before its code, in modhex."""
    base: int = 0
    """Steps that its clock was found ahead of ours at the last resync; the drift is counted from there."""
    keyboards: bool = False
    """Its codes may be typed in upper case or on a Dvorak keyboard."""


@dataclass(frozen=True, slots=True)
class Match:
    """The code is right now; it has to be spent (compare and set) before anybody is let in."""

    token: Token
    step: int
    """Becomes `last`."""
    drift: int
    """Becomes `drift`, in the same statement."""


@dataclass(frozen=True, slots=True)
class Resync:
    """Where two consecutive codes have found the token."""

    step: int
    """Of the second code; becomes `last`."""
    base: int
    """Becomes `base`; the drift is 0 again."""


class Method(Protocol):
    """One kind of token that is verified here. Both functions are pure, and cheap next to a password hash."""

    def suffix(self, token: Token, field: str) -> int | None:
        """How many characters at the end of the field have the shape of its code; None: they have not."""

    def match(self, token: Token, code: str, now: int) -> Match | None:
        """The code at `now` (seconds since 1970), if it is right and newer than the last accepted one."""


class RemoteMethod(Protocol):
    """One kind of token whose codes somebody else verifies."""

    def suffix(self, token: Token, field: str) -> int | None:
        """As in Method."""

    def addressed(self, token: Token, code: str) -> str | None:
        """The code as it has to be asked for, if it can be this token's; whether it is right nobody knows yet."""
