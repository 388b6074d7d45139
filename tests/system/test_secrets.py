"""Last of all on each host: nothing that was typed, shown or kept there is found where it does not belong."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.provider import letter
from kit.hosts import Host
from kit.leaks import Secrets, found, places, processes
from kit.programs import ENTRANCES, login, submission

pytestmark = pytest.mark.last
STOP = "/run/outrider-stop-looking"


def use_everything(host: Host) -> None:
    """Every command that takes or shows a secret, every entrance; right and wrong."""
    user, codes = host.protected_user(level=4)
    assert user.app_password
    code, wrong = user.password + codes.next(), secrets.token_urlsafe(12)
    text = letter(user.address, user.address, "Nothing secret")
    jobs = [submission(user.address, code, user.address, user.address, text)]
    jobs += [login(door, user.address, field) for door in ENTRANCES for field in (user.app_password, code, wrong)]
    host.talk_all(jobs)
    host.provider.outrider("user", "password", user.address, text=f"{secrets.token_urlsafe(12)}\n")


def test_no_secret_is_found(host: Host) -> None:
    """All secrets of all tests on this host, everywhere; the process list is watched while they are used."""
    host.secrets.text("auth.key", host.run(["cat", "/etc/outrider/secrets/auth.key"]).stdout.strip().partition(":")[2])
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(list, processes(host, until=STOP))
        use_everything(host)
        host.run(["touch", STOP])
    everywhere = list(places(host))
    assert found(host.secrets, [*seen.result(), *everywhere]) == []
    assert b"outrider\0user\0password" in seen.result()[0][1].replace(b"/usr/bin/", b"")
    assert {"journal", "processes", "var/lib/outrider/outrider.db"} <= {name for name, _ in everywhere}


def test_a_secret_would_be_found(host: Host) -> None:
    """In the journal, in a file, among the processes."""
    planted = Secrets()
    planted.login("somebody@provider.example", text := secrets.token_urlsafe(12))
    host.run(["logger", f"an error quotes {text}"])
    host.run(["sh", "-c", "cat >/var/log/planted"], input=text)
    host.run(["systemd-run", "--quiet", "--unit=planted", f"--setenv=PLANTED={text}", "sleep", "60"])
    where = {place.partition(":")[0] for _, place in found(planted, places(host))}
    host.run(["systemctl", "stop", "planted.service"])
    assert {"journal", "var/log/planted", "processes"} <= where
