"""What can be asked, whichever front door it comes through."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByFingerprint:
    """Of a primary key or subkey; lower-case hex, 40 digits (version 4) or 64 (version 6)."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class ByKeyId:
    """Of a primary key or subkey; 16 lower-case hex digits."""

    key_id: str


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The one canonical certificate of a folded address."""

    address: str


Search = ByFingerprint | ByKeyId | ByAddress


@dataclass(frozen=True, slots=True)
class Get:
    """The certificate itself, armored."""

    search: Search


@dataclass(frozen=True, slots=True)
class Index:
    """What the certificate says of itself: for programs (`options=mr`) or for people."""

    search: Search
    machine: bool


@dataclass(frozen=True, slots=True)
class WkdKey:
    """Web Key Directory: the binary certificate of the address whose local part has this hash."""

    domain: str
    hash: str


Query = Get | Index | WkdKey
