"""What breaks, and who notices: "later" for everybody, never yes, never no; and all is well again without a restart.

One host for this module, which each test leaves healed.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.places import Release
from demo.provider import letter
from kit.hosts import Host
from kit.leaks import found, places
from kit.plugin import layer
from kit.programs import Told, delivery, login, submission
from kit.trouble import (
    ANSWERED_BY_POLICY,
    DAEMONS,
    LATER,
    NO_LOGINS,
    Cast,
    fetch,
    healed,
    health,
    look,
    make_cast,
    new_sender,
    pids,
    running,
    smtp_word,
    until,
    word,
)

DATABASE = "/var/lib/outrider/outrider.db"
OWN_DOVECOT = "/etc/dovecot/local.conf"
KEY = "/etc/outrider/secrets/auth.key"
HUNG_UP = re.compile(r"trouble: SMTPServerDisconnected: .*")
WELL_HEALTH = dict.fromkeys(DAEMONS, (200, "ok"))
COPIES = ("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")


@pytest.fixture(scope="module")
def fresh_host(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host(release, tmp_path_factory.mktemp(f"faults{release}-"), layer("fresh_host", release))
    # Dovecot answers a failed login after two seconds, which would be half the time of these tests.
    made.run(["sh", "-c", f"echo 'auth_failure_delay = 0' >{OWN_DOVECOT}; systemctl reload dovecot.service"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def cast(fresh_host: Host) -> Cast:
    return make_cast(fresh_host)


def queue(host: Host) -> list[str]:
    """Lines of Postfix's queue, one per mail."""
    return host.run(["postqueue", "-j"]).stdout.splitlines()


def drained(host: Host, cast: Cast) -> None:
    """Everything in the queue is tried now, until nothing is left.

    Postfix keeps its last answer about an address for 30 s, also that nobody could tell (resolve_clnt.c), one answer a
    process. So another mail goes through the queue first.
    """

    def empty() -> bool:
        host.run(["sendmail", "-f", "root@mail.provider.example", cast.coded.address], input="Subject: nudge\n\n")
        host.run(["postqueue", "-f"])
        return not queue(host)

    until(empty)


def stored(host: Host, cast: Cast) -> list[str]:
    """Subjects in plain's mailbox, each as often as it is there."""
    call = login("imap", cast.plain.address, cast.plain.password, ("select", "INBOX"), COPIES)
    (seen,) = host.talk_all([call])
    return re.findall(r"Subject: ([^\r\n]+)", seen.answers[1][1])


def deliver(host: Host, to: str, *names: str) -> list[Told]:
    """Mails from outside with these subjects."""
    jobs = [
        delivery(sender, to, letter(sender, "list@remote.example", name)) for name in names for sender in [new_sender()]
    ]
    return host.talk_all(jobs, outside=True)


def test_without_its_database_everybody_hears_later(fresh_host: Host, cast: Cast) -> None:
    """A mail that is in the queue already stays there."""
    before = pids(fresh_host)
    fresh_host.run(["mv", DATABASE, f"{DATABASE}.away"])
    fresh_host.run(["sendmail", "-f", "root@mail.provider.example", cast.alias], input="Subject: waiting\n\nHello\n")
    assert look(fresh_host, cast) == LATER
    until(lambda: all(code == 503 for code, _ in health(fresh_host).values()))
    assert all(text.count("\n") == 0 and "No such file" in text for _, text in health(fresh_host).values())
    fresh_host.run(["postqueue", "-f"])
    until(lambda: "resolver failure" in "".join(queue(fresh_host)))

    fresh_host.run(["mv", f"{DATABASE}.away", DATABASE])
    assert healed(fresh_host, cast)
    until(lambda: health(fresh_host) == WELL_HEALTH)
    drained(fresh_host, cast)
    assert "waiting" in stored(fresh_host, cast)
    assert pids(fresh_host) == before


