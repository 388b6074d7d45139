"""python-ldap: what is escaped, who is whom. The connections themselves are tested against a real server."""

import importlib
import sys
from types import ModuleType

import pytest

from kit.needs import missing

DEBIAN = "/usr/lib/python3/dist-packages"  # python3-ldap is compiled for the system's own Python


@pytest.fixture(scope="module")
def connections() -> ModuleType:
    try:
        importlib.import_module("ldap")
    except ImportError:
        sys.path.append(DEBIAN)
        try:
            importlib.import_module("ldap")
        except ImportError:
            missing("python-ldap: apt install python3-ldap")
        finally:
            sys.path.remove(DEBIAN)
    return importlib.import_module("outrider.directories.connections")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("alice@p.example", "(mail=alice@p.example)"),
        ("*@p.example", r"(mail=\2a@p.example)"),
        ("a)(uid=*", r"(mail=a\29\28uid=\2a)"),
        ("a\\b\0", r"(mail=a\5cb\00)"),
        (b"\x28\x00\xff", r"(mail=\28\00\ff)"),
        ("{address}", "(mail={address})"),
    ],
)
def test_what_is_asked_is_escaped(connections: ModuleType, value: str | bytes, text: str) -> None:
    assert connections.filled("(mail={address})", {"address": value}) == text


@pytest.mark.parametrize(
    ("said", "login", "same"),
    [
        ("dn:uid=alice,ou=people,dc=x", "alice", True),
        ("dn:UID=Alice, OU=People, DC=X", "alice", True),
        (r"dn:uid=al\69ce,ou=people,dc=x", "alice", True),
        ("dn:uid=alice2,ou=people,dc=x", "alice", False),
        ("dn:ou=people,dc=x", "alice", False),
        ("dn:", "alice", False),
        ("dn:no name at all", "alice", False),
        ("", "alice", False),
        ("u:alice", "alice", True),
        (r"u:EXAMPLE\Alice", "alice", True),
        (r"u:EXAMPLE\alice2", "alice", False),
        ("u:", "", False),
        ("u:alice", "", False),
    ],
)
def test_whom_the_server_takes_us_for(connections: ModuleType, said: str, login: str, same: bool) -> None:
    assert connections.same_person(said, "uid=alice,ou=people,dc=x", login) is same


def test_two_names_that_are_none_are_not_one(connections: ModuleType) -> None:
    assert not connections.same_person("dn:no name", "no name", "")


async def test_secrets_that_are_no_passwords_ask_nobody(connections: ModuleType) -> None:
    """There is no server at that address: whoever asked it would get an error."""
    server = connections.Server("ldap://127.0.0.1:1", "dc=x", "", False, "")
    pools = connections.Connections("trial", server, "")
    assert await pools.fits("uid=alice,dc=x", "alice", "") is False
    assert await pools.fits("uid=alice,dc=x", "alice", "\udc80") is False
    await pools.close()


async def test_both_limits_are_set(connections: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    ldap = importlib.import_module("ldap")
    options: dict[int, object] = {}

    class Connection:
        def set_option(self, name: int, value: object) -> None:
            options[name] = value

    monkeypatch.setattr(ldap, "initialize", lambda _: Connection())
    server = connections.Server("ldaps://ldap.example", "dc=x", "", False, "/ca.pem")
    pools = connections.Connections("trial", server, "")
    pools._connected()
    assert (options[ldap.OPT_NETWORK_TIMEOUT], options[ldap.OPT_TIMEOUT]) == (2.0, 2.0)
    assert options[ldap.OPT_REFERRALS] == 0
    assert options[ldap.OPT_X_TLS_REQUIRE_CERT] == ldap.OPT_X_TLS_DEMAND
    assert list(options)[-1] == ldap.OPT_X_TLS_NEWCTX  # what is set after it does not count
    assert connections.SECONDS + connections.SECONDS < 8  # a search and a bind within authd's answer
