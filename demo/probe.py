"""Which engine works on this machine: found by booting a root once per boot of the machine, then remembered."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from demo.bare import Say, base
from demo.commands import CommandFailed
from demo.engine import ENGINES, installed
from demo.layers import exclusively
from demo.namespaces import Namespace
from demo.places import cache
from demo.root import Root

PROBE_SECONDS = 15.0  # a boot takes 1; an engine that needs this long is not worth having


def choose_engine(say: Say) -> str:
    """'nspawn' or 'unshare'; OUTRIDER_ENGINE names one without a probe. CommandFailed if neither boots."""
    if named := os.environ.get("OUTRIDER_ENGINE"):
        return ENGINES[named].name
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    answer = cache() / f"engine-{boot_id}"
    with exclusively("probe", say=say):
        if not answer.exists():
            for old in cache().glob("engine-*"):
                old.unlink()
            answer.write_text(probe(say))
        return answer.read_text()


def probe(say: Say) -> str:
    troubles = []
    for engine in ENGINES.values():
        if not installed(engine):
            continue
        try:
            boot_once(engine.name, say)
        except CommandFailed as trouble:
            troubles.append(f"{engine.name}: {trouble}")
        else:
            return engine.name
    raise CommandFailed("this machine boots no root with systemd:\n" + "\n".join(troubles))


def boot_once(engine: str, say: Say) -> None:
    ground = base("12", say)
    space = Namespace("probe")
    with tempfile.TemporaryDirectory(prefix="probe-", dir=cache()) as folder:
        root = Root(Path(folder), ground, name="probe", hostname="probe.example", engine=engine, netns=space.net)
        try:
            root.up(PROBE_SECONDS)
        finally:
            root.down()
            space.close()
