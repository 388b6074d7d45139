"""What a reader says when its peer does not speak the protocol."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Malformed:
    """The stream is of no more use. `reason` is our own text and holds nothing that the peer sent."""

    reason: str
