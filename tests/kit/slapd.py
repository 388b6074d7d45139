"""What the trial slapd holds: one suffix for each shape that Outrider has a preset for, in the schemas' own names.

dc=qmail   qmail-ldap          dc=book   postfix-book
dc=ipa     FreeIPA             dc=ad     Active Directory: its attributes, and 16 bytes as objectGUID

Every suffix has alice (with aliases), bob (disabled), carol, two twins with one address, and `nobody`, whose password
nobody uses. Attribute and class definitions are those of the schemas, cut to what a mail server reads.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

SECRET = "correct horse battery staple"
NOBODYS = "e4f1c6ce8a0f4b0f9d"
SEARCHER = "cn=outrider"

IA5, TEXT, NUMBER, OCTETS = (f"1.3.6.1.4.1.1466.115.121.1.{number}" for number in (26, 15, 27, 40))
AD = "1.2.840.113556.1.4"
SCHEMA = f"""\
attributetype ( 1.3.6.1.4.1.7914.1.2.1.4 NAME 'mailAlternateAddress'
  EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX {IA5} )
attributetype ( 1.3.6.1.4.1.7914.1.2.1.12 NAME 'accountStatus' EQUALITY caseIgnoreIA5Match SYNTAX {IA5} SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.7914.1.2.1.15 NAME 'mailQuotaSize' EQUALITY integerMatch SYNTAX {NUMBER} SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.7914.1.2.2.1 NAME 'qmailUser' SUP top AUXILIARY MUST mail
  MAY ( uid $ userPassword $ mailAlternateAddress $ accountStatus $ mailQuotaSize ) )

attributetype ( 1.3.6.1.4.1.29426.1.10.2 NAME 'mailAlias'
  EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX {IA5} )
attributetype ( 1.3.6.1.4.1.29426.1.10.5 NAME 'mailEnabled' EQUALITY booleanMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.29426.1.10.7 NAME 'mailQuota' EQUALITY caseExactIA5Match SYNTAX {IA5} SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.29426.1.2.2.1 NAME 'PostfixBookMailAccount' SUP top AUXILIARY
  MUST mail MAY ( mailAlias $ mailEnabled $ mailQuota ) )

attributetype ( 2.16.840.1.113730.3.8.3.1 NAME 'ipaUniqueID' EQUALITY caseExactMatch SYNTAX {TEXT} )
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch SYNTAX {TEXT} SINGLE-VALUE )
objectclass ( 2.16.840.1.113730.3.8.4.1 NAME 'ipaobject' SUP top AUXILIARY MUST ipaUniqueID MAY nsAccountLock )

attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX {TEXT} )
attributetype ( {AD}.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX {OCTETS} SINGLE-VALUE )
attributetype ( {AD}.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX {NUMBER} SINGLE-VALUE )
attributetype ( {AD}.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX {TEXT} SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL
  MAY ( proxyAddresses $ objectGUID $ userAccountControl $ sAMAccountName ) )
objectclass ( 1.2.840.113556.1.3.30 NAME 'computer' SUP user STRUCTURAL )
"""
SUFFIXES = ("dc=qmail", "dc=book", "dc=ipa", "dc=ad")
# `allow bind_anon_dn`: as careless as a server can be, a bind with a name and no password succeeds as anonymous.
HEAD = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/trial.schema
pidfile /run/slapd/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
allow bind_anon_dn bind_anon_cred
TLSCACertificateFile /etc/ldap/cert.pem
TLSCertificateFile /etc/ldap/cert.pem
TLSCertificateKeyFile /etc/ldap/key.pem
"""


def configuration() -> str:
    """slapd.conf(5); entries are read by the search account alone."""
    databases = (
        f"""
database mdb
suffix "{suffix}"
directory /var/lib/ldap/{suffix.removeprefix("dc=")}
index objectClass,mail,mailAlternateAddress,mailAlias,proxyAddresses,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SEARCHER},{suffix}" read by * none
"""
        for suffix in SUFFIXES
    )
    return HEAD + "".join(databases)


