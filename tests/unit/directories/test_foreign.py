"""The operator's SQL database read in place: his own queries and the presets, on SQLite files."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from outrider import passwords
from outrider.db import DatabaseDown
from outrider.directories.engines import Columns
from outrider.directories.foreign import ALIAS_HOPS, ForeignSource, is_yes, open_foreign, text
from outrider.directories.presets import Queries
from outrider.directories.queries import Query
from outrider.directories.settings import DirectorySettings
from outrider.directories.source import Ambiguous
from outrider.directories.stored import schemed, useless

# The tables of the ISPmail guide, as SQLite spells them.
ISPMAIL = """
CREATE TABLE virtual_domains (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL);
CREATE TABLE virtual_users (id INTEGER PRIMARY KEY, domain_id INT NOT NULL, email VARCHAR(100) NOT NULL UNIQUE,
  password VARCHAR(150) NOT NULL, quota BIGINT NOT NULL DEFAULT 0);
CREATE TABLE virtual_aliases (id INTEGER PRIMARY KEY, domain_id INT NOT NULL, source VARCHAR(100) NOT NULL,
  destination VARCHAR(100) NOT NULL);
INSERT INTO virtual_domains VALUES (1, 'provider.example');
INSERT INTO virtual_users VALUES (1, 1, 'alice@provider.example', '{ARGON2ID}x', 1000);
INSERT INTO virtual_users VALUES (2, 1, 'Bob@Provider.Example', '$6$salt$digest', 0);
INSERT INTO virtual_aliases (domain_id, source, destination) VALUES
  (1, 'info@provider.example', 'alice@provider.example'),
  (1, 'chain@provider.example', 'info@provider.example'),
  (1, 'list@provider.example', 'alice@provider.example'), (1, 'list@provider.example', 'bob@provider.example'),
  (1, 'away@provider.example', 'someone@elsewhere.example'),
  (1, 'loop@provider.example', 'pool@provider.example'), (1, 'pool@provider.example', 'loop@provider.example'),
  (1, '@provider.example', 'alice@provider.example');
"""
# As PostfixAdmin 3.3 has them, the columns that matter.
POSTFIXADMIN = """
CREATE TABLE domain (domain VARCHAR(255) PRIMARY KEY, backupmx TINYINT NOT NULL DEFAULT 0,
  active TINYINT NOT NULL DEFAULT 1);
CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, password VARCHAR(255) NOT NULL, quota BIGINT NOT NULL,
  domain VARCHAR(255) NOT NULL, active TINYINT NOT NULL DEFAULT 1);
CREATE TABLE alias (address VARCHAR(255) PRIMARY KEY, goto TEXT NOT NULL, domain VARCHAR(255) NOT NULL,
  active TINYINT NOT NULL DEFAULT 1);
CREATE TABLE alias_domain (alias_domain VARCHAR(255) PRIMARY KEY, target_domain VARCHAR(255) NOT NULL,
  active TINYINT NOT NULL DEFAULT 1);
INSERT INTO domain VALUES ('provider.example', 0, 1), ('shut.example', 0, 0), ('backup.example', 1, 1);
INSERT INTO mailbox VALUES ('alice@provider.example', '$1$a$b', 512, 'provider.example', 1),
  ('bob@provider.example', '$1$a$b', 0, 'provider.example', 0), ('eve@shut.example', '$1$a$b', 0, 'shut.example', 1);
INSERT INTO alias VALUES ('alice@provider.example', 'alice@provider.example', 'provider.example', 1),
  ('info@provider.example', 'alice@provider.example', 'provider.example', 1),
  ('off@provider.example', 'alice@provider.example', 'provider.example', 0),
  ('both@provider.example', 'alice@provider.example,bob@provider.example', 'provider.example', 1);
