"""The section [directory] of the configuration file: whose people these are."""

from dataclasses import dataclass
from typing import Literal

from outrider.directories.presets import SCHEMAS, SHAPES
from outrider.directories.queries import Query
from outrider.settings import setting

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class DirectorySettings:
    """Who exists: our own tables, or a directory of the operator's that is only read (docs/directories.md)."""

    kind: Literal["sql", "ldap", "foreign"] = setting(
        "sql", help="`sql` = our own tables, `ldap`, or `foreign` = an existing SQL database."
    )
    name: str = setting(
        "", help="Keys of people are compared within this name; empty = the kind. Another one: all new."
    )
    preset: str = setting(
        "", help="LDAP: qmail, postfix-book, freeipa, activedirectory; foreign: postfixadmin, ispmail; empty = none."
    )
    password: str = setting("", help="`credential:NAME` of the file with the directory's password; empty = none.")

    uri: str = setting("", help="LDAP: ldaps://HOST, ldapi://%2FPATH or ldap://HOST; several with a space between.")
    base: str = setting("", help="LDAP: DN under which the people are.")
    bind_dn: str = setting("", help="LDAP: DN that may search; its password is `password`; empty = anonymous.")
    start_tls: bool = setting(False, help="LDAP: TLS on an ldap:// connection; needed unless the host is this one.")
    ca: str = setting(
        "", help="File with the certificates of authorities that vouch for the server; empty = the system's."
    )
    nobody_dn: str = setting(
        "", help="LDAP: an entry with a password nobody has: unknown logins are checked against it, for equal time."
    )
    filter: str = setting("", help="LDAP: finds an entry by an address of its own or an alias, {address}.")
    people_filter: str = setting("", help="LDAP: finds everybody.")
    address_attribute: str = setting("", help="LDAP: the entry's own address.")
    alias_attributes: tuple[str, ...] = setting((), help="LDAP: its other addresses.")
    key_attribute: str = setting("", help="LDAP: what never changes; entryUUID, ipaUniqueID, objectGUID …")
    enabled_attribute: str = setting("", help="LDAP: whether it may log in.")
    quota_attribute: str = setting("", help="LDAP: size of the mailbox.")
    language_attribute: str = setting("", help="LDAP: de or en, as in preferredLanguage.")
    login_attribute: str = setting("", help="LDAP: the entry's name, as whoami says it (u:NAME).")

    database: str = setting(
        "",
        help="Foreign: `sqlite:PATH`, `mariadb://USER@HOST/NAME`, `postgresql://USER@HOST/NAME`; see `password`.",
    )
    scheme: str = setting("", help="Foreign: scheme of stored passwords that tell none, e.g. PLAIN-MD5; empty = none.")
    person: str = setting("", help="Foreign: query with :address; columns id, address, password, enabled, quota.")
    by_key: str = setting("", help="Foreign: the same columns by :key, which is a person's id.")
    people: str = setting("", help="Foreign: the same columns of everybody.")
    alias: str = setting("", help="Foreign: where mail to :address (:local, :domain) goes; empty = no aliases.")
    domain: str = setting("", help="Foreign: a row if :domain is one; empty = only domains that Outrider was told.")

    def __post_init__(self) -> None:
        match self.kind:
            case "ldap":
                self._check_ldap()
            case "foreign":
                self._check_foreign()
            case "sql":
                return

    def _check_ldap(self) -> None:
        if self.preset not in SHAPES:
            raise ValueError(f"preset: expected one of {', '.join(filter(None, SHAPES))}")
        if not self.uri or not self.base:
            raise ValueError(f"{'base' if self.uri else 'uri'}: missing")
        for uri in self.uri.split():
            scheme, _, host = uri.partition("://")
            if scheme not in ("ldap", "ldaps", "ldapi"):
                raise ValueError("uri: expected ldaps://, ldapi:// or ldap://")
            here = host.partition("/")[0].removesuffix(":389") in LOOPBACK
            if scheme == "ldap" and not here and not self.start_tls:
                raise ValueError("start_tls: passwords would be readable on their way to another host")
        if self.filter and "{address}" not in self.filter:
            raise ValueError("filter: expected {address} in it")

    def _check_foreign(self) -> None:
        if self.preset and self.preset not in SCHEMAS:
            raise ValueError(f"preset: expected one of {', '.join(SCHEMAS)}")
        if not self.database:
            raise ValueError("database: missing")
        for key, name in (("person", "address"), ("by_key", "key"), ("people", "")):
            text = getattr(self, key)
            if not text and not self.preset:
                raise ValueError(f"{key}: missing, and there is no preset")
            if text and name and not Query(text).asks(name):
                raise ValueError(f"{key}: expected :{name} in it")
