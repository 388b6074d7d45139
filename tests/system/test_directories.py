"""People in slapd, MariaDB, PostgreSQL and SQLite: a host that the playbook switches over, and real mail programs.

What a preset reads of each schema is asked of the sources themselves, inside the host, over TLS (kit.directory_probe).
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kit import slapd
from kit.directories import ADDRESS, LDAP, NAME, PASSWORD, SECRET, SQLITE, Directories, switched
from kit.hosts import Host
from kit.programs import login, outside, submission

PROBE = Path(__file__).parents[1] / "kit" / "directory_probe.py"
# Password, authorities and units stay what they were.
CHANGED = ("--tags", "outrider", "--start-at-task", "Write the configuration file")
CA = "/etc/outrider/tls/directory.pem"
READY_SECONDS = 15.0  # watchdog: a server that runs again answers at once
UNAVAILABLE = "[UNAVAILABLE]"  # IMAP's word for "later" (RFC 5530)
SUFFIXES = {"qmail": "dc=qmail", "postfix-book": "dc=book", "freeipa": "dc=ipa", "activedirectory": "dc=ad"}
SQL = {
    "mariadb": f"mariadb://outrider@{NAME}/postfixadmin",
    "postgresql": f"postgresql://outrider@{NAME}/postfixadmin",
    "ispmail": f"mariadb://outrider@{NAME}/mailserver",
}
Ask = tuple[str, ...]
Variables = dict[str, Any]


def at(local: str, domain: str = "provider.example") -> str:
    return f"{local}@{domain}"


ALICE, BOB, CAROL = at("alice"), at("bob"), at("carol", "customer.example")


def ldap(preset: str, **more: Any) -> Variables:
    suffix = SUFFIXES[preset]
    named = {"bind_dn": f"{slapd.SEARCHER},{suffix}", "nobody_dn": f"uid=nobody,ou=people,{suffix}"}
    return {**LDAP, "preset": preset, "base": f"ou=people,{suffix}", **named, **more}


def sql(database: str, preset: str) -> Variables:
    return {"kind": "foreign", "preset": preset, "database": database}


@pytest.fixture(scope="module")
def on_ldap(directory_host: Host, directories: Directories) -> Host:
    """The host with its people in LDAP, and the servers. The tests at the end switch it on to SQL."""
    directory_host.secrets.text("the directory's password", PASSWORD)
    return directory_host


def asked(host: Host, *jobs: tuple[Variables, list[Ask]]) -> list[list[Any]]:
    """The sources' answers, by job; `{"down": …}` where nobody could find out."""
    order = [
        {"settings": {"ca": CA, **settings}, "password": PASSWORD, "asks": [list(ask) for ask in asks]}
        for settings, asks in jobs
    ]
    program = ["/usr/lib/outrider/bin/python", "-c", PROBE.read_text()]
    said = json.loads(host.run(program, input=json.dumps(order)).stdout)
    return [[one.get("said", one) for one in answers] for answers in said]


def who(host: Host, settings: Variables, asks: list[Ask]) -> dict[Ask, Any]:
    """The answers by question; of a person his address."""
    (answers,) = asked(host, (settings, asks))
    shown = [one["address"] if isinstance(one, dict) and "address" in one else one for one in answers]
    return dict(zip(asks, shown, strict=True))


def logins(host: Host, *tries: tuple[str, str]) -> list[bool]:
    seen = host.talk_all([login("imap", *one) for one in tries])
    assert [one.trouble for one in seen] == [None] * len(tries)
    return [one.logged_in for one in seen]


def receives(host: Host, *addresses: str) -> dict[str, int | str]:
    """What port 25 says to each recipient."""
    jobs = [outside(["mail", "x@remote.example"], ["rcpt", address]) for address in addresses]
    seen = host.talk_all(jobs, outside=True)
    return {address: one.codes[1] for address, one in zip(addresses, seen, strict=True)}


