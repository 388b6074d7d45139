"""The layers above `bare`, each made by a running root that is then powered off and frozen.

servers     the playbook's packages installed by apt and started, as Debian leaves them
converged   the playbook run to its end on `servers`
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from demo.authority import authority
from demo.bare import Say, bare, playbook_packages
from demo.layers import Layer, ensure
from demo.names import HOSTNAME
from demo.namespaces import Namespace
from demo.places import CHECKOUT, Release
from demo.play import play, variables
from demo.probe import choose_engine
from demo.root import Root
from demo.wheels import tree_key
from demo.world import World

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


SOURCES = ("ansible", "dovecot-conf", "postfix-conf", "sieve")  # what the playbook reads beside variables and wheels


def converged(release: Release, say: Say) -> Layer:
    """servers + the playbook: the host that the demo shows and the tests start from."""
    ground = servers(release, say)
    extra = variables(release, say)
    certificate = authority().certificate.read_text()

    def build(tree: Path) -> None:
        world = World(tree.parent / "world", ground, say, authority=authority().ca)
        try:
            world.up()
            play(tree.parent / "ansible", {f"host{release}": world.root.run_script}, extra, say)
            world.root.freeze(tree)
        finally:
            world.close()
            shutil.rmtree(world.folder)

    sources = tree_key([CHECKOUT / name for name in SOURCES])
    parts = [RECIPE, sources, json.dumps(extra, sort_keys=True), certificate]
    return ensure("converged", release, parts, ground, build, say)
