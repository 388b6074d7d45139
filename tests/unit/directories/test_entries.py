"""LDAP entries of every shape, and the source over a server that is a list."""

from collections.abc import Mapping, Sequence

import pytest

from outrider.db import DatabaseDown
from outrider.directories.entries import Entry, Unclear, all_addresses, may_log_in, own_address
from outrider.directories.ldap import LdapSource, shape_of
from outrider.directories.presets import SHAPES
from outrider.directories.settings import DirectorySettings
from outrider.directories.source import Ambiguous, language, quota

AD, IPA, QMAIL, BOOK = (SHAPES[name] for name in ("activedirectory", "freeipa", "qmail", "postfix-book"))


def entry(dn: str = "uid=alice,dc=x", **attributes: str | bytes | list[str]) -> Entry:
    def values(given: str | bytes | list[str]) -> tuple[bytes, ...]:
        several = given if isinstance(given, list) else [given]
        return tuple(one if isinstance(one, bytes) else one.encode() for one in several)

    return Entry(dn, {name.lower(): values(given) for name, given in attributes.items()})


@pytest.mark.parametrize("order", [1, -1])
def test_active_directory_marks_its_own_address(order: int) -> None:
    proxies = ["smtp:a@p.example", "SMTP:Alice@P.example", "smtp:b@p.example", "X500:/o=x", "sip:alice@p.example"]
    one = entry(proxyAddresses=proxies[::order], mail="alice@p.example")
    assert own_address(one, AD) == "alice@p.example"
    assert all_addresses(one, AD) == {"a@p.example", "alice@p.example", "b@p.example"}


def test_active_directory_without_proxies() -> None:
    assert own_address(entry(mail="alice@p.example"), AD) == "alice@p.example"
    assert own_address(entry(proxyAddresses=["smtp:b@p.example"], mail="alice@p.example"), AD) == "alice@p.example"
    assert own_address(entry(), AD) == ""
    with pytest.raises(Unclear):
        own_address(entry(proxyAddresses=["SMTP:a@p.example", "SMTP:b@p.example"]), AD)


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_addresses_the_one_with_the_uid(order: int) -> None:
    """Values of an attribute have no order (RFC 4512, 2.2)."""
    mail = ["a.smith@p.example", "Alice@p.example", "info@p.example"][::order]
    assert own_address(entry(mail=mail, uid="alice"), IPA) == "alice@p.example"
    for uid in ("bob", ""):
        with pytest.raises(Unclear):
            own_address(entry(mail=mail, uid=uid), IPA)
    with pytest.raises(Unclear):
        own_address(entry(mail=["alice@p.example", "alice@q.example"], uid="alice"), IPA)


@pytest.mark.parametrize(
    ("shape", "attributes", "may"),
    [
        (QMAIL, {"accountStatus": "active"}, True),
        (QMAIL, {}, True),
        (QMAIL, {"accountStatus": "noaccess"}, False),
        (QMAIL, {"accountStatus": "disabled"}, False),
        (BOOK, {"mailEnabled": "TRUE"}, True),
        (BOOK, {"mailEnabled": "FALSE"}, False),
        (BOOK, {}, False),
        (IPA, {}, True),
        (IPA, {"nsAccountLock": "true"}, False),
        (IPA, {"nsAccountLock": "FALSE"}, True),
        (AD, {"userAccountControl": "512"}, True),
        (AD, {"userAccountControl": "514"}, False),
        (AD, {"userAccountControl": "66050"}, False),
        (AD, {}, False),
        (SHAPES[""], {}, True),
    ],
)
def test_who_may_log_in(shape: object, attributes: dict[str, str], may: bool) -> None:
    assert may_log_in(entry(**attributes), shape) is may  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "size"),
    [("10485760S,1000C", 10 << 20), ("1000C", 0), ("500M", 500 << 20), ("2GB", 2 << 30), ("7", 7), ("1.5G", 0),
     ("-1", 0), ("", 0), ("C", 0), ("²", 0)],
)  # fmt: skip
def test_quotas(text: str, size: int) -> None:
    assert quota(text) == size


@pytest.mark.parametrize(
    ("text", "spoken"),
    [("de-DE", "de"), ("fr, en-gb;q=0.8, en;q=0.7", "en"), ("DE", "de"), ("fr", ""), ("", "")],
)
def test_languages(text: str, spoken: str) -> None:
    assert language(text) == spoken