def eventually(right: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while not (found := right()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


# LDAP ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", SUFFIXES)
def test_presets_read_their_schemas(on_ldap: Host, preset: str) -> None:
    asks: dict[Ask, Any] = {
        ("find", ALICE): ALICE,
        ("find", at("info")): ALICE,
        ("find", at("a.smith")): ALICE,
        ("find", BOB): BOB,
        ("find", CAROL): CAROL,
        ("find", at("dave")): None,  # deleted in qmail-ldap, unknown elsewhere
        ("find", at("pc1")): None,
        ("find", "a)(uid=*@provider.example"): None,
        ("find", at("al*")): None,
        ("fits", ALICE, SECRET): True,
        ("fits", ALICE, "wrong"): False,
        ("fits", ALICE, ""): False,  # the server itself would say yes: it allows anonymous binds with a name
        ("nobody", SECRET): False,
        ("nobody", slapd.NOBODYS): False,
        ("find", at("twin")): {"down": "ldap: several people have one address"},
    }
    assert who(on_ldap, ldap(preset), list(asks)) == asks
    ((alice, bob, people),) = asked(on_ldap, (ldap(preset), [("find", ALICE), ("find", BOB), ("people",)]))
    assert (alice["enabled"], bob["enabled"], alice["language"]) == (True, False, "de")
    assert alice["quota"] == (1 << 30 if preset in ("qmail", "postfix-book") else 0)
    assert {ALICE, BOB, CAROL} <= set(people)
    by_key = ("by_key", alice["key"])
    assert who(on_ldap, ldap(preset), [by_key]) == {by_key: ALICE}


def test_start_tls_and_wrong_papers(on_ldap: Host) -> None:
    find: list[Ask] = [("find", ALICE)]
    secure = ldap("qmail", uri=f"ldap://{NAME}", start_tls=True)
    unnamed = ldap("qmail", uri=f"ldaps://{ADDRESS}")  # the certificate has another name
    unvouched = ldap("qmail", ca="")
    wrong = ldap("qmail", bind_dn="uid=alice,ou=people,dc=qmail")
    right, *others = asked(on_ldap, (secure, find), (unnamed, find), (unvouched, find), (wrong, find))
    assert right[0]["address"] == ALICE
    assert ["down" in one[0] for one in others] == [True] * 3
    assert others[2] == [{"down": "directory ldap: INVALID_CREDENTIALS"}]


def test_logins_by_ldap(on_ldap: Host) -> None:
    tries = {
        (ALICE, SECRET): True,
        ("ALICE@Provider.Example", SECRET): True,
        (CAROL, SECRET): True,
        (ALICE, "wrong"): False,
        (BOB, SECRET): False,  # disabled in the directory
        (at("info"), SECRET): False,  # an alias
        (at("nobody"), slapd.NOBODYS): False,
        (at("al*"), SECRET): False,
    }
    assert dict(zip(tries, logins(on_ldap, *tries), strict=True)) == tries


def test_mail_by_ldap(on_ldap: Host) -> None:
    known = {ALICE: 250, BOB: 250, at("info"): 250, at("alice+tag"): 250, at("dave"): 550, at("al*"): 550}
    assert receives(on_ldap, *known) == known
    own, alias, others = on_ldap.talk_all(
        [submission(ALICE, SECRET, sender, CAROL) for sender in (ALICE, at("info"), CAROL)]
    )
    assert own.codes == alias.codes == [250, 250, 250]
    assert others.codes[1] != 250


def test_two_hits_are_later(on_ldap: Host) -> None:
    (imap, smtp) = on_ldap.talk_all([login("imap", at("twin"), SECRET), submission(at("twin"), SECRET, ALICE, ALICE)])
    assert imap.login is not None
    assert UNAVAILABLE in imap.login[1]
    assert not smtp.logged_in
    assert "several people have one address; keys" in on_ldap.log("outrider-authd.service")


def test_what_hangs_on_an_account_is_ours(on_ldap: Host) -> None:
    """App passwords and aliases whatever the directory is; disabled on our side; ended for ever."""
    outrider = on_ldap.provider.outrider
    app = outrider("app-password", "add", CAROL, "--scope", "imap")["secret"]
    alias = outrider("alias", "new", CAROL)["address"]
    assert logins(on_ldap, (CAROL, app)) == [True]
    assert receives(on_ldap, alias) == {alias: 250}
    refused = on_ldap.run(["outrider", "user", "password", CAROL], input="another one\n", check=False)
    assert (refused.returncode, "only reads" in refused.stderr) == (1, True)
    outrider("user", "disable", CAROL)
    assert logins(on_ldap, (CAROL, SECRET), (CAROL, app)) == [False, False]
    outrider("user", "enable", CAROL)
    assert logins(on_ldap, (CAROL, SECRET)) == [True]
    outrider("user", "end", CAROL)
    assert logins(on_ldap, (CAROL, SECRET), (CAROL, app)) == [False, False]
    assert receives(on_ldap, CAROL, alias) == {CAROL: 550, alias: 550}


@pytest.mark.parametrize(("away", "back"), [("stop", "start"), ("freeze", "thaw")])
def test_slapd_away_is_later(on_ldap: Host, directories: Directories, away: str, back: str) -> None:
    """Never "wrong password". How long it may take is a constant (tests/unit/directories), not measured here."""
    getattr(directories, away)("slapd.service")
    try:
        with ThreadPoolExecutor(3) as pool:
            mail = pool.submit(receives, on_ldap, at("unknown"))
            listed = pool.submit(on_ldap.run, ["outrider", "user", "list"], check=False)
            jobs = [login("imap", ALICE, SECRET), login("imap", at("unknown"), SECRET)]
            *imap, smtp = on_ldap.talk_all([*jobs, submission(ALICE, SECRET, ALICE, ALICE)])
        assert [UNAVAILABLE in one.login[1] for one in imap if one.login] == [True, True]
        assert not smtp.logged_in
        assert (smtp.login or ("454",))[0] not in (235, 535)
        assert str(mail.result()[at("unknown")]).startswith("4")
        assert listed.result().returncode == 75
    finally:
        getattr(directories, back)("slapd.service")
    assert eventually(lambda: logins(on_ldap, (ALICE, SECRET)) == [True])
    assert logins(on_ldap, (ALICE, "wrong")) == [False]


# SQL -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["mariadb", "postgresql"])
def test_postfixadmin_of_both_servers(on_ldap: Host, engine: str) -> None:
    settings = sql(SQL[engine], "postfixadmin")
    asks: dict[Ask, Any] = {
        ("find", ALICE): ALICE,
        ("find", at("info")): ALICE,
        ("find", at("info", "second.example")): ALICE,
        ("find", at("team")): None,  # a list
        ("find", at("日本")): None,  # letters that the column cannot hold
        ("find", at("aliçe")): None,
        ("find", at("%")): None,
        ("find", "' OR ''='@provider.example"): None,
        **{("fits", at(name), SECRET): True for name in ("alice", "bob", "carol", "dave", "erin")},
        ("fits", at("carol"), "wrong"): False,
        ("nobody", SECRET): False,
        ("has_domain", "second.example"): True,
        ("has_domain", "shut.example"): False,
        ("catch_all", "provider.example"): None,
    }
    assert who(on_ldap, settings, list(asks)) == asks
    (found,) = asked(on_ldap, (settings, [("find", BOB), ("find", at("eve", "shut.example")), ("find", at("carol"))]))
    assert [one["enabled"] for one in found] == [False, False, True]


def test_ispmail(on_ldap: Host) -> None:
    asks: dict[Ask, Any] = {
        ("find", at("info")): ALICE,
        ("find", at("nobody")): None,
        ("fits", ALICE, SECRET): True,
        ("fits", BOB, SECRET): True,
        ("fits", BOB, "wrong"): False,
        ("by_key", "2"): BOB,
        ("by_key", "2 OR 1=1"): None,
        ("people",): [ALICE, BOB],
    }
    assert who(on_ldap, sql(SQL["ispmail"], "ispmail"), list(asks)) == asks


@pytest.mark.parametrize("engine", ["mariadb", "postgresql"])
def test_nothing_is_ever_written(on_ldap: Host, engine: str) -> None:
    """The database's user may do everything; its session refuses."""
    plain = sql(SQL[engine], "postfixadmin")
    evil = {**plain, "person": "DELETE FROM alias WHERE address = :address"}
    find: Ask = ("find", at("info"))
    ((answer, after),) = asked(on_ldap, (evil, [find, ("has_domain", "provider.example")]))
    assert "down" in answer
    assert after is True
    assert who(on_ldap, plain, [find]) == {find: ALICE}


@pytest.mark.parametrize("engine", ["mariadb", "postgresql", "sqlite"])
def test_logins_by_sql(on_ldap: Host, directories: Directories, engine: str) -> None:
    """On MariaDB and PostgreSQL over TLS, on SQLite in a file of the host's own."""
    if engine == "sqlite":
        (on_ldap.world.root.folder / "merged" / SQLITE.lstrip("/")).write_bytes(directories.sqlite.read_bytes())
    settings = sql(SQL.get(engine, f"sqlite:{SQLITE}"), "postfixadmin")
    on_ldap.play(*CHANGED, extra=switched(settings, directories.certificate))
    tries = {
        (ALICE, SECRET): True,
        (at("carol"), SECRET): True,
        (at("erin"), SECRET): True,
        (ALICE, "wrong"): False,
        (BOB, SECRET): False,
        (at("info"), SECRET): False,
        (at("eve", "shut.example"), SECRET): False,
        (at("nobody"), SECRET): False,
    }
    assert dict(zip(tries, logins(on_ldap, *tries), strict=True)) == tries
    known = {at("info"): 250, at("alice", "second.example"): 250, at("none"): 550}
    assert receives(on_ldap, *known) == known


def test_the_directorys_password_is_for_the_units_alone(on_ldap: Host) -> None:
    assert PASSWORD.encode() not in on_ldap.read("/etc/outrider/outrider.toml")
    assert PASSWORD not in on_ldap.log()
    stat = on_ldap.run(["stat", "--format", "%U %a", "/etc/outrider/secrets/directory"]).stdout.strip()
    assert stat == "root 400"