INSERT INTO alias_domain VALUES ('second.example', 'provider.example', 1);
"""


def make(path: Path, script: str) -> str:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return f"sqlite:{path}"


def opened(url: str, **settings: str) -> ForeignSource:
    return open_foreign(DirectorySettings(kind="foreign", database=url, **settings), "")  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def ispmail(tmp_path: Path) -> AsyncIterator[ForeignSource]:
    source = opened(make(tmp_path / "a?b#c%d.db", ISPMAIL), preset="ispmail")
    yield source
    await source.close()


@pytest_asyncio.fixture
async def postfixadmin(tmp_path: Path) -> AsyncIterator[ForeignSource]:
    source = opened(make(tmp_path / "postfix.db", POSTFIXADMIN), preset="postfixadmin")
    yield source
    await source.close()


class Rows:
    """A reader whose answers stand here, by query text."""

    dialect = "sqlite"

    def __init__(self, **answers: list[Columns]) -> None:
        self.answers = answers

    async def rows(self, query: Query, values: Mapping[str, str]) -> list[Columns]:
        return self.answers.get(query.text, [])

    async def close(self) -> None:
        return


def of_rows(*persons: Columns) -> ForeignSource:
    return ForeignSource("trial", Rows(p=list(persons), k=list(persons), a=list(persons)), Queries("p", "k", "a"))


async def test_ispmail_people(ispmail: ForeignSource) -> None:
    alice = await ispmail.find("alice@provider.example")
    assert alice is not None
    assert (alice.key, alice.enabled, alice.quota, alice.stored) == ("1", True, 1000, "{ARGON2ID}x")
    assert await ispmail.by_key("1") == alice
    assert await ispmail.by_key("1 OR 1=1") is None
    assert {one.key for one in await ispmail.people()} == {"1", "2"}
    assert await ispmail.has_domain("provider.example")
    assert not await ispmail.has_domain("elsewhere.example")


async def test_spelling_of_the_database_is_folded(ispmail: ForeignSource) -> None:
    bob = await ispmail.by_key("2")
    assert bob is not None
    assert (bob.address, bob.stored) == ("bob@provider.example", "$6$salt$digest")


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("info@provider.example", "alice@provider.example"),
        ("chain@provider.example", "alice@provider.example"),
        ("list@provider.example", None),
        ("away@provider.example", None),
        ("loop@provider.example", None),
        ("none@provider.example", None),
        ("' OR ''='@provider.example", None),
        ("%@provider.example", None),
    ],
)
async def test_ispmail_aliases(ispmail: ForeignSource, address: str, owner: str | None) -> None:
    found = await ispmail.find(address)
    assert (found.address if found is not None else None) == owner


async def test_catch_all(ispmail: ForeignSource) -> None:
    found = await ispmail.catch_all("provider.example")
    assert found is not None
    assert found.address == "alice@provider.example"
    assert await ispmail.catch_all("elsewhere.example") is None


async def test_postfixadmin(postfixadmin: ForeignSource) -> None:
    alice = await postfixadmin.find("alice@provider.example")
    assert alice is not None
    assert (alice.key, alice.enabled, alice.quota) == ("alice@provider.example", True, 512)
    assert alice.stored == "$1$a$b"
    for address in ("info@provider.example", "alice@second.example"):
        assert await postfixadmin.find(address) == alice
    for address in ("off@provider.example", "both@provider.example", "nobody@second.example"):
        assert await postfixadmin.find(address) is None
    assert await postfixadmin.has_domain("second.example")
    for domain in ("shut.example", "backup.example"):
        assert not await postfixadmin.has_domain(domain)


@pytest.mark.parametrize("address", ["bob@provider.example", "eve@shut.example"])
async def test_postfixadmin_disabled_mailbox_or_domain(postfixadmin: ForeignSource, address: str) -> None:
    found = await postfixadmin.find(address)
    assert found is not None
    assert not found.enabled


async def test_database_that_compares_loosely() -> None:
    """MariaDB's collations find `müller` when asked for `muller`, and the other way round."""
    source = of_rows({"id": 1, "address": "müller@provider.example", "password": "x"})
    assert await source.find("muller@provider.example") is None
    assert await source.find("müller@provider.example") is not None


async def test_two_hits(caplog: pytest.LogCaptureFixture) -> None:
    twins = [
        {"id": n, "address": spelling, "password": "x"} for n, spelling in ((7, "a@p.example"), (8, "A@P.example"))
    ]
    source = of_rows(*twins)
    with pytest.raises(Ambiguous):
        await source.find("a@p.example")
    assert await source.people() == []
    assert "keys 7, 8" in caplog.text
    assert "a@p.example" not in caplog.text


async def test_rows_that_are_no_people() -> None:
    source = of_rows({"id": 1, "address": "no address", "password": None}, {"id": 2, "address": None, "password": None})
    assert await source.people() == []
    with pytest.raises(DatabaseDown, match="no column password"):
        await of_rows({"id": 1, "address": "a@p.example"}).people()


async def test_long_chain_of_aliases_ends() -> None:
    class Chain(Rows):
        asked = 0

        async def rows(self, query: Query, values: Mapping[str, str]) -> list[Columns]:
            if query.text != "alias":
                return []
            self.asked += 1
            return [{"goto": f"a{self.asked}@p.example"}]

    chain = Chain()
    source = ForeignSource("trial", chain, Queries("p", "k", "a", "alias"))
    assert await source.find("a@p.example") is None
    assert chain.asked == ALIAS_HOPS


async def test_nobody_costs_what_others_cost(ispmail: ForeignSource) -> None:
    assert ispmail.nobody() is None
    await ispmail.find("bob@provider.example")
    await ispmail.find("alice@provider.example")
    nobody = ispmail.nobody()
    assert nobody is not None
    assert nobody.startswith("{ARGON2ID}")


# The file ------------------------------------------------------------------------------------------