LOCK = """
import sqlite3, sys
database = sqlite3.connect("/var/lib/outrider/outrider.db", isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_while_another_process_writes_a_code_is_neither_right_nor_wrong_nor_used(fresh_host: Host, cast: Cast) -> None:
    """What only reads goes on."""
    field = cast.coded.password + cast.codes.fresh()
    jobs = [login(door, cast.coded.address, field) for door in ("imap", "submission")]
    with running(fresh_host, LOCK):
        assert [word(one) for one in fresh_host.talk_all(jobs)] == ["later", "later"]
        assert healed(fresh_host, cast)
    assert sorted(word(one) for one in fresh_host.talk_all(jobs)) == ["no", "yes"]


def test_a_newer_schema_is_not_worked_on(fresh_host: Host, cast: Cast) -> None:
    """After an operator's return to an older release: the daemons start, and know why they cannot work."""
    ((version, readable),) = fresh_host.sql("SELECT version, readable_from FROM schema")
    fresh_host.sql("UPDATE schema SET version = 9999, readable_from = 9999")
    fresh_host.run(["systemctl", "restart", *(f"outrider-{name}.service" for name in DAEMONS)])
    before = pids(fresh_host)
    assert look(fresh_host, cast) == LATER
    until(lambda: all(code == 503 and "schema" in text for code, text in health(fresh_host).values()))
    fresh_host.sql("UPDATE schema SET version = ?, readable_from = ?", version, readable)
    assert healed(fresh_host, cast)
    assert pids(fresh_host) == before
    check = fresh_host.run(["systemctl", "--failed", "--no-legend"]).stdout
    assert check == ""


def test_a_key_that_others_can_read_is_not_used(fresh_host: Host, cast: Cast) -> None:
    fresh_host.run(["sh", "-c", f"chmod 755 {KEY.rpartition('/')[0]}; chmod 644 {KEY}"])
    fresh_host.restart("outrider-authd.service")
    assert look(fresh_host, cast) == NO_LOGINS
    assert health(fresh_host)["authd"] == (503, f"key: {KEY} can be read by group or others; make its mode 0400")
    fresh_host.run(["sh", "-c", f"chmod 400 {KEY}; chmod 711 {KEY.rpartition('/')[0]}"])
    until(lambda: health(fresh_host) == WELL_HEALTH)
    assert healed(fresh_host, cast)


STALE = """
import os, socket, sys
for path in sys.argv[1:]:
    os.path.exists(path) and os.unlink(path)
    socket.socket(socket.AF_UNIX).bind(path)
"""


def test_dovecot_restarts_while_authd_is_down_and_stale_sockets_lie_about(fresh_host: Host, cast: Cast) -> None:
    units = ["outrider-authd.service", "outrider-authd-*.socket"]
    names = [f"outrider-authd-{name}.socket" for name in ("postfix", "login", "master", "control", "admin")]
    fresh_host.run(["systemctl", "stop", *units])
    paths = ["/run/outrider/auth-login", "/run/outrider/auth-master", "/var/spool/postfix/outrider/auth"]
    fresh_host.run(["/usr/bin/python3", "-c", STALE, *paths])
    fresh_host.restart("dovecot.service")
    # An smtpd that is started while nobody listens says 421 or nothing, and ends: later, too.
    sight = {name: HUNG_UP.sub("later", seen) for name, seen in look(fresh_host, cast).items()}
    assert sight == NO_LOGINS
    deliver(fresh_host, cast.alias, "while authd was away")
    assert fresh_host.run(["doveadm", "user", cast.plain.address], check=False).returncode == 75
    fresh_host.run(["systemctl", "start", *names, "outrider-authd.service"])
    assert healed(fresh_host, cast)
    drained(fresh_host, cast)
    assert stored(fresh_host, cast).count("while authd was away") == 1


def test_policy_stopped_with_mail_in_the_queue_loses_nothing(fresh_host: Host, cast: Cast) -> None:
    """Mail waits for Dovecot, then for policy; an attempt in between stands for any number of them."""
    outside_before = len(list(fresh_host.provider.sink.glob("*.json")))
    fresh_host.run(["systemctl", "stop", "dovecot.service"])
    names = [f"queued {number}" for number in range(6)]
    assert [one.codes for one in deliver(fresh_host, cast.alias, *names)] == [[250] * 3] * 6
    until(lambda: len(queue(fresh_host)) == 6)
    fresh_host.run(["systemctl", "stop", "outrider-policy.service", "outrider-policy-*.socket"])
    fresh_host.run(["systemctl", "start", "dovecot.service"])
    fresh_host.run(["postqueue", "-f"])  # a process that knows the domain's transport still delivers; the others wait
    sight = look(fresh_host, cast, ("imap",))
    assert {sight[name] for name in ANSWERED_BY_POLICY} == {"later"}, sight
    assert queue(fresh_host)
    fresh_host.run(["sh", "-c", "systemctl start $(cd /etc/systemd/system; ls outrider-policy*)"])
    drained(fresh_host, cast)
    assert sorted(name for name in stored(fresh_host, cast) if name.startswith("queued")) == names
    assert len(list(fresh_host.provider.sink.glob("*.json"))) == outside_before  # nothing bounced


