"""The frame that runs a daemon: settings, sockets, signals, systemd.

A daemon's main.py gives `run` a function that wires its objects and returns a `Service`; nothing in it may wait for
the database or a key: a daemon that cannot work runs, says so once, and answers "later". Only a configuration that does
not parse ends it, with exit status 2 (systemd keeps the sockets open meanwhile).

First SIGTERM or SIGINT: stop accepting, `drain`, end. Second: end at once.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from outrider import logs
from outrider.admin import AdminProtocol, Health
from outrider.listeners import BACKLOG, Listener, sockets
from outrider.settings import Configuration, SettingsError, read_configuration

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 9.0  # a daemon answers every request within 8 s; then whoever still waits is cut off

KEEP_THE_FILE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""A socket's file belongs to systemd; from Python 3.13 on the loop would remove it when the server closes."""

Factory = Callable[[Listener], asyncio.BaseProtocol]


async def nothing() -> None:
    """A service that has nothing to finish."""


@dataclass(frozen=True)
class Service:
    """A wired daemon."""

    listeners: Sequence[Listener]
    protocols: dict[str, Factory]  # Listener.protocol -> what serves a connection
    drain: Callable[[], Awaitable[None]] = nothing
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = field(default=())  # run beside the listeners


Wire = Callable[[Configuration, Health], Awaitable[Service]]


def run(name: str, wire: Wire, arguments: Sequence[str] | None = None) -> int:
    """Run the daemon until a signal ends it; the exit status."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--config", type=Path, help="the configuration file (default: OUTRIDER_CONFIG, then /etc)")
    options = parser.parse_args(arguments)
    logs.setup()
    os.environ.pop("RUST_BACKTRACE", None)  # a library's backtrace would print what it was parsing
    os.umask(0o007)  # database files belong to the group of the daemons
    try:
        return uvloop.run(serve(options.config, wire))
    except SettingsError as error:
        logger.critical("%s", error)
        return 2


async def serve(path: Path | None, wire: Wire) -> int:
    """Wire, listen, wait for a signal, drain."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_exception)
    health = Health()
    service = await wire(read_configuration(path), health)
    factories: dict[str, Factory] = {"admin": lambda _: AdminProtocol(health), **service.protocols}
    servers = [await listen(factories, listener, one) for listener, one in sockets(service.listeners)]
    tasks = [asyncio.create_task(guarded(make)) for make in service.tasks]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop, stop)
    tell_systemd("READY=1")
    await stop.wait()
    tell_systemd("STOPPING=1")
    for server in servers:
        server.close()
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await service.drain()
    except TimeoutError:
        logger.warning("drain=unfinished")
    for task in tasks:
        task.cancel()
    return 0


async def listen(factories: dict[str, Factory], listener: Listener, one: socket.socket) -> asyncio.Server:
    factory = factories.get(listener.protocol)
    if factory is None:
        raise SettingsError(f"{listener.name}: unknown protocol {listener.protocol!r}; known are {sorted(factories)}")
    loop = asyncio.get_running_loop()
    if one.family == socket.AF_UNIX:
        return await loop.create_unix_server(lambda: factory(listener), sock=one, backlog=BACKLOG, **KEEP_THE_FILE)
    return await loop.create_server(lambda: factory(listener), sock=one, backlog=BACKLOG)


async def guarded(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A background task that fails is started again after a while, and said."""
    while True:
        try:
            await make()
            return
        except Exception:
            logger.error("task=%s failed", make.__name__, exc_info=True)
        await asyncio.sleep(RESTART_SECONDS)


RESTART_SECONDS = 10.0  # not a hot loop


def asked_to_stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(1)
    stop.set()


def log_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's own handler would print the exception's text and the task's arguments."""
    error = context.get("exception")
    info = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
    logger.error("unhandled", exc_info=info)


def tell_systemd(state: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        try:
            one.connect("\0" + address[1:] if address.startswith("@") else address)
            one.send(state.encode())
        except OSError as error:
            print(f"cannot notify systemd: {error.strerror}", file=sys.stderr)
