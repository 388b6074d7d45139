"""Joins loopback ports of the machine to the host's: `python -m demo.forward NETNS ADDRESS NAME=PORT…`.

It listens on 127.0.0.1 of the machine (ports chosen by the kernel), prints {"NAME": port} as one line, then moves
itself into the network namespace NETNS: a socket stays in the namespace it was made in, so what it accepted comes from
the machine and what it opens goes to the host. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import socket
import sys

CLONE_NEWNET = 0x40000000  # linux/sched.h
CHUNK = 65536
CONNECT_SECONDS = 10.0


def enter(netns: str) -> None:
    """setns(2); os.setns exists only from Python 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(netns, "rb") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)


async def pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until the end of `source`, then close that direction only: many clients half-close."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(CHUNK):
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int) -> None:
    with contextlib.closing(writer):
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                host_reader, host_writer = await asyncio.open_connection(address, port)
        except OSError:
            return
        with contextlib.closing(host_writer):
            await asyncio.gather(pour(reader, host_writer), pour(host_reader, writer))


async def serve(netns: str, address: str, ports: dict[str, int]) -> None:
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in ports}
    print(json.dumps({name: listener.getsockname()[1] for name, listener in listeners.items()}), flush=True)
    enter(netns)
    for name, listener in listeners.items():

        def accept(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = ports[name]
        ) -> asyncio.Task[None]:
            return asyncio.create_task(join(reader, writer, address, port))

        await asyncio.start_server(accept, sock=listener)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, ended.set)  # nobody writes there: readable means closed
    await ended.wait()


if __name__ == "__main__":
    pairs = (word.split("=") for word in sys.argv[3:])
    asyncio.run(serve(sys.argv[1], sys.argv[2], {name: int(port) for name, port in pairs}))
