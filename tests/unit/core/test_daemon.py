"""Sockets, the admin listener and the frame of a daemon, over real sockets in a temporary folder."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from outrider.admin import AdminProtocol, Health
from outrider.listeners import Listener, inherited_sockets, name_of, sockets
from outrider.settings import SettingsError


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def asked(request: bytes, health: Health | None = None) -> Wire:
    wire, protocol = Wire(), AdminProtocol(health or Health())
    protocol.connection_made(wire)
    for byte in request:
        protocol.data_received(bytes([byte]))
    return wire


def test_healthz() -> None:
    health = Health()
    assert asked(b"GET /healthz HTTP/1.1\r\n\r\n", health).sent.startswith(b"HTTP/1.1 200 OK")
    health.trouble("database", "away")
    health.trouble("key", "missing")
    assert b"503" in asked(b"GET /healthz HTTP/1.1\r\n\r\n", health).sent
    assert b"database: away\nkey: missing\n" in asked(b"GET /healthz HTTP/1.1\r\n\r\n", health).sent
    health.well("database")
    health.well("key")
    assert b"200 OK" in asked(b"GET /healthz HTTP/1.1\r\n\r\n", health).sent


def test_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    for _ in range(3):
        health.trouble("database", "away")
    health.well("database")
    health.well("database")
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_metrics_and_misuse() -> None:
    assert b"python_info" in asked(b"GET /metrics HTTP/1.1\r\n\r\n").sent
    assert b"405" in asked(b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n").sent
    assert b"404" in asked(b"GET / HTTP/1.1\r\n\r\n").sent
    assert asked(b"\x16\x03\x01 hello\r\n\r\n").closed
    assert asked(b"GET /" + b"x" * 9000).closed


def test_kept_alive() -> None:
    assert asked(b"GET /healthz HTTP/1.1\r\n\r\n" * 3).sent.count(b"200 OK") == 3
    assert asked(b"GET /healthz HTTP/1.0\r\n\r\n").closed


def test_bound_here_with_its_mode(tmp_path: Path) -> None:
    me = Listener("p", str(tmp_path / "s"), mode="0640", owner="root", group="root")
    ((listener, one),) = sockets([me])
    assert listener == me
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o640
    one.close()
    ((_, again),) = sockets([me])  # the stale socket is replaced
    with pytest.raises(SettingsError, match="Address already in use"):
        sockets([me])  # a live one is not
    again.close()


def test_addresses_are_named_alike() -> None:
    for address in ("127.0.0.1:0", "[::1]:0"):
        ((_, one),) = sockets([Listener("p", address=address)])
        assert name_of(one).rpartition(":")[0] == address.rpartition(":")[0]
        one.close()


def test_inherited_by_name_not_by_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a", "b")]
    made = []
    for path in paths:
        one = socket.socket(socket.AF_UNIX)
        one.bind(path)
        one.listen()
        made.append(one)
    monkeypatch.setattr("outrider.listeners.inherited_sockets", lambda: made)
    found = sockets([Listener("p", paths[1]), Listener("p", paths[0])])
    assert [one.getsockname() for _, one in found] == [paths[1], paths[0]]
    with pytest.raises(SettingsError, match="no listener"):
        sockets([Listener("p", paths[0])])
    for one in made:
        one.close()


def test_another_process_environment_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "3")
    assert inherited_sockets() == []
    assert "LISTEN_FDS" not in os.environ


DAEMON = """
import sys
from outrider.daemon import Service, run
from outrider.listeners import Listener
async def wire(configuration, health):
    return Service([Listener("admin", sys.argv[1])], {})
sys.exit(run("sample", wire, ["--config", sys.argv[2]]))
"""


def started(tmp_path: Path, content: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    (tmp_path / "outrider.toml").write_text(content)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(20)  # a watchdog, not a measure
    program = [sys.executable, "-c", DAEMON, str(tmp_path / "s"), str(tmp_path / "outrider.toml")]
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    return subprocess.Popen(program, env=environment, stderr=subprocess.PIPE), notify


def test_a_daemon_from_start_to_end(tmp_path: Path) -> None:
    process, notify = started(tmp_path, "")
    assert notify.recv(100) == b"READY=1"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
        client.send(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    process.send_signal(signal.SIGTERM)
    assert notify.recv(100) == b"STOPPING=1"
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    notify.close()


def test_a_configuration_that_does_not_parse(tmp_path: Path) -> None:
    process, notify = started(tmp_path, "x = [")
    assert process.wait(20) == 2
    assert process.stderr is not None
    assert b"outrider.toml" in process.stderr.read()
    process.stderr.close()
    notify.close()
