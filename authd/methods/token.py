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
    """Steps that its clock runs ahead of ours."""


@dataclass(frozen=True, slots=True)
class Match:
    """The code is right now; it has to be spent (compare and set) before anybody is let in."""

    token: Token
    step: int
    """Becomes `last`."""
    drift: int
    """Becomes `drift`, in the same statement."""


class Method(Protocol):
    """One kind of token. Both functions are pure, and cheap next to a password hash."""

    def suffix(self, token: Token, field: str) -> int | None:
        """How many characters at the end of the field have the shape of its code; None: they have not."""

    def match(self, token: Token, code: str, now: int) -> Match | None:
        """The code at `now` (seconds since 1970), if it is right and newer than the last accepted one."""
