"""Shadow mode beside a passdb that serves today, as docs/authd.md says it, on both releases of Dovecot."""

import re
import time
from pathlib import Path

from demo.provider import User
from kit.hosts import Host
from kit.programs import Told, login

CHECKOUT = Path(__file__).resolve().parent.parent.parent
GENERATION = {"12": "2.3", "13": "2.4"}
# What serves today: whoever knows this password is who he says.
TODAY = {
    "12": "  driver = static\n  args = password=today",
    "13": "  driver = static\n  passdb_static_password = today",
}
WATCHDOG = 30.0  # seconds


def documented(release: str) -> str:
    """The page's blocks for this release, with a real passdb in the place of the reader's own."""
    page = (CHECKOUT / "docs" / "authd.md").read_text()
    found = re.search(rf"Dovecot {re.escape(GENERATION[release])}:\n\n```\n(.*?)```", page, re.DOTALL)
    assert found is not None
    text, mine = found[1], "  driver = ..."
    assert mine in text
    return text.replace(mine, TODAY[release])


def put(host: Host, path: str, text: str) -> None:
    host.run(["sh", "-c", f"cat >{path}"], input=text)


def into_shadow(host: Host) -> None:
    """Our own passdb block gives way to the documented ones; authd looks on."""
    text = host.read("/etc/dovecot/dovecot.conf").decode()
    whole, count = re.subn(r"(?m)^passdb (lua )?\{\n(?:.*\n)*?\}\n", documented(host.release), text, count=1)
    assert count == 1
    put(host, "/etc/dovecot/dovecot.conf", whole)
    put(host, "/etc/dovecot/local.conf", "auth_failure_delay = 0\n")
    for name in ("yes", "no"):
        file = f"outrider-shadow-{name}.lua"
        put(host, f"/etc/dovecot/{file}", (CHECKOUT / "dovecot-conf" / file).read_text())
    host.run(["sed", "-i", r"s/^\[authd\]$/[authd]\nmode = \"shadow\"/", "/etc/outrider/outrider.toml"])
    host.run(["doveconf", "-n"])  # says what is wrong with it
    host.run(["systemctl", "restart", "outrider-authd.service", "dovecot.service"])


def shadows(host: Host, count: int) -> list[str]:
    """So many lines of authd's about what it has looked on, without the address."""
    end = time.monotonic() + WATCHDOG
    while True:
        said = re.findall(r"shadow=(\S+) service=imap rip=\S+ account=\S+ (why=.*)", host.log("outrider-authd.service"))
        if len(said) >= count or time.monotonic() > end:
            return [" ".join(one) for one in said]
        time.sleep(0.2)


def test_what_serves_today_decides_and_authd_says_where_it_would_not_agree(fresh_host: Host) -> None:
    user = fresh_host.user()
    into_shadow(fresh_host)

    def told(secret: str, who: User = user) -> Told:
        (one,) = fresh_host.talk_all([login("imap", who.address, secret)])
        return one

    assert told("today").logged_in, fresh_host.log("dovecot.service")
    assert shadows(fresh_host, 1) == ["would-refuse why='nothing-right'"]
    assert not told(user.password).logged_in
    assert shadows(fresh_host, 2)[1:] == ["would-let-in why='password'"]
    assert not told("neither").logged_in
    fresh_host.run(["sh", "-c", "chmod 444 /etc/outrider/secrets/auth.key; systemctl restart outrider-authd.service"])
    assert told("today").logged_in
    assert shadows(fresh_host, 3)[2:] == ["cannot-say why='key'"]
    metrics = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9311/metrics', timeout=5).read().decode())"
    assert (
        'authd_shadow_total{outcome="cannot-say",service="imap"}' in fresh_host.run(["python3", "-c", metrics]).stdout
    )
    fresh_host.run(["systemctl", "stop", "outrider-authd.service", "outrider-authd-login.socket"])
    assert told("today").logged_in  # who looks on may go away
