"""Namespaces that need no name in /run/netns and no clean-up: they are held by a process that ends with its maker.

The holder is `unshare … cat`: cat is process 1 of a PID namespace and waits for the end of its standard input, a pipe
that only the maker holds. When the maker closes it, or dies in whatever way, cat ends, the kernel kills everything
else in that PID namespace, and the network and mount namespaces vanish with it.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from demo.commands import CommandFailed, call

START_SECONDS = 10.0  # unshare needs 5 ms; this is only the watchdog


class Namespace:
    """A network, mount and PID namespace."""

    def __init__(self, name: str) -> None:
        flags = ["--net", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child"]
        self.name = name
        self.holder = subprocess.Popen(
            ["unshare", *flags, "--", "cat", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.pid = self.wait_for_cat()
        call([*self.enter(), "ip", "link", "set", "lo", "up"])

    def wait_for_cat(self) -> int:
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        deadline = time.monotonic() + START_SECONDS
        while self.holder.poll() is None and time.monotonic() < deadline:
            for child in children.read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "cat":
                    return int(child)
            time.sleep(0.002)
        self.holder.kill()
        raise CommandFailed(f"namespace {self.name}: unshare did not start")

    @property
    def net(self) -> Path:
        """The network namespace as a file, for nsenter --net, systemd-nspawn and ip."""
        return Path(f"/proc/{self.pid}/ns/net")

    def enter(self, *, tied: bool = False) -> list[str]:
        """Command prefix that runs inside network and mounts; `tied` processes also die with the namespace."""
        prefix = ["nsenter", f"--target={self.pid}", "--net", "--mount"]
        return [*prefix, "--pid", "--"] if tied else [*prefix, "--"]

    def close(self) -> None:
        """End the holder and all that is tied to it."""
        assert self.holder.stdin
        self.holder.stdin.close()
        self.holder.wait()
