"""The daemon's database gone, replaced, locked, too new; signals; what kill -9 leaves behind."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

from kit.policy_daemon import ALICE, QUESTION, WATCHDOG_SECONDS, Daemon, reply_of
from policy.protocol.delegation import encode_request
from policy.protocol.socketmap import Found, Lookup, Reply, Temporary, encode_lookup

LATER = Temporary("the directory cannot be read now")


def expect(daemon: Daemon, reply: Reply) -> None:
    """Both protocols say it, and /healthz too."""
    assert daemon.reply() == reply
    later = reply == LATER
    assert daemon.action().startswith("451 4.3.0 " if later else "DUNNO")
    assert daemon.health()[0] == (503 if later else 200)


def test_database_gone_is_later_and_its_return_needs_no_restart(daemon: Daemon) -> None:
    expect(daemon, Found("1"))
    away = daemon.database.with_suffix(".away")
    daemon.database.rename(away)
    for _ in range(3):
        expect(daemon, LATER)
    away.rename(daemon.database)
    expect(daemon, Found("1"))
    assert daemon.log.read_text().count("trouble=directory") == 1


def test_damaged_database_is_later(daemon: Daemon) -> None:
    whole = daemon.database.read_bytes()
    daemon.database.rename(daemon.database.with_suffix(".away"))
    daemon.database.write_bytes(b"not a database" * 1000)
    expect(daemon, LATER)
    daemon.database.unlink()
    daemon.database.write_bytes(whole)
    assert daemon.reply() in (Found("1"), LATER)  # the whole is in the WAL of the file that was moved away
    assert daemon.process is not None
    assert daemon.process.poll() is None


def test_answers_flow_while_another_process_holds_the_write_lock(daemon: Daemon) -> None:
    with closing(sqlite3.connect(daemon.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE directory_user SET quota = 1")
        expect(daemon, Found("1"))
        writer.execute("ROLLBACK")


def test_newer_schema_is_later_until_it_fits_again(daemon: Daemon) -> None:
    assert daemon.stop() == 0
    with closing(sqlite3.connect(daemon.database, isolation_level=None)) as writer:
        writer.execute("UPDATE schema SET version = version + 1, readable_from = version + 1")
        daemon.start()
        expect(daemon, LATER)
        assert "made by a newer release" in daemon.health()[1]
        writer.execute("UPDATE schema SET version = version - 1, readable_from = readable_from - 1")
    expect(daemon, Found("1"))


def test_term_answers_what_was_asked_and_ends_well(daemon: Daemon) -> None:
    idle = daemon.connect("policy")
    asked = daemon.connect("socketmap")
    asked.sendall(encode_lookup(Lookup("recipients", ALICE)))
    assert reply_of(asked) == Found("1")
    assert daemon.stop() == 0
    for one in (idle, asked):
        assert one.recv(100) == b""
        one.close()


def test_socket_that_kill_9_left_behind_is_replaced(daemon: Daemon) -> None:
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    assert (daemon.folder / "socketmap").is_socket()
    daemon.start()
    expect(daemon, Found("1"))


def test_configuration_that_does_not_parse_is_exit_2(daemon: Daemon) -> None:
    path = daemon.folder / "outrider.toml"
    path.write_text(path.read_text().replace("[[policy", "[policy]\ndisposable_days = 0\n[[policy", 1))
    assert daemon.stop() == 0
    result = subprocess.run(
        [sys.executable, "-m", "policy", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=WATCHDOG_SECONDS,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.strip().endswith(f"{path}: [policy] disposable_days: expected 1 to 3650, found 0")
    assert result.stderr.count("\n") == 1


def test_logs_hold_no_address(daemon: Daemon) -> None:
    with closing(daemon.connect("policy")) as one:
        one.sendall(encode_request({**QUESTION, "sender": "bob@provider.example", "instance": "1.2.3.0"}))
        assert b"550 5.7.1" in one.recv(1000)
    daemon.stop()
    log = daemon.log.read_text()
    assert "refused way=submission account=1 verdict=not-yours instance=1.2.3.0" in log
    assert "@" not in log


def test_two_hundred_idle_connections_are_served_and_closed_at_the_end(daemon: Daemon) -> None:
    idle = [daemon.connect(name) for name in ("policy", "socketmap") * 100]
    expect(daemon, Found("1"))
    assert daemon.stop() == 0
    for one in idle:
        assert one.recv(100) == b""
        one.close()
