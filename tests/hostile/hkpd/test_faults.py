"""Faults of our own: a database that is gone, locked or newer, ends of every kind. Never a wrong "no"."""

import base64
import json
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from kit.hkpd_daemon import ALICE, GET, WATCHDOG_SECONDS, answer_of, running


@pytest.fixture
def daemon():
    with running() as one:
        assert "fingerprint" in publish(one)
        yield one


def publish(one):
    return one.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(one.made.raw).decode()})


def until(true):
    """Watchdog, not timing."""
    end = time.monotonic() + WATCHDOG_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_database_that_is_gone_is_later_and_not_a_miss(daemon):
    names = [path for path in daemon.folder.iterdir() if path.name.startswith("outrider.db")]
    for path in names:
        path.rename(path.with_name(f"away-{path.name}"))
    assert daemon.get()[0] == 503
    assert "later" in publish(daemon)
    assert daemon.health()[0] == 503
    for path in names:
        path.with_name(f"away-{path.name}").rename(path)
    assert daemon.get()[0] == 200
    assert daemon.health() == (200, "ok\n")
    assert daemon.log.read_text().count("trouble=database") == 1


def test_a_locked_database_still_answers_look_ups_and_publishing_is_later(daemon):
    with closing(sqlite3.connect(daemon.folder / "outrider.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert daemon.get()[0] == 200
        assert "later" in publish(daemon)
        other.execute("ROLLBACK")
    assert "fingerprint" in publish(daemon)


def test_a_newer_schema_is_later(daemon):
    daemon.stop()
    with closing(sqlite3.connect(daemon.folder / "outrider.db", isolation_level=None)) as other:
        other.execute("UPDATE schema SET version = 99, readable_from = 99")
    daemon.start()
    assert daemon.get()[0] == 503
    assert "newer release" in daemon.health()[1]


def test_a_term_signal_answers_what_was_asked_and_ends_well(daemon):
    with closing(daemon.connect("hkp")) as idle, closing(daemon.connect("hkp")) as busy:
        busy.sendall(GET)
        assert answer_of(busy)[0] == 200
        assert daemon.stop() == 0
        assert idle.recv(1) == busy.recv(1) == b""


@pytest.mark.parametrize("rounds", [5])
def test_killed_under_load_it_never_says_no_for_a_key_that_is_there(daemon, rounds):
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            try:
                seen.add(daemon.get()[0])
            except OSError:
                continue

    with_load = [threading.Thread(target=look) for _ in range(4)]
    for one in with_load:
        one.start()
    for _ in range(rounds):
        threading.Thread(target=publish_quietly, args=(daemon,)).start()
        until(lambda: 200 in seen)
        daemon.stop(signal.SIGKILL)
        daemon.start()
    stop.set()
    for one in with_load:
        one.join()
    assert seen <= {200, 503}
    assert 200 in seen
    assert daemon.get()[0] == 200


def publish_quietly(one):
    try:
        publish(one)
    except (OSError, json.JSONDecodeError):
        return
