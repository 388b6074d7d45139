"""The URL of a PostgreSQL database: what it may say, and that an error never shows a password."""

import re
from pathlib import Path

import pytest

from outrider.db import DatabaseDown, open_database
from outrider.db.address import Host, PostgresAddress, read_address
from outrider.settings import CoreSettings, SettingsError, build

SOCKET = Host("/run/postgresql")


@pytest.mark.parametrize(
    ("url", "hosts", "rest"),
    [
        ("postgresql:///mail", [SOCKET], {"name": "mail"}),
        ("postgresql://", [SOCKET], {}),
        ("postgresql://a@%2Fsrv%2Fpg/b", [Host("/srv/pg")], {"user": "a", "name": "b"}),
        ("postgresql://a@db1,db2:6432/b", [Host("db1"), Host("db2", 6432)], {"user": "a", "name": "b"}),
        ("postgresql://a@[fd77::1],[fd77::2]:1/b", [Host("fd77::1"), Host("fd77::2", 1)], {"user": "a", "name": "b"}),
        ("postgresql://%C3%A4%40b@db/c%2Fd", [Host("db")], {"user": "ä@b", "name": "c/d"}),
        ("postgresql://db?sslmode=require", [Host("db")], {"tls": "require"}),
        ("postgresql://db/b?sslrootcert=/etc/ca.pem", [Host("db")], {"name": "b", "authorities": "/etc/ca.pem"}),
    ],
)
def test_parts(url: str, hosts: list[Host], rest: dict[str, str]) -> None:
    assert read_address(url) == PostgresAddress(tuple(hosts), **rest)  # type: ignore[arg-type]


def test_certificates_are_checked_unless_the_operator_says_otherwise() -> None:
    assert read_address("postgresql://db/b").tls == "verify-full"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://a:geheim@db/b", "a password stands in a file"),
        ("postgresql://a@db:geheim/b", "a host's port is no number"),
        ("postgresql://a@fd77::1/b", "a host's port is no number"),
        ("postgresql://a@db:0/b", "a host's port is no number"),
        ("postgresql://a@db:70000/b", "a host's port is no number"),
        ("postgresql://a@[fd77::1/b", "bracket"),
        ("postgresql://a@[fd77::1]x/b", "bracket"),
        ("postgresql://a@b@geheim/b", "expected postgresql://"),
        ("postgresql://a@db/b/geheim", "expected postgresql://"),
        ("postgresql://a@db/b?sslmode=prefer", "sslmode: expected one of verify-full, require, disable"),
        ("postgresql://a@db/b?password=geheim", "password: unknown"),
        ("mysql://a@db/b", "expected postgresql://"),
    ],
)
def test_what_makes_no_sense_ends_the_start_with_the_place_of_the_error(url: str, said: str) -> None:
    table = {"domain": "provider.example", "hostname": "mail.provider.example", "database": url}
    wanted = said if url.startswith("postgresql:") else "expected sqlite:PATH or postgresql://"
    with pytest.raises(SettingsError, match=r"x\.toml: \[outrider\] database: .*" + re.escape(wanted)) as raised:
        build(CoreSettings, table, "x.toml: [outrider]")
    assert "geheim" not in str(raised.value)


async def test_a_missing_file_of_authorities_is_trouble_and_not_the_end(tmp_path: Path) -> None:
    database = open_database(f"postgresql://a@127.0.0.1:1/b?sslrootcert={tmp_path}/none.pem")
    with pytest.raises(DatabaseDown, match=r"^PostgreSQL: 127\.0\.0\.1:1: No such file or directory$"):
        await database.one(int, "SELECT 1")


async def test_each_host_is_named_with_what_it_said(tmp_path: Path) -> None:
    folder = str(tmp_path).replace("/", "%2F")
    database = open_database(f"postgresql://a@{folder},127.0.0.1:1/b?sslmode=disable")
    said = rf"PostgreSQL: {re.escape(str(tmp_path))}: No such file or directory; 127\.0\.0\.1:1: .*refused.*"
    for _ in range(2):  # the order of trying changes, the order of telling does not
        with pytest.raises(DatabaseDown, match=said):
            await database.one(int, "SELECT 1")
    await database.close()
