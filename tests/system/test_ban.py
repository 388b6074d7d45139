"""fail2ban from Debian reads what authd says, and bans whoever guesses. One release: nothing here differs."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from demo.bare import in_chroot
from demo.layers import Layer, ensure
from demo.names import CLIENT, six
from demo.places import Release
from demo.stages import converged
from kit.hosts import Host
from kit.needs import need_root
from kit.plugin import WANTED

RELEASE = WANTED[-1]
WATCHDOG = 30.0  # seconds
# Three refusals instead of twenty, and an action that writes down whom it would ban.
LOCAL = """\
[sshd]
enabled = false
[outrider-authd]
maxretry = 3
action = witness
"""
ACTION = """\
[Definition]
actionban = echo <ip> >> /run/banned
actionunban =
"""
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install fail2ban python3-systemd"
# One connection that stays open: a line on standard input for each login, a word back.
IMAP = """
import imaplib, ssl, sys
imap = imaplib.IMAP4_SSL("imap.provider.example", 993, ssl_context=ssl.create_default_context())
for line in sys.stdin:
    user, password = line.rstrip("\\n").split("\\t")
    try:
        print(imap.login(user, password)[0], flush=True)
    except imaplib.IMAP4.error:
        print("NO", flush=True)
"""


def guarded(release: Release) -> Layer:
    """A converged host with fail2ban installed, which has never run."""
    ground = converged(release, print)
    never = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"
    files = {"jail.d/zz-test.local": LOCAL, "action.d/witness.conf": ACTION}
    writes = [f"printf %s {shlex.quote(text)} >/etc/fail2ban/{name}" for name, text in files.items()]
    script = "; ".join([never, INSTALL, *writes, "rm /usr/sbin/policy-rc.d"])
    return ensure("guarded", release, [script], ground, lambda tree: in_chroot(ground, tree, script), print)


@pytest.fixture(scope="module")
def guarded_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    need_root()
    made = Host(RELEASE, tmp_path_factory.mktemp("guarded-"), guarded(RELEASE))
    # Dovecot answers a failed login after two seconds, which would be most of this test.
    made.run(["sh", "-c", "echo 'auth_failure_delay = 0' >/etc/dovecot/local.conf; systemctl reload dovecot.service"])
    made.play("--tags", "authd")
    yield made
    made.close()


def until(host: Host, script: str) -> str:
    """What a shell script says once it succeeds."""
    end = time.monotonic() + WATCHDOG
    while (done := host.run(["sh", "-c", script], check=False)).returncode != 0:
        assert time.monotonic() < end, f"{script}: {done.stdout}{done.stderr}\n{host.log('fail2ban.service')}"
        time.sleep(0.2)
    return done.stdout


def refusals(host: Host) -> list[str]:
    """The lines of authd's journal that say no, oldest first."""
    lines = host.log("outrider-authd.service").splitlines()
    return [line.partition("login=no ")[2] for line in lines if "login=no " in line]


@contextmanager
def open_connection(host: Host) -> Iterator[Callable[[str, str], str]]:
    """An IMAP connection of the client's, on which one can log in again and again."""
    command = [*host.provider.client_prefix, sys.executable, "-c", IMAP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        talk, listen = process.stdin, process.stdout

        def login(user: str, password: str) -> str:
            talk.write(f"{user}\t{password}\n")
            talk.flush()
            return listen.readline().strip()

        yield login
        talk.close()


def test_the_playbook_teaches_fail2ban_where_it_is(guarded_host: Host) -> None:
    files = guarded_host.run(["sh", "-c", "ls /etc/fail2ban/*.d/outrider-authd.conf"]).stdout.split()
    assert files == ["/etc/fail2ban/filter.d/outrider-authd.conf", "/etc/fail2ban/jail.d/outrider-authd.conf"]
    assert "outrider-authd" in until(guarded_host, "fail2ban-client status | grep 'Jail list'")


def test_who_guesses_is_banned_while_his_connection_is_open_and_an_owner_is_not(guarded_host: Host) -> None:
    user, _ = guarded_host.protected_user()
    with open_connection(guarded_host) as login:
        for number in range(4):  # the right password and a wrong code: class C
            assert login(user.address, f"{user.password}00000{number}") == "NO"
        before = len(refusals(guarded_host))
        for number in range(3):
            assert guarded_host.run(["cat", "/run/banned"], check=False).stdout == ""
            assert login(user.address, f"guess {number}") == "NO"
            assert len(refusals(guarded_host)) == before + number + 1  # at once, not when the connection ends
        banned = until(guarded_host, "cat /run/banned").split()
        assert login(user.address, user.app_password or "") == "OK"
    assert banned in ([CLIENT], [six(CLIENT)])
    shape = rf"service=imap rip={re.escape(banned[0])} account=\d+ class=(\S) why=(\S+)"
    kinds = [found.groups() for line in refusals(guarded_host) if (found := re.fullmatch(shape, line))]
    assert kinds == [("C", "code-wrong")] * 4 + [("A", "nothing-right")] * 3


@pytest.mark.parametrize(("mode", "matched"), [("normal", 3), ("aggressive", 7)])
def test_the_filter_reads_the_real_journal(guarded_host: Host, mode: str, matched: int) -> None:
    seen = guarded_host.run(["fail2ban-regex", "systemd-journal", f"outrider-authd[mode={mode}]"]).stdout
    assert f" {matched} matched" in seen, seen
