"""From the configuration file to a directory: which one it is, what the commands may do with it."""

import asyncio
import io
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from outrider import cli
from outrider.directories import directory_maker
from outrider.directories.joined import JoinedDirectory
from outrider.directory import SqlDirectory
from outrider.settings import SettingsError, read_configuration

CORE = '[outrider]\ndomain = "provider.example"\nhostname = "mail"\n'
TABLES = """
CREATE TABLE virtual_domains (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE virtual_users (id INTEGER PRIMARY KEY, domain_id INT, email TEXT, password TEXT, quota INT);
CREATE TABLE virtual_aliases (id INTEGER PRIMARY KEY, domain_id INT, source TEXT, destination TEXT);
INSERT INTO virtual_domains VALUES (1, 'provider.example');
INSERT INTO virtual_users VALUES (1, 1, 'alice@provider.example', '{SSHA}x', 0), (2, 1, 'bob@provider.example', 'x', 0);
"""

Run = Callable[..., tuple[int, Any]]


def opened(folder: Path, text: str) -> object:
    path = folder / "outrider.toml"
    path.write_text(f'{CORE}database = "sqlite:{folder}/outrider.db"\n{text}')
    maker = directory_maker(read_configuration(path))
    return maker(None)  # type: ignore[arg-type]


def test_our_own_tables_unless_said_otherwise(tmp_path: Path) -> None:
    assert type(opened(tmp_path, "")) is SqlDirectory
    assert type(opened(tmp_path, '[directory]\nkind = "sql"\n')) is SqlDirectory


def test_the_operators_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "people").write_text("secret\n")
    text = '[directory]\nkind = "foreign"\npreset = "ispmail"\ndatabase = "sqlite:/x"\npassword = "credential:people"\n'
    made = opened(tmp_path, text)
    assert isinstance(made, JoinedDirectory)
    assert made.name == "foreign"
    named = opened(tmp_path, text + 'name = "old-server"\n')
    assert isinstance(named, JoinedDirectory)
    assert named.name == "old-server"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('kind = "nis"', r"\[directory\] kind: expected one of 'sql', 'ldap', 'foreign'"),
        ('kind = "foreign"\npreset = "ispmail"', r"\[directory\] database: missing"),
        ('kind = "foreign"\npreset = "ispmail"\ndatabase = "x"', r"\[directory\] database: expected sqlite:PATH"),
        (
            'kind = "foreign"\npreset = "ispmail"\ndatabase = "sqlite:/x"\npassword = "credential:gone"',
            r"\[directory\] password: No such file",
        ),
        ('kind = "sql"\nuser = "x"', r"\[directory\] user: unknown setting"),
    ],
)
def test_what_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SettingsError, match=why):
        opened(tmp_path, f"[directory]\n{text}\n")


def test_python_ldap_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ldap", None)
    monkeypatch.delitem(sys.modules, "outrider.directories.connections", raising=False)
    with pytest.raises(SettingsError, match=r"\[directory\] kind: python-ldap is missing"):
        opened(tmp_path, '[directory]\nkind = "ldap"\nuri = "ldapi:///"\nbase = "dc=x"\n')


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command; exit status, and what it printed as JSON or its complaint."""
    with closing(sqlite3.connect(tmp_path / "mail.db")) as file:
        file.executescript(TABLES)
    path = tmp_path / "outrider.toml"
    path.write_text(
        f'{CORE}database = "sqlite:{tmp_path}/outrider.db"\n'
        f'[directory]\nkind = "foreign"\npreset = "ispmail"\ndatabase = "sqlite:{tmp_path}/mail.db"\n'
    )
    monkeypatch.setattr(cli, "become_owner", lambda _: None)

    def run_one(*words: str) -> tuple[int, Any]:
        monkeypatch.setattr("sys.stdin", io.StringIO("a long password\n"))
        status = cli.main(["--config", str(path), *words, "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out else said.err

    assert run_one("db", "migrate")[0] == 0
    return run_one


def listed(run: Run) -> dict[str, bool]:
    status, found = run("user", "list")
    assert status == 0
    return {one["account"]: one["enabled"] for one in found}


def test_commands(run: Run) -> None:
    assert listed(run) == {"alice@provider.example": True, "bob@provider.example": True}
    for words in (("user", "add", "new@provider.example"), ("user", "password", "alice@provider.example")):
        status, said = run(*words)
        assert status == 1
        assert "the directory `foreign`, which Outrider only reads" in said
    assert run("user", "disable", "alice@provider.example")[0] == 0
    assert listed(run)["alice@provider.example"] is False
    assert run("user", "enable", "alice@provider.example")[0] == 0
    assert listed(run)["alice@provider.example"] is True
    assert run("user", "end", "bob@provider.example")[0] == 0
    assert listed(run) == {"alice@provider.example": True}
    assert run("user", "end", "bob@provider.example")[0] == 1
    assert run("user", "disable", "bob@provider.example")[0] == 1


def test_aliases_of_owners(run: Run) -> None:
    assert run("domain", "add", "provider.example")[0] == 0
    assert run("domain", "add", "tmp.provider.example", "disposable")[0] == 0
    status, made = run("alias", "new", "alice@provider.example")
    assert status == 0
    assert "alice@provider.example" in made.values()
    status, said = run("alias", "add", "alice@provider.example", "bob@provider.example")
    assert (status, "is taken" in said) == (1, True)


def test_directory_away_is_later(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mail.db").unlink()
    status, said = run("user", "list")
    assert status == 75
    assert "cannot be found" in said


async def test_nothing_waits_when_it_is_opened(tmp_path: Path) -> None:
    made = opened(
        tmp_path, '[directory]\nkind = "foreign"\npreset = "ispmail"\ndatabase = "postgresql://u@192.0.2.1/x"\n'
    )
    assert isinstance(made, JoinedDirectory)
    async with asyncio.timeout(1):
        await made.close()
