"""The layers above `bare`: `servers` (the playbook's packages installed, as Debian leaves them) and `converged`."""

from __future__ import annotations

from pathlib import Path

from demo.bare import Say, bare, playbook_packages
from demo.layers import Layer, ensure
from demo.names import HOSTNAME
from demo.namespaces import Namespace
from demo.places import Release
from demo.probe import choose_engine
from demo.root import Root

RECIPE = "1"


def servers(release: Release, say: Say) -> Layer:
    """bare + Postfix, Dovecot and the playbook's other packages installed by a running systemd."""
    ground = bare(release, say)
    packages = playbook_packages(release)

    def build(tree: Path) -> None:
        space = Namespace("servers")
        root = Root(
            tree.parent / "root",
            ground,
            name=f"servers{release}",
            hostname=HOSTNAME,
            engine=choose_engine(say),
            netns=space.net,
        )
        try:
            root.up()
            install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends"]
            root.run([*install, "install", *packages])
            root.freeze(tree)
        finally:
            root.discard()
            space.close()

    return ensure("servers", release, [RECIPE, *packages], ground, build, say)
