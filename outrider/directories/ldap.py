"""An LDAP directory as a `Source`: search for exactly one entry, then let the server check the password by a bind.

What is where in an entry comes from a preset (outrider.directories.presets), each part overruled by its setting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from outrider.db import DatabaseDown
from outrider.directories.entries import (
    Entry,
    Unclear,
    all_addresses,
    binary,
    key_of,
    language_of,
    may_log_in,
    own_address,
    quota_of,
    wanted,
)
from outrider.directories.presets import SHAPES, Shape
from outrider.directories.settings import DirectorySettings
from outrider.directories.source import SourcePerson, ambiguous, the_one, without_twins
from outrider.directory import Verifier
from outrider.passwords import canonical


class Server(Protocol):
    """What `outrider.directories.connections.Connections` can do."""

    async def search(
        self, template: str, values: Mapping[str, str | bytes], attributes: Sequence[str]
    ) -> list[Entry]: ...
    async def everybody(self, text: str, attributes: Sequence[str]) -> list[Entry]: ...
    async def fits(self, dn: str, login: str, secret: str) -> bool: ...
    async def close(self) -> None: ...


@dataclass(frozen=True)
class Bind:
    """A password that only the server can check."""

    server: Server
    dn: str
    login: str

    async def fits(self, secret: str) -> bool:
        return await self.server.fits(self.dn, self.login, canonical(secret))

    def __repr__(self) -> str:
        return "Bind()"


@dataclass(frozen=True)
class Nobody:
    """The same work for nobody: it never fits."""

    bind: Bind

    async def fits(self, secret: str) -> bool:
        await self.bind.fits(secret)
        return False


class LdapSource:
    """The directory behind `server`. `nobody_dn` names an entry with a password that nobody has; empty = none."""

    def __init__(self, name: str, server: Server, shape: Shape, nobody_dn: str = "") -> None:
        self.name = name
        self._server, self._shape = server, shape
        self._nobody = Nobody(Bind(server, nobody_dn, "")) if nobody_dn else None

    async def find(self, address: str) -> SourcePerson | None:
        found = await self._server.search(self._shape.filter, {"address": address}, wanted(self._shape))
        # Servers compare in their own way (blanks, case): what was found must have the very address.
        one = the_one([self._made(entry) for entry in found], self.name)
        return one if one is not None and address in all_addresses(found[0], self._shape) else None

    async def by_key(self, key: str) -> SourcePerson | None:
        value = binary(key, self._shape)
        template = f"(&{self._shape.everybody}({self._shape.key}={{key}}))"
        asked: dict[str, str | bytes] = {"key": key if value is None else value}
        found = await self._server.search(template, asked, wanted(self._shape))
        return the_one([self._made(entry) for entry in found], self.name)

    async def catch_all(self, domain: str) -> SourcePerson | None:
        """LDAP schemas have none; `outrider domain catch-all` makes one of ours."""
        return None

    async def people(self) -> list[SourcePerson]:
        """Everybody who has an address of his own; what cannot be read is said and passed over."""
        found = []
        for entry in await self._server.everybody(self._shape.everybody, wanted(self._shape)):
            try:
                person = self._made(entry)
            except DatabaseDown:
                continue
            if person.address:
                found.append(person)
        return without_twins(found, self.name)

    async def has_domain(self, domain: str) -> bool:
        """Domains are ours to know: an entry's address may lie anywhere."""
        return False

    def nobody(self) -> Verifier | None:
        return self._nobody

    async def close(self) -> None:
        await self._server.close()

    def _made(self, entry: Entry) -> SourcePerson:
        key = key_of(entry, self._shape)
        if not key:
            raise DatabaseDown(f"{self.name}: an entry shows no {self._shape.key}")
        try:
            address = own_address(entry, self._shape)
        except Unclear:
            raise ambiguous(self.name, "nothing tells which address is an entry's own", [key]) from None
        return SourcePerson(
            key=key,
            address=address,
            enabled=may_log_in(entry, self._shape),
            language=language_of(entry, self._shape),
            quota=quota_of(entry, self._shape),
            stored=Bind(self._server, entry.dn, entry.text(self._shape.login)),
        )


def shape_of(settings: DirectorySettings) -> Shape:
    """The preset's shape, each part overruled by a setting that is not empty."""
    chosen = {
        "filter": settings.filter,
        "everybody": settings.people_filter,
        "address": settings.address_attribute,
        "aliases": settings.alias_attributes,
        "key": settings.key_attribute,
        "enabled": settings.enabled_attribute,
        "quota": settings.quota_attribute,
        "language": settings.language_attribute,
        "login": settings.login_attribute,
    }
    return replace(SHAPES[settings.preset], **{name: value for name, value in chosen.items() if value})  # type: ignore[arg-type]


def open_ldap(settings: DirectorySettings, password: str) -> LdapSource:
    """The source of the settings. ValueError: python-ldap is missing."""
    try:
        from outrider.directories.connections import Connections, Server  # noqa: PLC0415 - there for who uses it
    except ImportError:
        raise ValueError('kind: python-ldap is missing; on Debian: "apt install python3-ldap"') from None
    name = settings.name or "ldap"
    server = Server(settings.uri, settings.base, settings.bind_dn, settings.start_tls, settings.ca)
    return LdapSource(name, Connections(name, server, password), shape_of(settings), settings.nobody_dn)