def test_killed_daemons_give_no_wrong_answer(fresh_host: Host, cast: Cast) -> None:
    """Each in turn, again and again, as long as mail is sent and people log in."""
    plain, coded = cast.plain, cast.coded
    inbound = [(cast.alias, plain.address)[number % 2] for number in range(40)]
    mails = [
        delivery(sender, to, letter(sender, to, f"in {number}"))
        for number, to in enumerate(inbound)
        for sender in [new_sender()]
    ]
    sent = [
        submission(
            coded.address, cast.app_password, coded.address, cast.alias, letter(coded.address, "x@y", f"out {number}")
        )
        for number in range(12)
    ]
    good = [login(door, plain.address, plain.password) for door in ("imap", "submission", "pop3") for _ in range(5)]
    bad = [login(door, plain.address, cast.wrong) for door in ("imap", "submission") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        load = [
            pool.submit(fresh_host.talk_all, mails, parallel=2, outside=True),
            pool.submit(fresh_host.talk_all, sent, parallel=2),
            pool.submit(fresh_host.talk_all, [*good, *bad], parallel=4),
        ]
        keys = pool.submit(fetch, fresh_host, *[cast.key_url] * 30)
        killed = kill_in_turn(fresh_host, lambda: all(one.done() for one in [*load, keys]))
    assert killed >= len(DAEMONS)
    received, submitted, logins = (one.result() for one in load)
    assert {word(one) for one in logins[: len(good)]} <= {"yes", "later"}
    assert {word(one) for one in logins[len(good) :]} <= {"no", "later"}
    assert {word(one) for one in submitted} <= {"yes", "later"}
    accepted = [f"in {number}" for number, one in enumerate(received) if kept(one)]
    accepted += [f"out {number}" for number, one in enumerate(submitted) if one.logged_in and kept(one)]
    assert {status for status, _ in keys.result()} <= {200, 0}
    drained(fresh_host, cast)
    names = [name for name in stored(fresh_host, cast) if name.startswith(("in ", "out "))]
    assert sorted(names) == sorted(accepted)
    assert healed(fresh_host, cast)


def kill_in_turn(host: Host, over: Callable[[], bool]) -> int:
    """Kill the daemons one after the other until it is over; how many."""
    for number, name in enumerate(itertools.cycle(DAEMONS)):
        if over():
            return number
        before = pids(host)[name]
        host.run(["systemctl", "kill", "--signal=KILL", f"outrider-{name}.service"])
        until(lambda name=name, before=before: pids(host)[name] not in {"0", before})
    raise AssertionError


def kept(told: Told) -> bool:
    """Whether the mail was taken; not taken it must be "later"."""
    assert smtp_word(told) in {"yes", "later"}, told.answers
    assert told.answers[0][0] == 250
    return told.codes == [250] * 3


def test_the_owner_table_alone_refuses_what_policy_explains(fresh_host: Host, cast: Cast) -> None:
    """Without the policy service the text is Postfix's; the answer is the same."""
    rule = fresh_host.run(["postconf", "-h", "mua_sender_restrictions"]).stdout.strip()
    fresh_host.run(["postconf", "mua_sender_restrictions=reject_sender_login_mismatch"])
    fresh_host.run(["postfix", "reload"])
    senders = [cast.alias, cast.coded.address, "ceo@remote.example", cast.plain.address]
    user, to = cast.plain, cast.coded.address
    seen = fresh_host.talk_all([submission(user.address, user.password, one, to) for one in senders])
    assert [one.answers[1][0] for one in seen] == [553, 553, 553, 250]
    assert all("5.7.1" in one.answers[1][1] for one in seen[:3])
    fresh_host.run(["postconf", f"mua_sender_restrictions={rule}"])
    fresh_host.run(["postfix", "reload"])


def test_trouble_tells_no_secret(fresh_host: Host) -> None:
    assert found(fresh_host.secrets, places(fresh_host)) == []
