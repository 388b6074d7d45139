"""outrider alias …, as programs and people call it."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kit.databases import new_sqlite
from outrider.cli import main
from outrider.db.migrate import migrate
from outrider.directory import SqlDirectory
from outrider.people import People

NOW = 1_800_000_000
# As pyproject.toml has them; the other daemons' commands are no matter here.
COMMANDS = [
    EntryPoint("outrider", "outrider.commands:commands", "outrider.commands"),
    EntryPoint("policy", "policy.cli:commands", "outrider.commands"),
]
SECTIONS = [
    EntryPoint("outrider", "outrider.settings:CoreSettings", "outrider.settings"),
    EntryPoint("policy", "policy.settings:PolicySettings", "outrider.settings"),
]


@pytest.fixture
async def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration over a database with two accounts and one disposable domain; the clock stands at NOW."""
    database = new_sqlite(tmp_path / "outrider.db")
    await migrate(database)
    people = People(database, SqlDirectory(database, "b.provider.example"))
    await people.add_domain("provider.example", "own", NOW)
    await people.add_domain("tmp.provider.example", "disposable", NOW)
    for name in ("alice", "bob"):
        await people.add(f"{name}@provider.example", "{X}x", "en", 0, NOW)
    await database.close()
    path = tmp_path / "outrider.toml"
    path.write_text(
        '[outrider]\ndomain = "provider.example"\nhostname = "mail.provider.example"\n'
        f'database = "sqlite:{tmp_path}/outrider.db"\n[policy]\ndisposable_days = 7\n'
    )
    monkeypatch.setenv("OUTRIDER_CONFIG", str(path))
    monkeypatch.setattr("outrider.cli.entry_points", lambda group: COMMANDS)
    monkeypatch.setattr("outrider.settings.entry_points", lambda group: SECTIONS)
    monkeypatch.setattr("time.time", lambda: float(NOW))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return path


def outrider(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out.strip(), err.strip()


def test_alias_new_list_end(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = outrider(capsys, "alias", "new", "Alice@provider.example", "--label", "shop", "--json")
    made = json.loads(out)
    assert status == 0
    assert made == {
        "address": made["address"],
        "owner": "alice@provider.example",
        "kind": "disposable",
        "label": "shop",
        "created": NOW,
        "expires": NOW + 7 * 86_400,
    }
    assert made["address"].endswith("@tmp.provider.example")
    _, out, _ = outrider(capsys, "alias", "list", "alice@provider.example", "--json")
    assert json.loads(out) == [made]
    _, out, _ = outrider(capsys, "alias", "list", "alice@provider.example")
    assert out == f"{made['address']}  disposable  until 2027-01-22 08:00 UTC  shop"
    status, out, _ = outrider(capsys, "alias", "end", made["address"].upper(), "--json")
    assert (status, json.loads(out)) == (0, {"address": made["address"], "ended": True})
    _, out, _ = outrider(capsys, "alias", "list", "alice@provider.example")
    assert out == "no aliases"
    status, _, err = outrider(capsys, "alias", "end", made["address"])
    assert (status, err) == (1, f"outrider: there is no alias {made['address']}")


def test_people_read_address_and_end(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = outrider(capsys, "alias", "new", "alice@provider.example")
    address, _, end = out.partition("  ")
    assert status == 0
    assert address.count("@") == 1
    assert end == "until 2027-01-22 08:00 UTC"


def test_expired_ones_are_listed_as_such(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outrider(capsys, "alias", "new", "alice@provider.example")
    monkeypatch.setattr("time.time", lambda: float(NOW + 7 * 86_400))
    _, out, _ = outrider(capsys, "alias", "list", "alice@provider.example")
    assert out.endswith("disposable  expired 2027-01-22 08:00 UTC")


def test_permanent_alias(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = outrider(capsys, "alias", "add", "alice@provider.example", "Sales@provider.example", "--json")
    made = json.loads(out)
    assert (status, made["address"], made["kind"], made["expires"]) == (
        0,
        "sales@provider.example",
        "permanent",
        None,
    )
    status, _, err = outrider(capsys, "alias", "add", "bob@provider.example", "sales@provider.example")
    assert (status, err) == (1, "outrider: sales@provider.example is taken")
    _, out, _ = outrider(capsys, "alias", "list", "alice@provider.example")
    assert out == "sales@provider.example  permanent  for good"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("new", "nobody@provider.example"), 1, "there is no account"),
        (("new", "nobody"), 2, "an address has the form"),
        (("new", "alice@provider.example", "--domain", "provider.example"), 1, "is no disposable domain"),
        (("new", "alice@provider.example", "--label", "a\nb"), 2, "--label: one line"),
        (("new", "alice@provider.example", "--label", "a" * 101), 2, "--label: one line"),
        (("add", "alice@provider.example", "x@tmp.provider.example"), 1, "no domain for permanent"),
        (("add", "alice@provider.example", "bob@provider.example"), 1, "is taken"),
    ],
)
def test_refusals(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, words: str
) -> None:
    found, out, err = outrider(capsys, "alias", *arguments)
    assert (found, out) == (status, "")
    assert words in err
    assert "\n" not in err


def test_one_of_several_domains(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outrider(capsys, "domain", "add", "Tmp2.provider.example", "disposable")[0] == 0
    status, _, err = outrider(capsys, "alias", "new", "alice@provider.example")
    assert status == 2
    assert err == "outrider: --domain: name one of tmp.provider.example, tmp2.provider.example"
    status, out, _ = outrider(capsys, "alias", "new", "alice@provider.example", "--domain", "TMP2.provider.example")
    assert (status, "@tmp2.provider.example" in out) == (0, True)


def test_without_a_database_it_is_later(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "outrider.db").unlink()
    assert outrider(capsys, "alias", "new", "alice@provider.example")[0] == 75
