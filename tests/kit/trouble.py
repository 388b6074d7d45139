"""What everybody around a host sees of its state, in three words: yes, later, no.

    sight = look(host, cast)            {"imap": "yes", "port 25": "later", …}
    until(lambda: …)                    polls; fails after a watchdog's time

Every look uses a sender of its own: Postfix's smtpd remembers what it heard about a recipient as long as the sender
stays the same (smtpd_resolve.c), also that nobody could tell.
"""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from demo.keyring import publish_new_key
from demo.people import Codes
from demo.provider import User
from kit.hosts import Host
from kit.programs import ENTRANCES, YES, Entrance, Job, Told, login, outside

WATCHDOG_SECONDS = 40.0
DAEMONS = {"authd": 9311, "policy": 9312, "hkpd": 9313}
LATER_WORDS = ("[UNAVAILABLE]", "[SYS/TEMP]", "(TRYLATER)")

FETCH = """
import json, sys, urllib.error, urllib.request
def status(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        with error:
            return [error.code, error.read().decode()]
    except OSError as error:
        return [0, str(error)]
json.dump([status(url) for url in sys.argv[1:]], sys.stdout)
"""


@dataclass(frozen=True)
class Cast:
    """plain has a password, an alias and a published key; coded has level 4.

    There is one wrong password: the same again is no further guess, so authd does not hold up who looks often.
    """

    plain: User
    coded: User
    codes: Codes
    alias: str
    fingerprint: str
    wrong: str

    @property
    def key_url(self) -> str:
        return f"http://keys.provider.example:11371/pks/lookup?op=get&options=mr&search=0x{self.fingerprint}"

    @property
    def app_password(self) -> str:
        assert self.coded.app_password
        return self.coded.app_password


def make_cast(host: Host) -> Cast:
    plain, (coded, codes) = host.user(), host.protected_user()
    alias = host.provider.outrider("alias", "new", plain.address)["address"]
    fingerprint = publish_new_key(host.provider, plain)
    return Cast(plain, coded, codes, alias, fingerprint, wrong=secrets.token_urlsafe(12))


def new_sender() -> str:
    return f"{secrets.token_hex(6)}@remote.example"


def word(told: Told) -> str:
    """What a login came to."""
    if told.trouble or told.login is None:
        return f"trouble: {told.trouble}"
    status, text = told.login
    if status in YES:
        return "yes"
    return "later" if status == 454 or any(one in text for one in LATER_WORDS) else "no"


def smtp_word(told: Told) -> str:
    """What a recipient was answered."""
    if told.trouble:
        return f"trouble: {told.trouble}"
    return {2: "yes", 4: "later", 5: "no"}[int(told.answers[1][0]) // 100]


def look(host: Host, cast: Cast, entrances: Iterable[Entrance] = tuple(ENTRANCES)) -> dict[str, str]:
    """Logins at these entrances, recipients on port 25, a key."""
    jobs: dict[str, Job] = {door: login(door, cast.plain.address, cast.plain.password) for door in entrances}
    jobs["app password"] = login("submission", cast.coded.address, cast.app_password)
    jobs["wrong password"] = login("imap", cast.plain.address, cast.wrong)
    recipients = {"port 25": cast.plain.address, "alias": cast.alias, "unknown": f"{new_sender()[:9]}@provider.example"}
    asked = [outside(["mail", new_sender()], ["rcpt", to]) for to in recipients.values()]
    with ThreadPoolExecutor(3) as pool:
        logins = pool.submit(host.talk_all, list(jobs.values()))
        port25 = pool.submit(host.talk_all, asked, outside=True)
        key = pool.submit(fetch, host, cast.key_url)
    sight = dict(zip(jobs, map(word, logins.result()), strict=True))
    sight |= dict(zip(recipients, map(smtp_word, port25.result()), strict=True))
    status = key.result()[0][0]
    return {**sight, "key": {200: "yes", 503: "later"}.get(status, str(status))}


WELL = {**dict.fromkeys([*ENTRANCES, "app password", "port 25", "alias", "key"], "yes")}
WELL |= {"wrong password": "no", "unknown": "no"}
LATER = dict.fromkeys(WELL, "later")
ANSWERED_BY_POLICY = ("port 25", "alias", "unknown")
NO_LOGINS = LATER | {name: WELL[name] for name in (*ANSWERED_BY_POLICY, "key")}


def healed(host: Host, cast: Cast) -> bool:
    """All is well again; one login at each server tells it."""
    return look(host, cast, ("imap", "smtps")).items() <= WELL.items()


def fetch(host: Host, *urls: str) -> list[tuple[int, str]]:
    """(status, text) of each in the client's network; 0 if there was no answer."""
    return [(code, text) for code, text in json.loads(host.client([sys.executable, "-c", FETCH, *urls]).stdout)]


def health(host: Host) -> dict[str, tuple[int, str]]:
    """/healthz of each daemon."""
    urls = [f"http://127.0.0.1:{port}/healthz" for port in DAEMONS.values()]
    told = json.loads(host.run(["/usr/bin/python3", "-c", FETCH, *urls]).stdout)
    return {name: (code, text.strip()) for name, (code, text) in zip(DAEMONS, told, strict=True)}


def pids(host: Host) -> dict[str, str]:
    """The main process of each daemon; "0" for none."""
    units = [f"outrider-{name}.service" for name in DAEMONS]
    shown = host.run(["systemctl", "show", "--property=MainPID", "--value", *units]).stdout.split()
    return dict(zip(DAEMONS, shown, strict=True))


def until(ready: Callable[[], bool], seconds: float = WATCHDOG_SECONDS) -> None:
    """Ask again and again; AssertionError if it never becomes true."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@contextmanager
def running(host: Host, script: str, *words: str, user: str = "root") -> Iterator[None]:
    """A Python script inside that prints a line when it is ready and ends when its input does."""
    command = [host.world.root.run_script, "runuser", "-u", user, "--", "/usr/bin/python3", "-c", script, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as inside:
        assert inside.stdin
        assert inside.stdout
        assert inside.stdout.readline(), "the script inside ended at once"
        yield
        inside.stdin.close()
        assert inside.wait(WATCHDOG_SECONDS) == 0
