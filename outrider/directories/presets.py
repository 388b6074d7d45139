"""Shapes of directories that many operators have: LDAP schemas, and tables of well-known programs.

Every part can be overruled by a setting of [directory]; docs/directories.md shows both.
"""

from dataclasses import dataclass

# LDAP ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """Where an entry says what. `{address}` in the filter is replaced by the escaped address."""

    filter: str
    """Finds an entry by its own address and by its aliases: one search shows that exactly one has it."""
    everybody: str
    address: str = "mail"
    aliases: tuple[str, ...] = ()
    key: str = "entryUUID"
    """Stays the same when the entry is renamed or moved (RFC 4530)."""
    enabled: str = ""
    """Empty: every entry may log in. How its values are read: outrider.directories.entries."""
    quota: str = ""
    language: str = "preferredLanguage"
    login: str = "uid"
    """The name that tells which of several addresses is the entry's own, and that whoami answers (`u:NAME`)."""


def found_by(classes: str, *attributes: str) -> str:
    return f"(&{classes}(|{''.join(f'({name}={{address}})' for name in attributes)}))"


PLAIN = Shape(
    filter=found_by("(objectClass=inetOrgPerson)", "mail", "mailAlternateAddress"),
    everybody="(&(objectClass=inetOrgPerson)(mail=*))",
    aliases=("mailAlternateAddress",),
)

SHAPES = {
    "": PLAIN,
    # qmail-ldap, 1.3.6.1.4.1.7914.1.2.2.1; accountStatus: active, noaccess, disabled, deleted
    "qmail": Shape(
        filter=found_by("(objectClass=qmailUser)(!(accountStatus=deleted))", "mail", "mailAlternateAddress"),
        everybody="(&(objectClass=qmailUser)(!(accountStatus=deleted)))",
        aliases=("mailAlternateAddress",),
        enabled="accountStatus",
        quota="mailQuotaSize",
    ),
    # postfix-book.schema, 1.3.6.1.4.1.29426.1.10; mailEnabled must say TRUE
    "postfix-book": Shape(
        filter=found_by("(objectClass=PostfixBookMailAccount)", "mail", "mailAlias"),
        everybody="(objectClass=PostfixBookMailAccount)",
        aliases=("mailAlias",),
        enabled="mailEnabled",
        quota="mailQuota",
    ),
    # FreeIPA: `mail` has all addresses; the entry's own is the one with its uid
    "freeipa": Shape(
        filter=found_by("(objectClass=posixAccount)", "mail"),
        everybody="(&(objectClass=posixAccount)(mail=*))",
        key="ipaUniqueID",
        enabled="nsAccountLock",
    ),
    # Active Directory: proxyAddresses has `SMTP:` before the entry's own address, `smtp:` before its aliases
    # ([MS-ADA3], 2.110); the attribute compares without regard to case
    "activedirectory": Shape(
        filter="(&(objectClass=user)(!(objectClass=computer))(|(proxyAddresses=smtp:{address})(mail={address})))",
        everybody="(&(objectClass=user)(!(objectClass=computer))(mail=*))",
        address="proxyAddresses",
        aliases=("mail",),
        key="objectGUID",
        enabled="userAccountControl",
        login="sAMAccountName",
    ),
}

# SQL -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Queries:
    """Texts with `:address`, `:local`, `:domain`, `:key`; see outrider.directories.foreign for their columns."""

    person: str
    by_key: str
    people: str
    alias: str = ""
    domain: str = ""


def postfixadmin(dialect: str) -> Queries:
    """PostfixAdmin (upgrade.php of 3.3): its people have no number, their key is the user name.

    A mailbox counts as enabled only together with its domain. An alias domain gives its people a second address.
    """
    person = (
        "SELECT m.username AS id, m.username AS address, m.password AS password, (m.active AND d.active) AS enabled,"
        " m.quota AS quota FROM mailbox m JOIN domain d ON d.domain = m.domain"
    )
    joined = {"mariadb": "CONCAT(:local, '@', target_domain)"}.get(
        dialect, "CAST(:local AS TEXT) || '@' || target_domain"
    )
    return Queries(
        person=f"{person} WHERE m.username = :address",
        by_key=f"{person} WHERE m.username = :key",
        people=person,
        alias=(
            "SELECT goto FROM alias WHERE address = :address AND active = TRUE"
            f" UNION ALL SELECT {joined} FROM alias_domain WHERE alias_domain = :domain AND active = TRUE"
        ),
        domain=(
            "SELECT domain FROM domain WHERE domain = :domain AND active = TRUE AND backupmx = FALSE"
            " UNION ALL SELECT alias_domain FROM alias_domain WHERE alias_domain = :domain AND active = TRUE"
        ),
    )


def ispmail(dialect: str) -> Queries:
    """The tables of the ISPmail guide (workaround.org): virtual_domains, virtual_users, virtual_aliases."""
    key = f"CAST(id AS {'CHAR' if dialect == 'mariadb' else 'TEXT'})"
    person = f"SELECT {key} AS id, email AS address, password, quota FROM virtual_users"
    return Queries(
        person=f"{person} WHERE email = :address",
        by_key=f"{person} WHERE {key} = :key",
        people=person,
        alias="SELECT destination FROM virtual_aliases WHERE source = :address",
        domain="SELECT name FROM virtual_domains WHERE name = :domain",
    )


SCHEMAS = {"postfixadmin": postfixadmin, "ispmail": ispmail}