async def test_nothing_is_ever_written(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    source = opened(make(path, ISPMAIL), preset="ispmail", person="DELETE FROM virtual_users WHERE email <> :address")
    with pytest.raises(DatabaseDown, match="readonly database"):
        await source.find("alice@provider.example")
    assert sqlite3.connect(path).execute("SELECT count(*) FROM virtual_users").fetchone() == (2,)
    await source.close()


async def test_missing_locked_and_replaced_files(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    source = opened(f"sqlite:{path}", preset="ispmail")
    with pytest.raises(DatabaseDown):
        await source.find("alice@provider.example")
    assert not path.exists()
    make(path, ISPMAIL)
    assert await source.find("alice@provider.example") is not None
    make(tmp_path / "new.db", ISPMAIL.replace("alice@", "carol@"))
    (tmp_path / "new.db").rename(path)
    assert await source.find("alice@provider.example") is None
    assert await source.find("carol@provider.example") is not None
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseDown):
            await source.find("carol@provider.example")
    assert await source.find("carol@provider.example") is not None
    await source.close()


# Texts ---------------------------------------------------------------------------------------------

VALUES = {"address": "a@b", "local": "a", "domain": "b", "key": "7"}
ODD = "SELECT x::text, ':key', \":key\", `:key`, 100 % 7 /* :key */ -- :key\n, :name, :address, :keys, :address, :local"


def test_postgresql_form() -> None:
    assert Query(ODD).numbered(VALUES) == (
        "SELECT x::text, ':key', \":key\", `:key`, 100 % 7 /* :key */ -- :key\n, :name, $1, :keys, $1, $2",
        ["a@b", "a"],
    )


def test_pymysql_form() -> None:
    text = Query(ODD).formatted()
    assert text % VALUES == (
        "SELECT x::text, ':key', \":key\", `:key`, 100 % 7 /* :key */ -- :key\n, :name, a@b, :keys, a@b, a"
    )


@pytest.mark.parametrize(("text", "asks"), [("WHERE a = :address", True), ("':address'", False), ("::address", False)])
def test_what_a_query_asks(text: str, asks: bool) -> None:
    assert Query(text).asks("address") is asks


@pytest.mark.parametrize(
    ("value", "yes"),
    [(1, True), (0, False), (True, True), (False, False), (None, False), ("Y", True), ("N", False), (b"\x01", True),
     (b"\x00", False), (b"1", True), ("false", False), ("t", True), ("f", False), ("active", True), ("", False)],
)  # fmt: skip
def test_yes_and_no(value: object, yes: bool) -> None:
    assert is_yes(value) is yes


def test_binary_columns_are_text() -> None:
    assert text(b"{SHA}x") == "{SHA}x"
    assert text(None) == ""


@pytest.mark.parametrize(
    ("stored", "scheme", "known"),
    [
        ("$6$a$b", "PLAIN-MD5", "$6$a$b"),
        ("$argon2id$v=19$x", "", "{ARGON2ID}$argon2id$v=19$x"),
        ("{SHA512-CRYPT.B64}JDYkYSRi", "", "{SHA512-CRYPT}$6$a$b"),
        ("{SHA512-CRYPT.B64}JDYk=YSRi", "", "{SHA512-CRYPT.B64}JDYk=YSRi"),
        ("{SSHA}abc", "PLAIN-MD5", "{SSHA}abc"),
        ("abc", "PLAIN-MD5", "{PLAIN-MD5}abc"),
        ("abc", "", "abc"),
        ("", "PLAIN-MD5", ""),
    ],
)
def test_schemes(stored: str, scheme: str, known: str) -> None:
    assert schemed(stored, scheme) == known


@pytest.mark.parametrize("stored", ["{PLAIN}a", "{PLAIN}aa", "{SSHA}" + "A" * 32, "{PLAIN}AAAAAAAAAAAAA", "{A}b" * 9])
def test_useless_is_another_one_of_the_same_length(stored: str) -> None:
    other = useless(stored)
    assert other != stored
    assert len(other) == len(stored)
    assert other.partition("}")[0] == stored.partition("}")[0]


def test_useless_is_checked_and_does_not_fit() -> None:
    stored = passwords.hash_password("secret")
    assert passwords.verify(stored, "secret")
    assert not passwords.verify(useless(stored), "secret")


# Settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "database: missing"),
        ({"database": "sqlite:/x"}, "person: missing"),
        ({"database": "sqlite:/x", "person": "SELECT 1"}, "person: expected :address"),
        ({"database": "sqlite:/x", "person": ":address", "by_key": "x"}, "by_key: expected :key"),
        ({"database": "sqlite:/x", "preset": "qmail"}, "preset: expected one of postfixadmin, ispmail"),
        ({"database": "oracle:/x", "preset": "ispmail"}, "database: expected sqlite:PATH"),
        ({"database": "mariadb://u:secret@h/x", "preset": "ispmail"}, "a password stands in a file"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        open_foreign(DirectorySettings(kind="foreign", **settings), "")  # type: ignore[arg-type]
    assert "secret@" not in str(raised.value)
