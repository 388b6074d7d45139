"""What an operator's own directory tells about people, whatever it is made of.

A source only reads. What it does not know (account ids, aliases made by owners, tombstones, ends) is ours and joined to
it by `outrider.directories.joined`.

    DatabaseDown            nobody could find out
    └── Ambiguous           two people answer to one address: nobody may decide which one is meant
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from outrider.addresses import BadAddress, fold
from outrider.db import DatabaseDown
from outrider.directory import Stored

logger = logging.getLogger(__name__)

SEVERAL = "several people have one address"


class Ambiguous(DatabaseDown):
    """The directory gives one address to several people. The operator has to correct it."""


@dataclass(frozen=True)
class SourcePerson:
    """A person as the operator's directory shows him; the address is folded, 0 bytes of quota = no limit."""

    key: str
    """What stays the same when name and address change, e.g. an entryUUID."""
    address: str
    enabled: bool
    language: str
    """`de` or `en`; empty = not said."""
    quota: int
    stored: Stored = field(repr=False)


class Source(Protocol):
    """The questions; addresses and domains come folded. All may raise DatabaseDown."""

    name: str
    """Keys are compared within this name: it is `account.directory`."""

    async def find(self, address: str) -> SourcePerson | None:
        """Who has this address, as his own or as a permanent alias; `SourcePerson.address` tells which."""
        ...

    async def by_key(self, key: str) -> SourcePerson | None: ...

    async def catch_all(self, domain: str) -> SourcePerson | None:
        """Who gets what nobody else in the domain gets."""
        ...

    async def people(self) -> list[SourcePerson]: ...

    async def has_domain(self, domain: str) -> bool:
        """Does the directory itself list the domain?"""
        ...

    def nobody(self) -> Stored | None:
        """What an unknown login's password is checked against; None = our own slow hash."""
        ...

    async def close(self) -> None: ...


def ambiguous(source: str, what: str, keys: Iterable[str] = ()) -> Ambiguous:
    """The trouble; the keys that it is about go to the operator's log alone."""
    logger.error("directory=%s: %s; keys %s", source, what, ", ".join(sorted(keys)) or "unknown")
    return Ambiguous(f"{source}: {what}")


def the_one(found: list[SourcePerson], source: str) -> SourcePerson | None:
    """Nobody, or the only one."""
    if len(found) > 1:
        raise ambiguous(source, SEVERAL, (one.key for one in found))
    return found[0] if found else None


def without_twins(found: list[SourcePerson], source: str) -> list[SourcePerson]:
    """Of a list of everybody those whose address is theirs alone; the others are said."""
    by_address: dict[str, list[SourcePerson]] = {}
    for one in found:
        by_address.setdefault(one.address, []).append(one)
    twins = [one for same in by_address.values() if len(same) > 1 for one in same]
    if twins:
        ambiguous(source, SEVERAL, (one.key for one in twins))
    return [same[0] for same in by_address.values() if len(same) == 1]


def folded(text: str) -> str:
    """The address as we spell it; empty if it is none."""
    try:
        return fold(text.strip())
    except BadAddress:
        return ""


def language(text: str) -> str:
    """`de` or `en` out of a list as in RFC 2798's preferredLanguage (`de-DE, en;q=0.5`); empty = neither."""
    for part in text.split(","):
        spoken = part.strip().partition(";")[0].partition("-")[0].lower()
        if spoken in ("de", "en"):
            return spoken
    return ""


SIZES = {"": 1, "B": 1, "S": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def quota(text: str) -> int:
    """Bytes of `500M`, `2G`, `10485760` or qmail-ldap's `10485760S,1000C`; 0 = none that we understand."""
    words = [part.strip().upper().removesuffix("B") for part in text.split(",")]
    size = next((word for word in words if word and not word.endswith("C")), "0")
    number, unit = (size, "") if size[-1].isdigit() else (size[:-1], size[-1])
    return int(number) * SIZES[unit] if number.isascii() and number.isdecimal() and unit in SIZES else 0
