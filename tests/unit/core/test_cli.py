"""The command frame: exit statuses, JSON, secrets from standard input, the admin socket."""

import asyncio
import io
import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.databases import NOW, new_sqlite
from outrider import cli, commands
from outrider.cli import Add, Answer, Commands, Context, TryAgain, UsageError
from outrider.db import DatabaseDown
from outrider.db.migrate import MINE
from outrider.people import Refused

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command of the core against a database of its own; exit status and what it printed as JSON."""
    path = tmp_path / "outrider.toml"
    path.write_text(
        f'[outrider]\ndomain = "provider.example"\nhostname = "mail"\ndatabase = "sqlite:{tmp_path}/outrider.db"\n'
    )
    monkeypatch.setattr("outrider.settings.section_classes", lambda: {"outrider": ""})
    monkeypatch.setattr(cli, "become_owner", lambda _: None)
    monkeypatch.setattr(cli, "all_commands", only_core)
    monkeypatch.setattr(Context, "now", lambda _: NOW)

    def one(*words: str, stdin: str = "") -> tuple[int, Any]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        status = cli.main(["--config", str(path), *words, "--json"])
        printed = capsys.readouterr()
        return status, json.loads(printed.out) if printed.out else printed.err

    return one


def only_core() -> Commands:
    found = Commands()
    commands.commands(found.add)
    return found


def test_from_nothing_to_an_account(run: Run) -> None:
    assert run("domain", "list") == (75, "outrider: SQLite: no such table: domain\n") or run("domain", "list")[0] == 75
    assert run("db", "migrate") == (0, {"applied": list(range(1, MINE + 1))})
    assert run("db", "migrate") == (0, {"applied": []})
    assert run("domain", "add", "Provider.Example") == (0, {"domain": "provider.example", "kind": "own"})
    made = run("user", "add", "Alice@provider.example", "--language", "de", "--quota", "2G", stdin="long enough\n")
    assert made == (0, {"account": "alice@provider.example", "language": "de", "enabled": True})
    assert run("user", "disable", "alice@provider.example")[0] == 0
    assert run("user", "list") == (
        0,
        [{"account": "alice@provider.example", "enabled": False, "language": "de", "quota": 2 << 30}],
    )
    assert run("user", "enable", "alice@provider.example") == (
        0,
        {"account": "alice@provider.example", "enabled": True},
    )
    assert run("user", "password", "alice@provider.example", stdin="another one\n")[0] == 0
    assert run("user", "end", "alice@provider.example")[0] == 0
    assert run("user", "list") == (0, [])


@pytest.mark.parametrize(
    ("words", "stdin", "status", "text"),
    [
        (["user", "add", "a@provider.example"], "short\n", 2, "at least 8 characters"),
        (["user", "add", "a@provider.example"], "", 2, "nothing on standard input"),
        (["user", "add", "a@elsewhere.example"], "long enough\n", 1, "not a domain of this provider"),
        (["user", "add", "no address"], "long enough\n", 2, "local@domain"),
        (["user", "add", "a@provider.example", "--quota", "much"], "long enough\n", 2, "expected a size"),
        (["user", "end", "nobody@provider.example"], "", 1, "there is no account"),
        (["domain", "add", "provider.example"], "", 1, "exists already"),
        (["domain", "add", "under_score.example"], "", 2, "not well-formed"),
        (["domain", "catch-all", "tmp.example", "a@b.example"], "", 2, "there is no account"),
    ],
)
def test_errors_are_one_line(run: Run, words: list[str], stdin: str, status: int, text: str) -> None:
    run("db", "migrate")
    run("domain", "add", "provider.example")
    found, printed = run(*words, stdin=stdin)
    assert found == status
    assert printed.startswith("outrider: ")
    assert text in printed
    assert printed.count("\n") == 1
    assert "long enough" not in printed


def test_a_missing_configuration_is_status_2(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--config", "/nowhere.toml", "domain", "list"]) == 2


def test_a_password_of_the_database_that_cannot_be_read_is_status_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with (tmp_path / "outrider.toml").open("a") as more:
        more.write('database_password = "credential:none"\n')
    told = "outrider: [outrider] database_password: No such file or directory\n"
    assert run("domain", "list") == (2, told)


@pytest.mark.parametrize(
    ("error", "status"),
    [(Refused("no"), 1), (UsageError("how"), 2), (TryAgain("later"), 75), (DatabaseDown("away"), 75)],
)
def test_statuses(error: Exception, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(_: Context, __: Namespace) -> Answer:
        raise error

    def tree() -> Commands:
        found = Commands()
        add: Add = found.add
        add("noun", "verb", handler, help="h")
        return found

    monkeypatch.setattr(cli, "all_commands", tree)
    assert cli.main(["noun", "verb"]) == status


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"done": 1}\n', {"done": 1}),
        (b'{"error": "no"}\n', Refused),
        (b'{"later": "soon"}\n', TryAgain),
        (b"nonsense\n", TryAgain),
        (b"", TryAgain),
        (b"x" * (1 << 21), TryAgain),
    ],
)
async def test_asking_a_daemon(tmp_path: Path, line: bytes, expected: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert json.loads(await reader.readline()) == {"do": "it"}
        writer.write(line)
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    try:
        if isinstance(expected, dict):
            assert await Context(None).ask(str(tmp_path / "s"), {"do": "it"}) == expected
        else:
            with pytest.raises(expected):
                await Context(None).ask(str(tmp_path / "s"), {"do": "it"})
    finally:
        server.close()


async def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match="nobody answers"):
        await Context(None).ask(str(tmp_path / "s"), {})


def test_the_database_file_belongs_to_the_group(tmp_path: Path) -> None:
    new_sqlite(tmp_path / "outrider.db")
    assert (tmp_path / "outrider.db").stat().st_mode & 0o777 == 0o660
