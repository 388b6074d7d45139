"""The playbook against real Debian roots: what it leaves, that it leaves it alone, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.authority import authority
from demo.commands import CommandFailed
from demo.places import Release
from demo.play import Recap
from demo.stages import converged
from kit.hosts import Host
from kit.plugin import WANTED

DAEMONS = ("authd", "policy", "hkpd")
SERVICES = tuple(f"outrider-{name}.service" for name in (*DAEMONS, "notices"))
KEY_CHARACTERS = 44  # 32 bytes in base64
EXPOSURE = "20"  # systemd-analyze's threshold for 2.0
# What does not depend on the release is tried on one: a run of the playbook takes 20 seconds.
one_release = pytest.mark.parametrize("release", WANTED[:1], indirect=True)


def said(host: Host, *command: str) -> str:
    return host.run(command).stdout


def play(host: Host, *options: str, **extra: Any) -> Recap:
    (recap,) = host.play(*options, extra=extra).hosts.values()
    return recap


def test_everything_runs_after_a_reboot(host: Host) -> None:
    """The root of the fixture was booted after the playbook had ended."""
    assert said(host, "systemctl", "--failed", "--no-legend") == ""
    units = [f"outrider-{name}.service" for name in DAEMONS]
    units += ["outrider-notices.timer", "postfix.service", "dovecot.service", "nginx.service"]
    assert said(host, "systemctl", "is-active", *units).split() == ["active"] * len(units)
    assert said(host, "systemctl", "is-enabled", *units).split() == ["enabled"] * len(units)


@dataclass(frozen=True)
class Again:
    """The playbook run once more and once dry, and what it printed the first time."""

    second: Recap
    dry: Recap
    output: str
    key: str


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> dict[Release, Again]:
    """Both releases at once, each on a host of its own: a run keeps one core busy for 20 seconds."""

    def once_more(release: Release) -> Again:
        host = Host(release, tmp_path_factory.mktemp(f"again{release}-"), converged(release, print))
        try:
            key = said(host, "cat", "/etc/outrider/secrets/auth.key").strip().partition(":")[2]
            second = play(host, "-vvv")
            output = (host.folder / "ansible" / "play.log").read_text()
            return Again(second, play(host, "--check"), output, key)
        finally:
            host.close()

    with ThreadPoolExecutor(len(WANTED)) as pool:
        return dict(zip(WANTED, pool.map(once_more, WANTED), strict=True))


def test_a_second_run_changes_nothing(again: dict[Release, Again], release: Release) -> None:
    assert (again[release].second.changed, again[release].second.failed) == (0, 0)
    assert again[release].second.ok > 30


def test_a_dry_run_changes_nothing(again: dict[Release, Again], release: Release) -> None:
    assert (again[release].dry.changed, again[release].dry.failed) == (0, 0)


def test_the_most_talkative_run_tells_no_key(again: dict[Release, Again], release: Release) -> None:
    assert len(again[release].key) == KEY_CHARACTERS
    assert again[release].key not in again[release].output


def test_systemd_finds_no_fault_in_the_units(host: Host) -> None:
    said(host, "sh", "-c", "exec systemd-analyze verify /etc/systemd/system/outrider-*")


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_are_shut_in(host: Host, service: str) -> None:
    said(host, "systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}", service)


def test_postfix_and_dovecot_keep_what_outrider_relies_on(host: Host) -> None:
    assert said(host, "doveconf", "-h", "auth_cache_size").strip() in {"0", "0 B"}
    said(host, "outrider", "check")


def test_keys_are_for_root_and_sockets_for_their_consumers(host: Host) -> None:
    private = {
        "/etc/outrider/secrets": "root 711",
        "/etc/outrider/secrets/auth.key": "root 400",
        "/etc/outrider/tls/key.pem": "root 600",
        "/var/lib/outrider": "outrider 2770",
        "/run/outrider/auth-login": "root 600",
        "/run/outrider/auth-master": "root 600",
        "/run/outrider/auth-admin": "root 600",
        "/var/spool/postfix/outrider/auth": "postfix 600",
        "/var/spool/postfix/outrider/policy": "postfix 600",
        "/var/spool/postfix/outrider/socketmap": "postfix 600",
        "/var/spool/postfix/private/dovecot-lmtp": "postfix 600",
    }
    rows = said(host, "stat", "--format", "%n %U %a", *private).splitlines()
    assert {name: f"{owner} {mode}" for name, owner, mode in map(str.split, rows)} == private


@one_release
def test_what_changes_reaches_what_runs(fresh_host: Host, tmp_path: Path) -> None:
    """A listener moves: systemd takes it only when service and socket were stopped (systemd.socket(5)). A certificate
    is renewed: the servers show it without a restart."""

    def answers(port: int) -> bool:
        ask = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/healthz', timeout=5)"
        return fresh_host.run(["/usr/bin/python3", "-c", ask], check=False).returncode == 0

    postfix = {"owner": "postfix", "group": "postfix"}
    queue = "/var/spool/postfix/outrider"
    listeners = [
        {"name": "delegation", "path": f"{queue}/policy", "protocol": "delegation", **postfix},
        {"name": "socketmap", "path": f"{queue}/socketmap", "protocol": "socketmap", **postfix},
        {"name": "health", "address": "127.0.0.1:9412", "protocol": "admin"},
    ]
    renewed = tmp_path / "cert.pem"
    renewed.write_text(authority().certificate.read_text() + "\n")
    dovecot = said(fresh_host, "systemctl", "show", "-P", "MainPID", "dovecot.service")
    assert (answers(9312), answers(9412)) == (True, False)

    assert play(fresh_host, policy_listeners=listeners, outrider_tls_certificate=str(renewed)).changed > 0

    assert (answers(9312), answers(9412)) == (False, True)
    assert "outrider-policy-admin.socket" not in said(fresh_host, "ls", "/etc/systemd/system")
    assert said(fresh_host, "systemctl", "--failed", "--no-legend") == ""
    assert said(fresh_host, "systemctl", "show", "-P", "MainPID", "dovecot.service") == dovecot
    assert "reloading configuration" in fresh_host.log("dovecot.service")
    assert "reload -- version" in fresh_host.log("postfix*")


@one_release
def test_a_bare_host_is_told_what_is_missing_and_what_would_be_done(bare_host: Host) -> None:
    with pytest.raises(CommandFailed, match=r"Set outrider_domain: required"):
        play(bare_host, outrider_domain="")
    recap = play(bare_host, "--check")
    assert recap.failed == 0
    assert recap.changed > 5
    assert bare_host.run(["test", "-e", "/etc/outrider"], check=False).returncode == 1
