"""Mail addresses: one way to spell them, one judgement of what they mean.

Two different normalisers are a bypass, two different judgements are a leak. So every front (Postfix's maps, the policy
service, Dovecot's userdb, the last hop, the command line) folds with `fold` and asks `resolve` or `owners`.

    address --fold--> folded --directory.facts--> Facts --judge(now)--> Mailbox | Alias | Dead | Unknown
                                       database away --------------------> TryLater

`judge` is pure. A disabled person still receives mail (only logins are refused); an ended one is Dead for ever.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol, TypeGuard

import idna

from outrider.db import DatabaseDown

ADDRESS_LIMIT = 320  # RFC 3696 erratum 1690 says 254; 64 + 1 + 255 is what RFC 5321, 4.5.3.1 lets through
DELIMITER = "+"  # recipient_delimiter of Postfix and Dovecot, set by the templates
OPAQUE_BYTES = 10  # 80 random bits: nobody guesses another account's opaque address

_ATOMS = re.compile(r"[^\s\"(),:;<>@\[\\\]\x00-\x20\x7f]+")  # RFC 5321 dot-string; RFC 6531 adds every UTF-8 letter
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DOMAIN_LIMIT = 253  # RFC 1035, 2.3.4, without the root's dot
FOLDED_MOST = 8192  # addresses remembered with their folding, which is pure: a few MiB, and 15 µs saved at each login


class BadAddress(ValueError):
    """This is not an address; the text names what is wrong, never the address."""


@lru_cache(maxsize=FOLDED_MOST)
def fold(address: str) -> str:
    """The one spelling of an address: NFKC, case folded, domain as A-label, needless quotes and final dot removed.

    Case folding of the local part is the provider's right (RFC 5321, 2.4); it is what keeps twins from being given out.
    """
    if len(address) > ADDRESS_LIMIT:
        raise BadAddress("the address is too long")
    local, at, domain = unicodedata.normalize("NFKC", address).rpartition("@")
    if not at or not local:
        raise BadAddress("an address has the form local@domain")
    # The domain's case is folded by IDNA alone: str.casefold would turn straße.example into another domain.
    folded = fold_local(unicodedata.normalize("NFKC", local.casefold()))
    return f"{folded}@{fold_domain(domain)}"


def fold_local(local: str) -> str:
    """The local part without needless quotes (RFC 5321, 4.1.2: \"joe\"@d and joe@d are the same mailbox)."""
    if any("\ud800" <= letter <= "\udfff" for letter in local):  # bytes that were not UTF-8; no database takes them
        raise BadAddress("the local part is not UTF-8")
    if len(local) > 1 and local[0] == local[-1] == '"':
        content = re.sub(r"\\(.)", r"\1", local[1:-1])
        if _ATOMS.fullmatch(content) and not is_odd(content):
            return content
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in content) or not content:
            raise BadAddress("the local part holds control characters")
        return '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'
    if not _ATOMS.fullmatch(local) or is_odd(local):
        raise BadAddress("the local part is not well-formed")
    return local


def is_odd(local: str) -> bool:
    """Dots that RFC 5321's dot-string does not allow; control and format characters that print as nothing."""
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return True
    return any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp") for letter in local)


def fold_domain(domain: str) -> str:
    """A domain as lower-case A-label without the root's dot (RFC 5890; UTS 46 mapping)."""
    if len(domain) > ADDRESS_LIMIT:
        raise BadAddress("the domain is too long")
    try:
        text = idna.encode(domain.removesuffix("."), uts46=True).decode() if not domain.isascii() else domain.lower()
    except (idna.IDNAError, UnicodeError):
        raise BadAddress("the domain is not well-formed") from None
    text = text.removesuffix(".")
    if len(text) > DOMAIN_LIMIT or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        raise BadAddress("the domain is not well-formed")
    return text


def split_tag(address: str) -> tuple[str, str]:
    """`a+tag@d` as (`a@d`, `tag`); without a tag the second is empty."""
    local, _, domain = address.rpartition("@")
    base, _, tag = local.partition(DELIMITER)
    if not base or not tag or local.startswith('"'):
        return address, ""
    return f"{base}@{domain}", tag


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def new_opaque() -> str:
    """A local part for the opaque domain."""
    return "u" + secrets.token_hex(OPAQUE_BYTES)


