"""One host and the world around it: bridge, name server, client, outside mail server, and the provider's own root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from demo.bare import Say, packages_layer
from demo.bridge import Bridge
from demo.commands import CommandFailed, call
from demo.layers import Layer
from demo.names import HOST, HOSTNAME, SINK, six
from demo.places import CHECKOUT
from demo.probe import choose_engine
from demo.provider import Provider
from demo.root import Root


def outside(say: Say) -> Layer:
    """The layer with the servers of the outside world."""
    return packages_layer("12", "world", ["knot"], say)


class World:
    """A booted host on a bridge of its own. `close` ends everything; so does the end of this process."""

    def __init__(self, folder: Path, layer: Layer, say: Say, *, authority: Path | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.bridge = Bridge(folder / "net", outside(say), authority=authority)
        self.sink = self.start_sink(folder / "sink")
        self.netns = self.bridge.host(HOST).net
        self.root = Root(
            folder / "host", layer, name="host", hostname=HOSTNAME, engine=choose_engine(say), netns=self.netns
        )

    def start_sink(self, folder: Path) -> subprocess.Popen[str]:
        """The outside mail server, in the hub."""
        sink = [sys.executable, "-m", "demo.sink", str(folder), SINK, six(SINK)]
        with (self.folder / "net" / "sink.log").open("ab") as log:
            return subprocess.Popen(
                [*self.bridge.hub.enter(tied=True), "env", f"--chdir={CHECKOUT}", *sink],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip

    def up(self) -> None:
        self.root.up()
        # a host without internet must not find its package lists too old
        call([self.root.run_script, "touch", "/var/lib/apt/lists"])
        assert self.sink.stdout
        if not self.sink.stdout.readline():
            raise CommandFailed(f"the outside mail server ended:\n{(self.folder / 'net/sink.log').read_text()}")

    @property
    def provider(self) -> Provider:
        """The host as its people reach it."""
        prefixes = (self.root.run_script, self.bridge.client_script, self.bridge.outside_script)
        run, client, outside_world = ([str(path)] for path in prefixes)
        return Provider(run, client, outside_world, self.folder / "sink")

    def close(self) -> None:
        self.root.down()
        self.bridge.close()
        self.sink.communicate()