def ssha(secret: str) -> str:
    salt = hashlib.sha256(secret.encode()).digest()[:8]  # the same layer every time
    digest = hashlib.sha1(secret.encode() + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def entry(dn: str, **attributes: object) -> str:
    """LDIF; bytes come in base64 (RFC 2849), `_` in names stands for nothing."""
    lines = [f"dn: {dn}"]
    for name, values in attributes.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            plain = not isinstance(value, bytes)
            lines.append(f"{name}: {value}" if plain else f"{name}:: {base64.b64encode(value).decode()}")  # type: ignore[arg-type]
    return "\n".join(lines) + "\n\n"


def person(suffix: str, uid: str, classes: list[str], *, secret: str = SECRET, **more: object) -> str:
    structural = [] if "user" in classes else ["inetOrgPerson"]
    names = {"objectClass": [*structural, *classes], "uid": uid, "cn": uid.title(), "sn": "Trial"}
    return entry(f"uid={uid},ou=people,{suffix}", **names, userPassword=ssha(secret), **more)


def ldif(suffix: str, search_password: str) -> str:
    """All entries of a suffix."""
    top = entry(suffix, objectClass=["dcObject", "organization"], dc=suffix.removeprefix("dc="), o="Trial")
    people = entry(f"ou=people,{suffix}", objectClass="organizationalUnit", ou="people")
    searcher = entry(
        f"{SEARCHER},{suffix}",
        objectClass=["simpleSecurityObject", "organizationalRole"],
        cn="outrider",
        userPassword=ssha(search_password),
    )
    return top + people + searcher + "".join(PEOPLE[suffix](suffix))


def at(local: str, domain: str = "provider.example") -> str:
    return f"{local}@{domain}"


def qmail(suffix: str) -> Iterator[str]:
    of = ["qmailUser"]
    aliases = [at("a.smith"), at("Info")]
    yield person(suffix, "alice", of, mail=at("Alice"), mailAlternateAddress=aliases, accountStatus="active",
                 mailQuotaSize=1 << 30, preferredLanguage="de-DE")  # fmt: skip
    yield person(suffix, "bob", of, mail=at("bob"), accountStatus="noaccess")
    yield person(suffix, "carol", of, mail=at("carol", "customer.example"))
    yield person(suffix, "dave", of, mail=at("dave"), accountStatus="deleted")
    yield person(suffix, "twin1", of, mail=at("twin"))
    yield person(suffix, "twin2", of, mail=at("other"), mailAlternateAddress=at("twin"))
    yield person(suffix, "nobody", of, mail="nobody@invalid", secret=NOBODYS)
    yield person(suffix, "star", of, mail=at("*"))


def book(suffix: str) -> Iterator[str]:
    of = ["PostfixBookMailAccount"]
    aliases = [at("a.smith"), at("info")]
    yield person(suffix, "alice", of, mail=at("alice"), mailAlias=aliases, mailEnabled="TRUE", mailQuota="1G",
                 preferredLanguage="de")  # fmt: skip
    yield person(suffix, "bob", of, mail=at("bob"), mailEnabled="FALSE")
    yield person(suffix, "carol", of, mail=at("carol", "customer.example"), mailEnabled="TRUE")
    yield person(suffix, "twin1", of, mail=at("twin"), mailEnabled="TRUE")
    yield person(suffix, "twin2", of, mail=at("twin"), mailEnabled="TRUE")
    yield person(suffix, "nobody", of, mail="nobody@invalid", secret=NOBODYS)


def ipa(suffix: str) -> Iterator[str]:
    of = ["posixAccount", "ipaobject"]

    def unix(number: int) -> dict[str, object]:
        account = {"uidNumber": 10000 + number, "gidNumber": 10000, "homeDirectory": f"/home/{number}"}
        return {**account, "ipaUniqueID": f"0b7c2a4e-0000-11ee-8000-{number:012x}"}

    aliases = [at("a.smith"), at("alice"), at("info")]
    yield person(suffix, "alice", of, mail=aliases, preferredLanguage="de", **unix(1))
    yield person(suffix, "bob", of, mail=at("bob"), nsAccountLock="TRUE", **unix(2))
    yield person(suffix, "carol", of, mail=at("carol", "customer.example"), **unix(3))
    yield person(suffix, "twin1", of, mail=at("twin"), **unix(4))
    yield person(suffix, "twin2", of, mail=[at("twin2"), at("twin")], **unix(5))
    yield person(suffix, "unclear", of, mail=[at("one"), at("two")], **unix(6))
    yield person(suffix, "nobody", of, mail="nobody@invalid", secret=NOBODYS, **unix(7))


def active_directory(suffix: str) -> Iterator[str]:
    of = ["user"]

    def account(name: str, number: int, control: int = 0x200) -> dict[str, object]:
        # the first byte is `(`, the last is 0: they have to be escaped in a filter
        guid = b"(" + number.to_bytes(14, "big") + b"\0"
        return {"sAMAccountName": name, "objectGUID": guid, "userAccountControl": control}

    proxies = ["smtp:" + at("a.smith"), "SMTP:" + at("Alice"), "smtp:" + at("info"), "X500:/o=Trial/cn=alice"]
    yield person(suffix, "alice", of, mail=at("Alice"), proxyAddresses=proxies, preferredLanguage="de",
                 **account("alice", 1))  # fmt: skip
    yield person(suffix, "bob", of, mail=at("bob"), **account("bob", 2, 0x202))
    carol = at("carol", "customer.example")
    yield person(suffix, "carol", of, mail=carol, proxyAddresses="SMTP:" + carol, **account("carol", 3))
    yield person(suffix, "twin1", of, mail=at("twin"), **account("twin1", 4))
    yield person(suffix, "twin2", of, proxyAddresses=["SMTP:" + at("x"), "smtp:" + at("twin")], **account("twin2", 5))
    yield person(suffix, "pc1", ["user", "computer"], mail=at("pc1"), **account("pc1$", 6))
    yield person(suffix, "nobody", of, mail="nobody@invalid", secret=NOBODYS, **account("nobody", 7))


PEOPLE = {"dc=qmail": qmail, "dc=book": book, "dc=ipa": ipa, "dc=ad": active_directory}
