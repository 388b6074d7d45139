"""What an LDAP entry says: its own address, its other ones, its key, whether it may log in. Pure.

Unclear    the entry has several addresses, and nothing tells which is its own
"""

from collections.abc import Mapping
from dataclasses import dataclass

from outrider.directories.presets import Shape
from outrider.directories.source import folded, language, quota

BINARY_KEYS = ("objectguid",)  # 16 bytes ([MS-ADA3], 2.43); all other keys are text
PRIMARY, OTHER = "SMTP:", "smtp:"  # of proxyAddresses
ACCOUNT_DISABLED = 0x2  # of userAccountControl ([MS-ADTS], 2.2.16)


class Unclear(Exception):
    """Nothing tells which address is the entry's own."""


@dataclass(frozen=True)
class Entry:
    """A name and its attributes; their names are lower case (RFC 4512, 2.5: case does not count)."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def texts(self, name: str) -> list[str]:
        values = self.attributes.get(name.lower(), ()) if name else ()
        return [value.decode("utf-8", "replace") for value in values]

    def text(self, name: str) -> str:
        """The first value; empty if there is none."""
        return next(iter(self.texts(name)), "")


def wanted(shape: Shape) -> list[str]:
    """The attributes to ask for; operational ones come only by name (RFC 4511, 4.5.1.8)."""
    names = (shape.address, *shape.aliases, shape.key, shape.enabled, shape.quota, shape.language, shape.login)
    return sorted({name for name in names if name})


def key_of(entry: Entry, shape: Shape) -> str:
    """The key as text; empty if the entry has none, or does not show it to us."""
    if shape.key.lower() in BINARY_KEYS:
        return next((value.hex() for value in entry.attributes.get(shape.key.lower(), ())), "")
    return entry.text(shape.key)


def binary(key: str, shape: Shape) -> bytes | None:
    """The key's bytes where it is a binary one."""
    try:
        return bytes.fromhex(key) if shape.key.lower() in BINARY_KEYS else None
    except ValueError:
        return b""


def own_address(entry: Entry, shape: Shape) -> str:
    """The one address that is the entry's login, folded; empty if it has none that is an address. Raises Unclear."""
    values = entry.texts(shape.address)
    marked = [value.removeprefix(PRIMARY) for value in values if value.startswith(PRIMARY)]
    if marked:
        return only(marked)
    plain = [value for value in values if ":" not in value] or entry.texts(
        shape.aliases[0] if is_marking(shape) else ""
    )
    if len(plain) < 2:
        return folded(plain[0]) if plain else ""
    name = entry.text(shape.login).casefold()
    return only([value for value in plain if name and value.rpartition("@")[0].casefold() == name])


def only(addresses: list[str]) -> str:
    """All of them must be one."""
    found = {folded(one) for one in addresses}
    if len(found) != 1:
        raise Unclear
    return found.pop()


def is_marking(shape: Shape) -> bool:
    """Does the attribute mark its values (`SMTP:`, `smtp:`)?"""
    return shape.address.lower() == "proxyaddresses"


def all_addresses(entry: Entry, shape: Shape) -> set[str]:
    """Own address and aliases, folded. Marked values that are no mail addresses (`X500:`, `sip:`) do not count."""
    values = [value for name in (shape.address, *shape.aliases) for value in entry.texts(name)]
    plain = [value[len(OTHER) :] if value[: len(OTHER)].lower() == OTHER else value for value in values]
    return {folded(value) for value in plain if ":" not in value} - {""}


def may_log_in(entry: Entry, shape: Shape) -> bool:
    """What the schema's own attribute says; how its values are read depends on its name."""
    name = shape.enabled.lower()
    if not name:
        return True
    said = entry.text(shape.enabled).strip()
    match name:
        case "accountstatus":  # qmail-ldap: active, noaccess, disabled, deleted; none = active
            return said.lower() in ("", "active")
        case "nsaccountlock":  # 389 Directory Server
            return said.upper() != "TRUE"
        case "useraccountcontrol":  # Active Directory
            return said.isdecimal() and not int(said) & ACCOUNT_DISABLED
        case _:  # mailEnabled and its like: yes must be said
            return said.lower() in ("true", "yes", "1", "active", "enabled")


def quota_of(entry: Entry, shape: Shape) -> int:
    return quota(entry.text(shape.quota)) if entry.text(shape.quota) else 0


def language_of(entry: Entry, shape: Shape) -> str:
    return language(entry.text(shape.language))