# What the directory and the store know ---------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """An account as its directory shows it."""

    account: int
    address: str
    enabled: bool
    language: str
    quota: int  # bytes, 0 = no limit
    opaque: str  # local part in the opaque domain
    ended: bool = False


@dataclass(frozen=True)
class AliasFacts:
    """A row of `alias` with its owner; the owner is None when nobody of that account exists any more."""

    kind: Literal["disposable", "permanent"]
    expires: int | None
    owner: Person | None


@dataclass(frozen=True)
class Entry:
    """What stands under one spelling."""

    person: Person | None = None
    alias: AliasFacts | None = None
    tombstone: bool = False


@dataclass(frozen=True)
class Facts:
    """All that `judge` needs about one folded address."""

    address: str
    domain: Literal["own", "disposable", "external", "opaque"] | None
    exact: Entry = Entry()
    base: Entry = Entry()  # the same without its tag
    catch_all: Person | None = None
    opaque: Person | None = None


# What an address means ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mailbox:
    """The address is a person's own."""

    person: Person
    address: str


@dataclass(frozen=True)
class Alias:
    """Mail to the address belongs to a person; `expires` in seconds since 1970, or None."""

    person: Person
    address: str
    kind: Literal["disposable", "permanent", "catch-all", "opaque"]
    expires: int | None = None


@dataclass(frozen=True)
class Dead:
    """Once given out, never again. Outsiders see no difference from Unknown."""

    address: str


@dataclass(frozen=True)
class Unknown:
    """Nothing is known; `local` tells whether the domain is one of ours."""

    address: str
    local: bool


@dataclass(frozen=True)
class TryLater:
    """Nobody could find out; the reason is for the operator."""

    reason: str


Judgement = Mailbox | Alias | Dead | Unknown
Resolution = Judgement | TryLater


def judge(facts: Facts, now: int) -> Judgement:
    """What the address means at `now` (seconds since 1970)."""
    if facts.domain is None:
        return Unknown(facts.address, local=False)
    if facts.domain == "opaque":
        return Alias(facts.opaque, facts.address, "opaque") if living(facts.opaque) else Dead(facts.address)
    for entry in (facts.exact, facts.base):
        found = judge_entry(facts.address, entry, now)
        if found is not None:
            return found
    if living(facts.catch_all) and facts.domain != "disposable":
        return Alias(facts.catch_all, facts.address, "catch-all")
    return Unknown(facts.address, local=True)


def judge_entry(address: str, entry: Entry, now: int) -> Mailbox | Alias | Dead | None:
    """One spelling. A live alias beats its own tombstone; a tombstone beats every directory."""
    if entry.alias is not None:
        alias = entry.alias
        if living(alias.owner) and (alias.expires is None or now < alias.expires):
            return Alias(alias.owner, address, alias.kind, alias.expires)
        return Dead(address)
    if entry.tombstone:
        return Dead(address)
    if entry.person is not None:
        return Mailbox(entry.person, address) if living(entry.person) else Dead(address)
    return None


def living(person: Person | None) -> TypeGuard[Person]:
    return person is not None and not person.ended


class FactsSource(Protocol):
    """The part of a directory that `resolve` needs."""

    async def facts(self, address: str) -> Facts: ...


async def resolve(directory: FactsSource, address: str, now: int) -> Resolution:
    """Fold, fetch the facts, judge. An address that is none is Unknown."""
    try:
        folded = fold(address)
    except BadAddress:
        return Unknown(address, local=False)
    try:
        return judge(await directory.facts(folded), now)
    except DatabaseDown as error:
        return TryLater(str(error))


def owners_of(found: Judgement) -> tuple[str, ...]:
    """The logins that may send as this address. Disposable and opaque addresses never send."""
    match found:
        case Mailbox(person=person):
            return (person.address,)
        case Alias(person=person, kind="permanent" | "catch-all"):
            return (person.address,)
        case Alias() | Dead() | Unknown():
            return ()


async def owners(directory: FactsSource, address: str, now: int) -> tuple[str, ...] | TryLater:
    """`owners_of` the resolved address, or TryLater."""
    found = await resolve(directory, address, now)
    return found if isinstance(found, TryLater) else owners_of(found)
