"""outrider key … and outrider dns, as programs and people call them; the daemon is a fake line of JSON."""

import argparse
import io
import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import dns.rdatatype
import dns.zone
import pytest

from hkpd.cli import KEY_LIMIT
from hkpd.settings import HkpdSettings
from hkpd.zone import zone_lines
from outrider.cli import Context, main
from outrider.openpgp import MAX_INPUT
from outrider.settings import SettingsError, build

COMMANDS = [EntryPoint("hkpd", "hkpd.cli:commands", "outrider.commands")]
SECTIONS = [
    EntryPoint("outrider", "outrider.settings:CoreSettings", "outrider.settings"),
    EntryPoint("hkpd", "hkpd.settings:HkpdSettings", "outrider.settings"),
]
FINGERPRINT = "0123456789abcdef0123456789abcdef01234567"
KEY = {"fingerprint": FINGERPRINT, "addresses": ["alice@provider.example"], "revoked": False, "expires": 86400}


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    """What the daemon was asked; `answer` is what it says."""
    (tmp_path / "outrider.toml").write_text(
        '[outrider]\ndomain = "provider.example"\nhostname = "mail.provider.example"\n[hkpd]\nconnections = 10\n'
    )
    monkeypatch.setenv("OUTRIDER_CONFIG", str(tmp_path / "outrider.toml"))
    monkeypatch.setattr("outrider.cli.entry_points", lambda group: COMMANDS)
    monkeypatch.setattr("outrider.settings.entry_points", lambda group: SECTIONS)
    seen = argparse.Namespace(asked=[], answer={})

    async def ask(_, path, request):
        seen.asked.append((path, request))
        return seen.answer

    monkeypatch.setattr(Context, "ask", ask)
    return seen


def outrider(capsys, *arguments):
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out.strip(), err.strip()


def test_publish_from_a_file_and_from_standard_input(daemon, capsys, tmp_path, monkeypatch):
    daemon.answer = KEY | {"warning": "look out"}
    (tmp_path / "key").write_bytes(b"abc")
    status, out, _ = outrider(capsys, "key", "publish", "alice@provider.example", str(tmp_path / "key"))
    assert status == 0
    assert out == f"{FINGERPRINT} is published for alice@provider.example\nwarning: look out"
    assert daemon.asked[0][0] == "/run/outrider/hkpd-admin"
    assert daemon.asked[0][1] == {"do": "publish", "account": "alice@provider.example", "key": "YWJj"}
    monkeypatch.setattr(sys, "stdin", argparse.Namespace(buffer=io.BytesIO(b"abc")))
    assert json.loads(outrider(capsys, "key", "publish", "alice@provider.example", "--json")[1]) == daemon.answer
    assert daemon.asked[1] == daemon.asked[0]


def test_a_file_that_is_not_there(daemon, capsys):
    status, _, err = outrider(capsys, "key", "publish", "alice@provider.example", "/nowhere")
    assert status == 2
    assert err == "outrider: /nowhere: No such file or directory"
    assert daemon.asked == []


def test_list_and_withdraw(daemon, capsys):
    daemon.answer = {"keys": [KEY, KEY | {"revoked": True, "addresses": []}, KEY | {"expires": None}]}
    lines = outrider(capsys, "key", "list", "alice@provider.example")[1].splitlines()
    assert lines[0] == f"{FINGERPRINT}  until 1970-01-02  alice@provider.example"
    assert lines[1] == f"{FINGERPRINT}  revoked  found by its fingerprint alone"
    assert "for good" in lines[2]
    assert len(json.loads(outrider(capsys, "key", "list", "alice@provider.example", "--json")[1])) == 3
    daemon.answer = {"fingerprint": FINGERPRINT, "withdrawn": True}
    assert (
        outrider(capsys, "key", "withdraw", "alice@provider.example", FINGERPRINT)[1] == f"{FINGERPRINT} is withdrawn"
    )


def test_the_limit_is_that_of_the_scanner():
    assert KEY_LIMIT == MAX_INPUT


def test_the_command_line_does_not_load_the_library_that_parses_strangers_bytes():
    code = "import sys, hkpd.cli; sys.exit('pysequoia' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_zone_lines_parse_and_name_no_pgpkey_record(daemon, capsys):
    _, text, _ = outrider(capsys, "dns", "Provider.Example", "--address", "192.0.2.1", "--address", "2001:db8::1")
    zone = dns.zone.from_text(text, origin="provider.example.", check_origin=False, relativize=False)
    host = [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]
    assert {(str(name), dns.rdatatype.to_text(one.rdtype), str(one)) for name, _, one in zone.iterate_rdatas()} == {
        *((f"{name}.provider.example.", *record) for name in ("keys", "openpgpkey") for record in host),
        ("_hkp._tcp.provider.example.", "SRV", "0 0 11371 keys.provider.example."),
        ("_hkps._tcp.provider.example.", "SRV", "0 0 443 keys.provider.example."),
    }


def test_without_addresses_the_names_are_aliases_of_the_host(daemon, capsys):
    data = json.loads(outrider(capsys, "dns", "customer.example", "--json")[1])
    assert data[0] == {
        "name": "keys.customer.example.",
        "ttl": 3600,
        "type": "CNAME",
        "data": "mail.provider.example.",
    }
    assert [line.kind for line in zone_lines("d.example", "h.example.")] == ["CNAME", "CNAME", "SRV", "SRV"]


@pytest.mark.parametrize("wrong", [["dns", "bad..example"], ["dns", "d.example", "--address", "300.1.1.1"]])
def test_what_is_no_domain_or_address(daemon, capsys, wrong):
    assert outrider(capsys, *wrong)[0] == 2


def test_settings():
    assert build(HkpdSettings, {}, "x").admin_socket() == "/run/outrider/hkpd-admin"
    assert build(HkpdSettings, {"listeners": []}, "x").admin_socket() == "/run/outrider/hkpd-admin"
    with pytest.raises(SettingsError, match="connections: expected 1 to"):
        build(HkpdSettings, {"connections": 0}, "x")
