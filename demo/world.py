"""One host and the world around it: bridge, name server, client, and the root that is the provider's machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from demo.bare import Say, packages_layer
from demo.bridge import Bridge
from demo.commands import call
from demo.layers import Layer
from demo.names import HOST, HOSTNAME
from demo.probe import choose_engine
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
        netns = self.bridge.host(HOST).net
        self.root = Root(folder / "host", layer, name="host", hostname=HOSTNAME, engine=choose_engine(say), netns=netns)
        self.journal: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        self.root.up()
        # a host without internet must not find its package lists too old
        call([self.root.run_script, "touch", "/var/lib/apt/lists"])

    @property
    def run(self) -> list[str]:
        """Command prefix: inside the host."""
        return [str(self.root.run_script)]

    @property
    def client(self) -> list[str]:
        """Command prefix: this machine's programs in the client's network."""
        return [str(self.bridge.client_script)]

    def close(self) -> None:
        self.root.down()
        self.bridge.close()