class Server:
    """Entries in a list; every search finds them all. Counts binds."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = list(entries)
        self.searches: list[tuple[str, dict[str, str | bytes]]] = []
        self.binds: list[tuple[str, str]] = []

    async def search(self, template: str, values: Mapping[str, str | bytes], attributes: Sequence[str]) -> list[Entry]:
        self.searches.append((template, dict(values)))
        return self.entries

    async def everybody(self, text: str, attributes: Sequence[str]) -> list[Entry]:
        return self.entries

    async def fits(self, dn: str, login: str, secret: str) -> bool:
        self.binds.append((dn, secret))
        return secret == "right"

    async def close(self) -> None:
        return


ALICE = entry(mail="Alice@p.example", mailAlternateAddress=["info@p.example"], uid="alice", entryUUID="u-1")
BOB = entry("uid=bob,dc=x", mail="bob@p.example", uid="bob", entryUUID="u-2")


async def test_one_search_finds_by_own_address_and_alias() -> None:
    server = Server(ALICE)
    source = LdapSource("ldap", server, QMAIL)
    for address in ("alice@p.example", "info@p.example"):
        found = await source.find(address)
        assert found is not None
        assert (found.key, found.address) == ("u-1", "alice@p.example")
    assert await source.find("somebody@p.example") is None  # the server compares more loosely than we do
    assert len(server.searches) == 3


async def test_password_is_checked_by_the_server() -> None:
    server = Server(ALICE)
    found = await LdapSource("ldap", server, QMAIL).find("alice@p.example")
    assert found is not None
    assert not isinstance(found.stored, str)
    assert await found.stored.fits("right")
    assert not await found.stored.fits("wrong")
    assert not await found.stored.fits("u\u0308")
    assert server.binds == [("uid=alice,dc=x", "right"), ("uid=alice,dc=x", "wrong"), ("uid=alice,dc=x", "\xfc")]
    assert "alice" not in repr(found.stored)


async def test_nobody_is_bound_and_never_fits() -> None:
    server = Server()
    assert LdapSource("ldap", server, QMAIL).nobody() is None
    nobody = LdapSource("ldap", server, QMAIL, "uid=nobody,dc=x").nobody()
    assert nobody is not None
    assert not await nobody.fits("right")
    assert server.binds == [("uid=nobody,dc=x", "right")]


async def test_two_hits(caplog: pytest.LogCaptureFixture) -> None:
    source = LdapSource("ldap", Server(ALICE, BOB), QMAIL)
    with pytest.raises(Ambiguous, match=r"^ldap: several people have one address$"):
        await source.find("info@p.example")
    assert "keys u-1, u-2" in caplog.text
    assert "p.example" not in caplog.text


async def test_entry_without_a_key_is_trouble() -> None:
    source = LdapSource("ldap", Server(entry(mail="a@p.example")), QMAIL)
    with pytest.raises(DatabaseDown, match="an entry shows no entryUUID"):
        await source.find("a@p.example")
    assert await source.people() == []


async def test_people_without_the_unreadable(caplog: pytest.LogCaptureFixture) -> None:
    unclear = entry("uid=x,dc=x", mail=["a@p.example", "b@p.example"], uid="x", ipaUniqueID="i-3")
    here = [entry(f"uid={n},dc=x", mail=f"{n}@p.example", ipaUniqueID=f"i-{n}") for n in (1, 2)]
    twin = entry("uid=t,dc=x", mail="2@p.example", ipaUniqueID="i-t")
    source = LdapSource("ldap", Server(*here, unclear, twin, entry(ipaUniqueID="i-9")), IPA)
    assert [one.key for one in await source.people()] == ["i-1"]
    assert "keys i-3" in caplog.text
    assert "keys i-2, i-t" in caplog.text


@pytest.mark.parametrize(
    ("shape", "key", "asked"),
    [(QMAIL, "u-1", "u-1"), (AD, "2800ff", b"\x28\x00\xff"), (AD, "no hex", b"")],
)
async def test_search_by_key(shape: object, key: str, asked: str | bytes) -> None:
    server = Server()
    assert await LdapSource("ldap", server, shape).by_key(key) is None  # type: ignore[arg-type]
    [(template, values)] = server.searches
    assert values == {"key": asked}
    assert template.endswith("={key}))")


# Settings ------------------------------------------------------------------------------------------

FINE = {"uri": "ldaps://ldap.example", "base": "dc=x"}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"uri": ""}, "uri: missing"),
        ({"base": ""}, "base: missing"),
        ({"preset": "postfixadmin"}, "preset: expected one of qmail"),
        ({"uri": "http://x"}, "uri: expected ldaps"),
        ({"uri": "ldap://ldap.example"}, "start_tls: passwords would be readable"),
        ({"uri": "ldaps://a ldap://b:389"}, "start_tls: passwords would be readable"),
        ({"filter": "(mail=%s)"}, r"filter: expected \{address\}"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        DirectorySettings(kind="ldap", **(FINE | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("uri", ["ldap://localhost", "ldap://127.0.0.1:389/", "ldap://[::1]", "ldapi://%2Frun%2Fldapi"])
def test_plain_text_stays_on_this_host(uri: str) -> None:
    DirectorySettings(kind="ldap", base="dc=x", uri=uri)


def test_settings_overrule_the_preset() -> None:
    settings = DirectorySettings(
        kind="ldap", preset="qmail", **FINE, filter="(x={address})", alias_attributes=("a", "b"), key_attribute="k"
    )
    shape = shape_of(settings)
    assert (shape.filter, shape.aliases, shape.key) == ("(x={address})", ("a", "b"), "k")
    assert (shape.address, shape.enabled) == ("mail", "accountStatus")
