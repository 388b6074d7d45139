"""Keys on real hosts of both releases: gpg of this machine in the client's network, the playbook's nginx and units."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.commands import call
from demo.keyring import Keyring
from demo.people import Codes
from demo.places import CHECKOUT, RELEASES
from demo.provider import Demo
from demo.steps import keys
from demo.tour import Walk

FETCH = """
import json, sys, urllib.error, urllib.request
def status(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return [answer.status, answer.read().decode("latin-1"), dict(answer.headers)]
    except urllib.error.HTTPError as error:
        with error:
            return [error.code, error.read().decode("latin-1"), dict(error.headers)]
json.dump([status(url) for url in sys.argv[1:]], sys.stdout)
"""
LOOK_UP = "/pks/lookup?op=get&options=mr&search=alice@provider.example"
WKD = "/.well-known/openpgpkey/{}hu/kei1q4tipxxu1yj79k9kfukdhfy631xe?l=alice"


@pytest.fixture(scope="module", params=RELEASES)
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("keys") / "demo"
    command = [sys.executable, "-m", "demo"]
    try:
        call([*command, "up", folder, "--release", request.param], cwd=CHECKOUT)
        yield Demo.read(folder)
    finally:
        call([*command, "down", folder], cwd=CHECKOUT)


@pytest.fixture(scope="module")
def walk(demo: Demo) -> Walk:
    alice = demo.user("alice")
    assert alice.totp_secret
    return Walk(demo, demo.provider, alice, demo.user("bob"), Codes(alice.totp_secret))


def fetch(demo: Demo, *urls: str) -> list[tuple[int, str, dict[str, str]]]:
    """Status, body and head of each, as the client's network sees them."""
    return json.loads(call([*demo.client, sys.executable, "-c", FETCH, *urls], seconds=120).stdout)


@pytest.mark.parametrize("step", keys.STEPS, ids=lambda step: step.run.__name__)
def test_steps_of_the_tour(walk: Walk, step) -> None:
    step.run(walk)


def test_every_front_door_gives_the_same_key(demo: Demo) -> None:
    provider = "provider.example/"
    answers = fetch(
        demo,
        f"http://keys.provider.example:11371{LOOK_UP}",
        f"https://keys.provider.example{LOOK_UP}",
        f"https://openpgpkey.provider.example{WKD.format(provider)}",
        f"https://provider.example{WKD.format('')}",
    )
    assert [status for status, _, _ in answers] == [200] * 4
    assert answers[0][1] == answers[1][1]
    assert answers[2][1] == answers[3][1]
    assert all(head["Access-Control-Allow-Origin"] == "*" for _, _, head in answers)
    assert answers[1][2]["Server"] == "nginx"


def test_the_plain_port_and_the_front_answer_only_what_is_theirs(demo: Demo) -> None:
    answers = fetch(
        demo,
        f"http://keys.provider.example:11371{WKD.format('provider.example/')}",
        "https://openpgpkey.provider.example/.well-known/openpgpkey/provider.example/policy",
        "https://keys.provider.example/",
        "https://keys.provider.example/metrics",
        "https://keys.provider.example/pks/lookup?op=get&search=0x01234567",
    )
    assert [status for status, _, _ in answers] == [404, 200, 404, 404, 400]


def test_printed_zone_lines_are_what_the_demo_serves(demo: Demo) -> None:
    """The name server of the demo owns the zone; what `outrider dns` prints leads to the same host."""
    lines = demo.provider.outrider("dns", demo.domain, "--address", "10.77.0.10", "--address", "fd77::10")
    hosts = {(line["name"], line["data"]) for line in lines if line["type"] in ("A", "AAAA")}
    code = "import socket,sys; print(sorted({i[4][0] for n in sys.argv[1:] for i in socket.getaddrinfo(n, 443)}))"
    names = sorted({name for name, _ in hosts})
    seen = call([*demo.client, sys.executable, "-c", code, *names]).stdout.strip()
    assert seen == str(sorted({data for _, data in hosts}))
    assert {line["name"] for line in lines if line["type"] == "SRV"} == {
        "_hkp._tcp.provider.example.",
        "_hkps._tcp.provider.example.",
    }


def test_strangers_bytes_are_parsed_by_the_keyservers_user(demo: Demo) -> None:
    pid = demo.provider.run("systemctl", "show", "--property=MainPID", "--value", "outrider-hkpd.service").strip()
    assert demo.provider.run("stat", "--format=%U", f"/proc/{pid}").strip() == "outrider-hkpd"
    sockets = demo.provider.run("stat", "--format=%n %U %a", "/run/outrider/hkpd-admin", "/run/outrider/http-hkpd")
    assert sockets.splitlines() == ["/run/outrider/hkpd-admin root 600", "/run/outrider/http-hkpd www-data 600"]


def test_a_restart_and_a_kill_cost_nobody_an_answer(demo: Demo) -> None:
    """Connections wait in the sockets that systemd holds."""
    urls = [f"http://keys.provider.example:11371{LOOK_UP}", f"https://keys.provider.example{LOOK_UP}"] * 20
    seen: list[int] = []
    looking = threading.Thread(target=lambda: seen.extend(status for status, _, _ in fetch(demo, *urls)))
    looking.start()
    demo.provider.run("systemctl", "restart", "outrider-hkpd.service")
    looking.join()
    assert seen == [200] * len(urls)
    demo.provider.run("systemctl", "kill", "--signal=KILL", "outrider-hkpd.service")
    assert [status for status, _, _ in fetch(demo, *urls[:2])] == [200, 200]


def test_the_front_does_not_write_down_what_is_searched_for(demo: Demo) -> None:
    fetch(demo, "https://keys.provider.example/pks/lookup?op=get&search=curious@provider.example")
    found = subprocess.run(
        [*demo.run, "sh", "-c", "grep -rl curious /var/log/nginx /var/log/journal; journalctl --grep curious -q"],
        capture_output=True,
        check=False,
    )
    assert found.stdout == b""
    assert "curious" not in Path(demo.logs[0]).read_text()


def test_gpg_refreshes_a_revocation(demo: Demo) -> None:
    """A key that others have is revoked by its owner: they hear of it at the next refresh."""
    bob = demo.user("bob").address
    with Keyring() as mine, Keyring(demo.client) as theirs:
        fingerprint = mine.make(bob)
        demo.provider.run("outrider", "key", "publish", bob, text=mine.public(bob))
        server = ("--keyserver", "hkp://keys.provider.example")
        theirs.gpg(*server, "--recv-keys", fingerprint)
        made = mine.home / "openpgp-revocs.d" / f"{fingerprint.upper()}.rev"
        mine.gpg("--import", text=made.read_text().replace(":-----BEGIN", "-----BEGIN"))
        demo.provider.run("outrider", "key", "publish", bob, text=mine.public(bob))
        theirs.gpg(*server, "--refresh-keys")
        listed = theirs.gpg("--with-colons", "--list-keys").stdout.splitlines()
        assert next(line for line in listed if line.startswith("pub:")).split(":")[1] == "r"
        refused = theirs.gpg("--trust-model", "always", "-e", "-r", bob, text="Hello", check=False)
        assert refused.returncode != 0
