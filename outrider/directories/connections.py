"""python-ldap: the only module that speaks to it. Searches and binds have connections of their own.

A connection of the second pool changes its identity with every login, so nothing is ever searched on it, and
python-ldap's ReconnectLDAPObject is not used: it would keep the last password for its next attempt. Both limits are
set: OPT_NETWORK_TIMEOUT bounds connecting alone, a bind to a server that fell silent hangs without OPT_TIMEOUT.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ldap
import ldap.controls.libldap
import ldap.dn
import ldap.filter

from outrider.db import DatabaseDown
from outrider.directories.entries import Entry
from outrider.directories.source import SEVERAL, ambiguous
from outrider.directories.threads import Workers

logger = logging.getLogger(__name__)

SECONDS = 2.0  # for connecting, and for each answer: a login makes a search and a bind, and all is said within 8 s
SILENT_SECONDS = 5.0  # a host whose kernel does not answer for so long is gone (tcp(7), TCP_USER_TIMEOUT)
SEARCHES, BINDS = 4, 4  # connections; slapd answers a search in 0.3 ms
PAGE = 500  # entries; Active Directory gives at most 1000 at once
HITS = 3  # one is right, two are trouble, more need not be seen

NO = (  # the server has judged and says no; everything else is "could not find out"
    ldap.INVALID_CREDENTIALS,
    ldap.INAPPROPRIATE_AUTH,  # RFC 4511, A.2: the entry has no password
    ldap.NO_SUCH_OBJECT,
    ldap.CONSTRAINT_VIOLATION,  # 389 Directory Server: locked after too many wrong ones
    ldap.UNWILLING_TO_PERFORM,  # the same: account inactivated
)


@dataclass(frozen=True)
class Server:
    """Where the directory is and how to speak to it."""

    uri: str
    base: str
    bind_dn: str
    start_tls: bool
    ca: str


class Connections:
    """The two pools. Errors: DatabaseDown."""

    def __init__(self, name: str, server: Server, password: str) -> None:
        self._name, self._server, self._password = name, server, password
        self._searches = self._pool(SEARCHES, self._searching)
        self._binds = self._pool(BINDS, self._connected)

    def _pool(self, size: int, connect: Any) -> "Workers[Any]":
        return Workers(
            f"directory {self._name}",
            size,
            connect=connect,
            close=lambda connection: connection.unbind_s(),
            failures=(ldap.LDAPError,),
            gone=(ldap.SERVER_DOWN,),
        )

    async def search(self, template: str, values: Mapping[str, str | bytes], attributes: Sequence[str]) -> list[Entry]:
        """Entries that the filter fits, `{name}` in it replaced by the escaped value. Ambiguous: more than HITS."""
        text = filled(template, values)

        def work(connection: Any) -> list[Entry]:
            try:
                rows = connection.search_ext_s(
                    self._server.base, ldap.SCOPE_SUBTREE, text, list(attributes), sizelimit=HITS
                )
            except ldap.SIZELIMIT_EXCEEDED:
                raise ambiguous(self._name, SEVERAL) from None
            return entries(rows)

        return await self._searches.do(work)

    async def everybody(self, text: str, attributes: Sequence[str]) -> list[Entry]:
        """All entries that the filter fits, page by page (RFC 2696)."""

        def page(connection: Any, cookie: bytes) -> tuple[list[Entry], bytes]:
            control = ldap.controls.libldap.SimplePagedResultsControl(True, size=PAGE, cookie=cookie)
            asked = connection.search_ext(
                self._server.base, ldap.SCOPE_SUBTREE, text, list(attributes), serverctrls=[control]
            )
            _, rows, _, controls = connection.result3(asked)
            after = next((one.cookie for one in controls if one.controlType == control.controlType), b"")
            return entries(rows), after

        def work(connection: Any) -> list[Entry]:
            found, cookie = page(connection, b"")
            while cookie:
                more, cookie = page(connection, cookie)
                found += more
            return found

        return await self._searches.do(work)

    async def fits(self, dn: str, login: str, secret: str) -> bool:
        """Does this entry's password fit? An empty one is refused without asking: a bind with it is anonymous, and
        succeeds (RFC 4513, 5.1.2). Whom the server then takes us for is asked and compared (RFC 4532)."""
        if not secret or not is_text(secret):
            return False

        def work(connection: Any) -> bool:
            try:
                connection.simple_bind_s(dn, secret)
            except NO:
                return False
            said = connection.whoami_s()
            if not same_person(said, dn, login) and said not in ("", "dn:"):
                logger.error("directory=%s: a bind succeeded, and whoami names somebody else", self._name)
                raise DatabaseDown(f"directory {self._name}: whoami names somebody else")
            return same_person(said, dn, login)

        return await self._binds.do(work)

    async def close(self) -> None:
        await self._searches.close()
        await self._binds.close()

    def _connected(self) -> Any:
        connection = ldap.initialize(self._server.uri)
        connection.protocol_version = ldap.VERSION3
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, SECONDS)
        connection.set_option(ldap.OPT_TIMEOUT, SECONDS)
        connection.set_option(ldap.OPT_REFERRALS, 0)  # no password goes to a host that a server names
        # Neither limit holds in a TLS handshake: the kernel notices a host that has vanished.
        connection.set_option(ldap.OPT_TCP_USER_TIMEOUT, int(SILENT_SECONDS * 1000))
        connection.set_option(ldap.OPT_X_KEEPALIVE_IDLE, int(SILENT_SECONDS))
        connection.set_option(ldap.OPT_X_KEEPALIVE_INTERVAL, int(SILENT_SECONDS))
        connection.set_option(ldap.OPT_X_KEEPALIVE_PROBES, 2)
        if not self._server.uri.startswith("ldapi:"):
            if self._server.ca:
                connection.set_option(ldap.OPT_X_TLS_CACERTFILE, self._server.ca)
            connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if self._server.start_tls:
            connection.start_tls_s()
        return connection

    def _searching(self) -> Any:
        connection = self._connected()
        connection.simple_bind_s(self._server.bind_dn, self._password if self._server.bind_dn else "")
        return connection


def filled(template: str, values: Mapping[str, str | bytes]) -> str:
    """The filter with escaped values (RFC 4515, section 3); bytes are escaped one by one."""
    for name, value in values.items():
        plain = isinstance(value, bytes)
        text = "".join(f"\\{byte:02x}" for byte in value) if plain else ldap.filter.escape_filter_chars(value)
        template = template.replace(f"{{{name}}}", text)
    return template


def entries(rows: Any) -> list[Entry]:
    """Search results without references to other servers, which have no name."""
    return [
        Entry(dn, {name.lower(): tuple(values) for name, values in attributes.items()})
        for dn, attributes, *_ in rows
        if dn is not None
    ]


def same_person(said: str, dn: str, login: str) -> bool:
    """Is the authorization identity (RFC 4513, 5.2.1.8) the entry's? `dn:…`, or Active Directory's `u:NET\\name`."""
    kind, _, name = said.partition(":")
    match kind:
        case "dn":
            return plain_dn(name) == plain_dn(dn) != []
        case "u":
            return bool(login) and name.rpartition("\\")[2].casefold() == login.casefold()
        case _:
            return False


def plain_dn(dn: str) -> list[list[tuple[str, str]]]:
    """A DN for comparing: names and values without regard to case and needless blanks. Empty if it is none."""
    try:
        parts = ldap.dn.str2dn(dn)
    except ldap.DECODING_ERROR:
        return []
    return [sorted((name.lower(), " ".join(value.casefold().split())) for name, value, _ in rdn) for rdn in parts]


def is_text(secret: str) -> bool:
    """Bytes that were not UTF-8 came through as lone surrogates; no password holds them."""
    return not any("\ud800" <= letter <= "\udfff" for letter in secret)
