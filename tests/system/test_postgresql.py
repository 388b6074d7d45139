"""Everything once more on PostgreSQL: the suite of the stores, a whole host, and what people see while it is away."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from demo.commands import call
from demo.names import HUB
from demo.people import make_people
from demo.places import CHECKOUT
from demo.play import Recap
from demo.provider import Demo, User
from demo.tour import walk
from kit.hosts import Host
from kit.postgresql import ACCESS, NAME, PASSWORD, USERS, Cluster

DAEMONS = {"authd": 9311, "policy": 9312, "hkpd": 9313}
TESTS_AT_LEAST = 350  # of the stores and of what stands on them
SUITE_SECONDS = 300.0  # watchdog; it takes 30
ANSWER_SECONDS = 8.0  # what Postfix and Dovecot are promised
CONVERSATION_SECONDS = 12.0  # such an answer within a mail program's whole conversation, on a busy machine
RECOVERY_SECONDS = 15.0  # watchdog: authd looks every three seconds, the others when they are asked
STATUS = """
import json, sys, urllib.error, urllib.request
def status(url):
    try:
        return urllib.request.urlopen(url, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
json.dump([status(url) for url in sys.argv[1:]], sys.stdout)
"""
LISTEN = """
import socket, sys
listening = socket.create_server((sys.argv[1], 5432))
print("silent", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def suite(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    """The tests that use a database, on the cluster; they run while the playbook does."""
    folders = [str(CHECKOUT / "tests" / name) for name in ("unit", "dialogs", "hostile/auth")]
    options = ["-q", "-k", "postgresql", "-p", "no:cacheprovider", "--rootdir", str(CHECKOUT)]
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-c", str(CHECKOUT / "pyproject.toml"), *options, *folders],
        env={**os.environ, "OUTRIDER_TEST_POSTGRESQL": cluster.url},
        cwd=tmp_path_factory.mktemp("suite-"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    yield running
    running.kill()
    running.communicate()


@dataclass(frozen=True)
class Moved:
    """A host whose playbook was run again with PostgreSQL in its variables, twice."""

    host: Host
    first: Recap
    second: Recap
    demo: Demo


@pytest.fixture(scope="module")
def moved(postgresql_host: Host, cluster: Cluster, suite: object) -> Moved:
    extra, roles = cluster.remote(HUB, NAME), f"--tags=outrider,{','.join(DAEMONS)}"  # nobody listens at the hub
    (first,) = postgresql_host.play(roles, extra=extra).hosts.values()
    (second,) = postgresql_host.play(roles, extra=extra).hosts.values()
    return Moved(postgresql_host, first, second, postgresql_host.demo(make_people(postgresql_host.provider)))


def test_the_stores_promise_the_same_on_postgresql(moved: Moved, suite: "subprocess.Popen[str]") -> None:
    said, _ = suite.communicate(timeout=SUITE_SECONDS)
    assert suite.returncode == 0, said
    passed = re.search(r"^(\d+) passed(?:, \d+ skipped)?, \d+ deselected in ", said, re.MULTILINE)
    assert passed, said
    assert int(passed[1]) >= TESTS_AT_LEAST


def test_a_second_run_of_the_playbook_changes_nothing(moved: Moved) -> None:
    assert moved.first.changed > 0
    assert (moved.second.changed, moved.second.failed) == (0, 0)


def test_the_password_is_for_root_and_systemd_alone(moved: Moved) -> None:
    file, host = "/etc/outrider/secrets/database", moved.host
    assert host.run(["stat", "-c", "%U %a", file]).stdout.split() == ["root", "400"]
    found = host.run(["grep", "-rlF", PASSWORD, "/etc", "/run/systemd", "/tmp", "/var/lib/outrider"], check=False)
    assert found.stdout.split() == [file]
    for log in (host.log(), (host.folder / "ansible" / "play.log").read_text()):
        assert PASSWORD not in log


def test_the_tour(moved: Moved) -> None:
    said: list[str] = []
    assert walk(moved.demo, said.append) == 0, "\n".join(said)


def test_the_command_line_says_why_it_cannot_connect(moved: Moved) -> None:
    """A server that nobody vouches for, no TLS, a wrong password: "later", with the reason, and no password in it."""
    wrong = {
        r"s,\?sslrootcert=[^\"]*,,": f"{NAME}: its certificate: ",
        r"s,\?sslrootcert=[^\"]*,?sslmode=disable,": "no encryption",
        r"s,credential:database,credential:auth.key,": 'password authentication failed for user "outrider"',
    }

    def told(edit: str) -> tuple[int, str]:
        ask = f"sed -E '{edit}' /etc/outrider/outrider.toml >$0; outrider --config $0 user list"
        done = moved.host.run(["sh", "-c", ask, f"/run/{abs(hash(edit))}.toml"], check=False)
        return done.returncode, done.stderr

    with ThreadPoolExecutor(len(wrong)) as pool:
        answers = list(pool.map(told, wrong))
    for (status, said), expected in zip(answers, wrong.values(), strict=True):
        assert status == 75, said
        assert said.startswith("outrider: PostgreSQL: ")
        assert said.count("\n") == 1
        assert expected in said


def test_the_access_rules_of_the_manual_are_those_that_were_tried(cluster: Cluster) -> None:
    """On one host: by peer, for the daemons' users alone, out of a unit with neither network nor other users."""
    manual = " ".join((CHECKOUT / "docs" / "operations.md").read_text().split())
    for line in (ACCESS + USERS).splitlines():
        if "tests" not in line and "postgres" not in line:
            assert " ".join(line.split()) in manual
    cluster.run("useradd", "--system", "outrider-authd")

    def asks(user: str) -> str:
        unit = [f"--property={line}" for line in (f"User={user}", "PrivateUsers=yes", "PrivateNetwork=yes")]
        psql = ["psql", "-h", "/run/postgresql", "-U", "outrider", "-AtXc", "SELECT current_user", "outrider"]
        done = cluster.root.run(["systemd-run", "--quiet", "--wait", "--pipe", *unit, *psql], check=False)
        return (done.stdout + done.stderr).strip()

    assert asks("outrider-authd") == "outrider"
    assert "Peer authentication failed" in asks("nobody")


def pids(host: Host) -> list[str]:
    units = [f"outrider-{name}.service" for name in DAEMONS]
    return host.run(["systemctl", "show", "--property=MainPID", "--value", *units]).stdout.split()


def health(host: Host) -> list[int]:
    urls = [f"http://127.0.0.1:{port}/healthz" for port in DAEMONS.values()]
    answers: list[int] = json.loads(host.run(["/usr/bin/python3", "-c", STATUS, *urls]).stdout)
    return answers


def faces(moved: Moved) -> tuple[dict[str, object], float]:
    """What everybody is told at the same time, and how long the last of them waited."""
    host, provider = moved.host, moved.host.provider
    bob: User = moved.demo.users[1]
    look_up = f"http://keys.provider.example:11371/pks/lookup?op=get&options=mr&search={moved.demo.users[0].address}"
    asked = {
        "imap": lambda: " ".join(map(str, provider.imap(bob.address, bob.password).login or ())),
        "submission": lambda: (provider.submit(bob.address, bob.password, bob.address, bob.address).login or (0,))[0],
        "mail": lambda: provider.send("friend@remote.example", bob.address).answers[1][0],
        "key": lambda: json.loads(call([*provider.client_prefix, sys.executable, "-c", STATUS, look_up]).stdout)[0],
        "command": lambda: host.run(["outrider", "user", "list"], check=False).returncode,
    }
    started = time.monotonic()
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = dict(zip(asked, pool.map(lambda ask: ask(), asked.values()), strict=True))
    return answers, time.monotonic() - started


def nobody_is_told_no(seen: dict[str, object]) -> None:
    assert "[UNAVAILABLE]" in str(seen.pop("imap"))
    assert seen == {"submission": 454, "mail": 451, "key": 503, "command": 75}


def everything_works(moved: Moved) -> None:
    seen, _ = faces(moved)
    assert str(seen.pop("imap")).startswith("OK")
    assert seen == {"submission": 235, "mail": 250, "key": 200, "command": 0}
    deadline = time.monotonic() + RECOVERY_SECONDS
    while health(moved.host) != [200] * len(DAEMONS):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_stopped_database_is_later_for_everybody_and_its_return_is_noticed(moved: Moved, cluster: Cluster) -> None:
    everything_works(moved)
    before = pids(moved.host)
    cluster.stop()
    seen, waited = faces(moved)
    nobody_is_told_no(seen)
    assert waited < CONVERSATION_SECONDS
    assert health(moved.host) == [503] * len(DAEMONS)
    cluster.start()
    everything_works(moved)
    assert pids(moved.host) == before


def test_a_frozen_database_keeps_nobody_waiting(moved: Moved, cluster: Cluster) -> None:
    before = pids(moved.host)
    with cluster.frozen():
        seen, waited = faces(moved)
    nobody_is_told_no(seen)
    assert waited < CONVERSATION_SECONDS
    everything_works(moved)
    assert pids(moved.host) == before


def test_a_first_host_that_is_silent_costs_a_second(moved: Moved) -> None:
    """As if it had frozen: the kernel accepts, nobody answers. A daemon that starts then passes it by."""
    silent = subprocess.Popen(
        [*moved.host.provider.outside_prefix, sys.executable, "-c", LISTEN, HUB],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert silent.stdout
        assert silent.stdout.readline() == "silent\n"
        moved.host.run(["systemctl", "restart", *(f"outrider-{name}.service" for name in DAEMONS)])
        _, waited = faces(moved)
        assert 1.0 < waited < ANSWER_SECONDS
        everything_works(moved)
    finally:
        silent.communicate()  # its input ends
