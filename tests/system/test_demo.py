"""The demo as a person runs it: up, what it says about itself, the tour, down, and nothing left."""

import imaplib
import os
import select
import signal
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo import supervisor
from demo.commands import call
from demo.people import Codes
from demo.places import CHECKOUT
from demo.provider import Demo
from demo.tour import Step, must, walk
from kit.needs import need, need_root

WATCHDOG = 30.0


def demo_command(*words):
    command = [sys.executable, "-m", "demo", *map(str, words)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def folder(release, tmp_path_factory):
    """A folder with a running demo."""
    need_root()
    need("gpg")
    chosen = tmp_path_factory.mktemp("demo") / "here"
    done = demo_command("up", chosen, "--release", release)
    assert done.returncode == 0, done.stdout + done.stderr
    yield chosen
    assert demo_command("down", chosen).returncode == 0


@pytest.fixture(scope="module")
def shown(folder):
    return Demo.read(folder)


def test_demo_json_is_for_the_owner_alone_and_true(folder, shown, release):
    assert stat.S_IMODE((folder / "demo.json").stat().st_mode) == 0o600
    assert (shown.release, shown.domain) == (release, "provider.example")
    assert call([*shown.run, "hostname"]).stdout.strip() == "mail.provider.example"
    assert "10.77.0.3" in call([*shown.client, "ip", "-br", "addr"]).stdout
    assert Path(shown.mail_root).is_dir()


def test_loopback_ports_lead_to_the_host(shown):
    bob = shown.user("bob")
    tls = ssl.create_default_context(cafile=shown.ca)
    tls.check_hostname = False  # asked by address; the chain is still checked
    with imaplib.IMAP4_SSL("127.0.0.1", shown.ports["imaps"], ssl_context=tls, timeout=WATCHDOG) as session:
        assert session.login(bob.address, bob.password)[0] == "OK"


def test_up_again_changes_nothing(folder, shown):
    done = demo_command("up", folder)
    assert done.returncode == 0
    assert "already running" in done.stdout
    assert Demo.read(folder) == shown


def test_the_tour_is_right(shown):
    lines = []
    assert walk(shown, lines.append) == 0, "\n".join(lines)
    text = "\n".join(lines)
    for user in shown.users:
        assert user.password not in text
        assert user.app_password is None or user.app_password not in text


def test_a_wrong_step_ends_the_tour_with_1(shown, monkeypatch):
    monkeypatch.setattr("demo.steps.STEPS", (Step("never so", lambda walk: must(False, "truth", ["S: no"])),))
    lines = []
    assert walk(shown, lines.append) == 1
    assert "expected: truth" in "\n".join(lines)


def test_log_file_goes_on_over_a_reboot(shown):
    log = Path(shown.logs[0])
    for mark in ("before-the-reboot", "after-the-reboot"):
        call([*shown.run, "logger", mark])
        deadline = time.monotonic() + WATCHDOG
        while mark not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, f"{mark} is not in {log}"
            time.sleep(0.05)
        if mark.startswith("before"):
            before = (log.parent.parent / "host/pid1").read_text()
            call([*shown.run, "systemctl", "reboot"], check=False)
            while not running_again(log.parent.parent / "host/pid1", before, shown):
                assert time.monotonic() < deadline, "it did not reboot"
                time.sleep(0.1)


def running_again(number, before, shown):
    if not number.exists() or number.read_text() == before:
        return False
    return "running" in call([*shown.run, "systemctl", "is-system-running"], check=False).stdout


def test_app_password_and_code_work_after_the_reboot(shown):
    alice = shown.user("alice")
    assert shown.provider.imap(alice.address, alice.app_password).logged_in
    secret = f"{alice.password}{Codes(alice.totp_secret).next()}"
    assert shown.provider.imap(alice.address, secret).login is not None


def test_down_leaves_nothing_and_can_be_said_twice(release, tmp_path):
    """Also after the supervisor was killed."""
    need_root()
    chosen = tmp_path / "gone"
    assert demo_command("up", chosen, "--release", release).returncode == 0
    root = int((chosen / "host/pid1").read_text())
    gone = os.pidfd_open(root)
    os.kill(supervisor.running(chosen), signal.SIGKILL)
    try:
        assert select.select([gone], [], [], WATCHDOG)[0]
    finally:
        os.close(gone)
    assert "nothing was running" in demo_command("down", chosen).stdout
    assert not chosen.exists()
    assert demo_command("down", chosen).returncode == 0
    assert str(chosen) not in Path("/proc/mounts").read_text()
