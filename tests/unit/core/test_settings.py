"""Every error names file, section and key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from outrider.listeners import Listener
from outrider.settings import Configuration, CoreSettings, SettingsError, build, credential, read_configuration, setting


@dataclass(frozen=True)
class Sample:
    name: str = setting(help="A name.")
    days: int = setting(30, help="Days.")
    ratio: float = setting(0.5, help="A ratio.")
    on: bool = setting(False, help="A switch.")
    kind: Literal["a", "b"] = setting("a", help="One of two.")
    words: tuple[str, ...] = setting((), help="Words.")
    listeners: tuple[Listener, ...] = setting((), help="Sockets.")

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError("days: at least 1")


def test_values() -> None:
    table = {"name": "n", "ratio": 2, "words": ["x"], "listeners": [{"protocol": "p", "path": "/s"}]}
    found = build(Sample, table, "f: [s]")
    assert found == Sample("n", ratio=2.0, words=("x",), listeners=(Listener("p", "/s"),))


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({}, "f: [s] name: missing, and it has no default"),
        ({"name": 5}, "f: [s] name: expected a text, found 5"),
        ({"name": "n", "days": "x"}, "f: [s] days: expected a whole number, found 'x'"),
        ({"name": "n", "days": True}, "f: [s] days: expected a whole number, found True"),
        ({"name": "n", "days": 0}, "f: [s] days: at least 1"),
        ({"name": "n", "dais": 3}, "f: [s] dais: unknown setting"),
        ({"name": "n", "kind": "c"}, "f: [s] kind: expected one of 'a', 'b', found 'c'"),
        ({"name": "n", "words": [1]}, "f: [s] words[0]: expected a text, found 1"),
        ({"name": "n", "words": "x"}, "f: [s] words: expected a list, found 'x'"),
        ({"name": "n", "listeners": [{"protocol": "p"}]}, "f: [s] listeners[0] path: give either path or address"),
        ({"name": "n", "listeners": [{"protocol": "p", "address": "x"}]}, "f: [s] listeners[0] address: expected HOST"),
    ],
)
def test_errors_name_the_place(table: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build(Sample, table, "f: [s]")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [("[nonsense]\n", "unknown section"), ("x = ", "Invalid value"), ("authd = 1", "expected a sec")],
)
def test_files(tmp_path: Path, content: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outrider.settings.section_classes", lambda: {"authd": "", "outrider": ""})
    path = tmp_path / "outrider.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=text) as caught:
        read_configuration(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_configuration(tmp_path / "none.toml")


def test_defaults_that_follow_the_domain() -> None:
    configuration = Configuration(Path("f"), {"outrider": {"domain": "d.example", "hostname": "h.d.example"}})
    core = configuration.section("outrider", CoreSettings)
    assert core.opaque_domain == "b.d.example"
    assert core.notice_sender == "postmaster@d.example"


def test_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert credential("credential:auth.key") == Path("/etc/outrider/secrets/auth.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    assert credential("credential:auth.key") == Path("/run/credentials/x/auth.key")
    for wrong in ("auth.key", "credential:", "credential:../x", "the password itself"):
        with pytest.raises(SettingsError):
            credential(wrong)
