"""The playbook against real Debian roots: what it leaves, that it leaves it alone, and what it refuses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.authority import authority
from demo.bare import bare
from demo.commands import CommandFailed
from demo.places import RELEASES, Release
from demo.play import Recap, play, variables
from demo.stages import converged
from demo.world import World

DAEMONS = ("authd", "policy", "hkpd")
SERVICES = tuple(f"outrider-{name}.service" for name in (*DAEMONS, "notices"))
KEY_CHARACTERS = 44  # 32 bytes in base64
EXPOSURE = "20"  # systemd-analyze's threshold for 2.0


@dataclass
class Host:
    """A running root and the playbook for it."""

    release: Release
    world: World
    folder: Path
    variables: dict[str, Any]

    def run(self, *command: str) -> str:
        return self.world.root.run(command).stdout

    def status(self, *command: str) -> int:
        return self.world.root.run(command, check=False).returncode

    def play(self, *options: str, **changes: Any) -> Recap:
        extra = self.variables | changes  # None takes a variable away
        extra = {name: value for name, value in extra.items() if value is not None}
        hosts = {f"host{self.release}": self.world.root.run_script}
        (recap,) = play(self.folder, hosts, extra, print, options=options).hosts.values()
        return recap


@pytest.fixture(scope="module", params=RELEASES)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host as the playbook leaves it."""
    release: Release = request.param
    folder = tmp_path_factory.mktemp(f"playbook{release}")
    chosen = variables(release, print)
    world = World(folder / "world", converged(release, print), print, authority=authority().ca)
    try:
        world.up()
        yield Host(release, world, folder / "ansible", chosen)
    finally:
        world.close()


@pytest.fixture
def bare_host(tmp_path: Path) -> Iterator[Host]:
    """A host on which the playbook never ran."""
    world = World(tmp_path / "world", bare("12", print), print, authority=authority().ca)
    try:
        world.up()
        yield Host("12", world, tmp_path / "ansible", variables("12", print))
    finally:
        world.close()


def test_everything_runs_after_a_reboot(host: Host) -> None:
    """The root of the fixture was booted after the playbook had ended."""
    assert host.run("systemctl", "--failed", "--no-legend") == ""
    units = [f"outrider-{name}.service" for name in DAEMONS]
    units += ["outrider-notices.timer", "postfix.service", "dovecot.service", "nginx.service"]
    assert host.run("systemctl", "is-active", *units).split() == ["active"] * len(units)
    assert host.run("systemctl", "is-enabled", *units).split() == ["enabled"] * len(units)


def test_a_second_run_changes_nothing_and_tells_no_key(host: Host) -> None:
    recap = host.play("-vvv")
    assert (recap.changed, recap.failed) == (0, 0)
    assert recap.ok > 30
    secret = host.run("cat", "/etc/outrider/secrets/auth.key").strip().partition(":")[2]
    assert len(secret) == KEY_CHARACTERS
    assert secret not in (host.folder / "play.log").read_text()


def test_a_dry_run_changes_nothing(host: Host) -> None:
    recap = host.play("--check")
    assert (recap.changed, recap.failed) == (0, 0)


def test_systemd_finds_no_fault_in_the_units(host: Host) -> None:
    host.run("sh", "-c", "exec systemd-analyze verify /etc/systemd/system/outrider-*")


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_are_shut_in(host: Host, service: str) -> None:
    host.run("systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}", service)


def test_postfix_and_dovecot_keep_what_outrider_relies_on(host: Host) -> None:
    assert host.run("doveconf", "-h", "auth_cache_size").strip() in {"0", "0 B"}
    host.run("outrider", "check")


def test_keys_are_for_root_and_sockets_for_their_consumers(host: Host) -> None:
    rows = host.run(
        *(
            "stat",
            "-c",
            "%n %U %a",
            "/etc/outrider/secrets",
            "/etc/outrider/secrets/auth.key",
            "/etc/outrider/tls/key.pem",
        ),
        *("/var/lib/outrider", "/run/outrider/auth-login", "/run/outrider/auth-master", "/run/outrider/auth-admin"),
        *(f"/var/spool/postfix/outrider/{name}" for name in ("auth", "policy", "socketmap")),
        "/var/spool/postfix/private/dovecot-lmtp",
    )
    found = {Path(name).name: f"{owner} {mode}" for name, owner, mode in map(str.split, rows.splitlines())}
    assert found == {
        "secrets": "root 700",
        "auth.key": "root 400",
        "key.pem": "root 600",
        "outrider": "outrider 2770",
        "auth-login": "root 600",
        "auth-master": "root 600",
        "auth-admin": "root 600",
        "auth": "postfix 600",
        "policy": "postfix 600",
        "socketmap": "postfix 600",
        "dovecot-lmtp": "postfix 600",
    }


@pytest.mark.parametrize("host", ["12"], indirect=True)  # the units are the same on both releases
def test_a_listener_moves_and_leaves_nothing_behind(host: Host) -> None:
    """systemd takes a new address only when service and socket were stopped (systemd.socket(5))."""

    def health(port: int) -> int:
        ask = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/healthz', timeout=5)"
        return host.status("/usr/bin/python3", "-c", ask)

    moved = [
        {"name": "socketmap", "path": "/var/spool/postfix/outrider/socketmap", "protocol": "socketmap",
         "owner": "postfix", "group": "postfix"},
        {"name": "delegation", "path": "/var/spool/postfix/outrider/policy", "protocol": "delegation",
         "owner": "postfix", "group": "postfix"},
        {"name": "health", "address": "127.0.0.1:9412", "protocol": "admin"},
    ]  # fmt: skip
    assert (health(9312), health(9412)) == (0, 1)
    assert host.play("--tags", "outrider,policy", policy_listeners=moved).changed > 0
    assert (health(9312), health(9412)) == (1, 0)
    assert host.status("test", "-e", "/etc/systemd/system/outrider-policy-admin.socket") == 1
    assert host.play("--tags", "outrider,policy").changed > 0
    assert (health(9312), health(9412)) == (0, 1)
    assert host.run("systemctl", "--failed", "--no-legend") == ""


@pytest.mark.parametrize("host", ["13"], indirect=True)  # the handlers are the same on both releases
def test_a_new_certificate_is_shown_without_a_restart(host: Host, tmp_path: Path) -> None:
    before = host.run("systemctl", "show", "-P", "MainPID", "dovecot.service")
    copy = tmp_path / "cert.pem"
    copy.write_text(authority().certificate.read_text() + "\n")
    assert host.play("--tags", "outrider,postfix,dovecot,front", outrider_tls_certificate=str(copy)).changed > 0
    assert host.run("systemctl", "show", "-P", "MainPID", "dovecot.service") == before
    assert "Reload Dovecot" in (host.folder / "play.log").read_text()


def test_a_dry_run_on_a_bare_host_says_what_it_would_do(bare_host: Host) -> None:
    recap = bare_host.play("--check")
    assert recap.failed == 0
    assert recap.changed > 5
    assert bare_host.status("test", "-e", "/etc/outrider") == 1


def test_a_missing_variable_is_one_sentence(bare_host: Host) -> None:
    with pytest.raises(CommandFailed, match=r"Set outrider_domain: required"):
        bare_host.play(outrider_domain=None)
    assert json.loads(bare_host.run("ip", "-j", "route"))  # the host is alive, nothing was tried on it
