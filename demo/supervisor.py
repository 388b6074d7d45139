"""The background process of one demo folder: `python -m demo.supervisor FOLDER`, detached.

It reads FOLDER/plan.json (which layer), boots the world, joins loopback ports (FOLDER/ports.json), follows the host's
journal into FOLDER/log/, writes FOLDER/ready and waits for SIGTERM. Everything it started ends with it, however it
ends. FOLDER/supervisor holds its process number and start time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.commands import CommandFailed
from demo.layers import Layer
from demo.names import HOST
from demo.places import CHECKOUT, Release, release_named
from demo.root import Root
from demo.world import World

UP_SECONDS = 120.0  # the bridge and a boot take 2
DOWN_SECONDS = 60.0
OWN = ("host", "net", "ansible", "log", "sink", "demo.json", "ports.json", "plan.json", "ready", "supervisor",
       "supervisor.log")  # fmt: skip
LOOK_SECONDS = 0.5  # how often it looks whether the host was rebooted
PORTS = {
    "smtp": 25, "submission": 587, "smtps": 465, "imap": 143, "imaps": 993, "pop3s": 995, "sieve": 4190,
    "hkp": 11371, "hkps": 443, "http": 80,
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What the supervisor boots: `layers` are folders, top first."""

    release: Release
    layers: tuple[str, ...]
    authority: str | None

    def write(self, folder: Path) -> None:
        (folder / "plan.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> Plan:
        raw = json.loads((folder / "plan.json").read_text())
        return cls(release_named(raw["release"]), tuple(raw["layers"]), raw["authority"])

    @property
    def layer(self) -> Layer:
        top, *rest = [Path(name) for name in self.layers]
        return Layer(top, tuple(Layer(path) for path in rest))


def born(pid: int) -> str | None:
    """When process `pid` started (proc(5), field 22 of stat), None if it does not run: numbers are used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def running(folder: Path) -> int | None:
    """The live supervisor of this folder."""
    try:
        pid, start = (folder / "supervisor").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if born(int(pid)) == start else None


def clear(folder: Path) -> None:
    """Delete what belongs to a demo that does not run; the folder itself if nothing else is in it."""
    for name in OWN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def start(folder: Path, plan: Plan) -> None:
    """Start the supervisor and wait until its world is ready."""
    clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan.write(folder)
    with (folder / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.supervisor", str(folder)],
            cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + UP_SECONDS
    while not (folder / "ready").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise CommandFailed(f"the demo did not come up:\n{(folder / 'supervisor.log').read_text()}")
        time.sleep(0.02)


def stop(folder: Path) -> bool:
    """End the supervisor of this folder, by force if it must be; False if there was none."""
    pid = running(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while running(folder) == pid:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return True


def main(folder: Path) -> int:
    (folder / "supervisor").write_text(f"{os.getpid()} {born(os.getpid())}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plan = Plan.read(folder)
    world = World(folder, plan.layer, print, authority=Path(plan.authority) if plan.authority else None)
    try:
        world.up()
        journal = Journal(world.root, folder / "log")
        forwarder = start_forwarder(folder, world.netns)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until here it may just end us, all else follows
        (folder / "ready").touch()
        while signal.sigtimedwait({signal.SIGTERM}, LOOK_SECONDS) is None:
            world.root.wake_stopped()
            journal.follow()
        forwarder.terminate()
        journal.end()
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        world.close()
        (folder / "supervisor").unlink()
    return 0


class Journal:
    """The host's whole log as a text file, continued over reboots."""

    def __init__(self, root: Root, folder: Path) -> None:
        self.root = root
        self.path = folder / "journal.log"
        folder.mkdir(exist_ok=True)
        self.boot: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.follow()

    def end(self) -> None:
        if self.process:
            self.process.kill()  # nsenter hears no other signal while it waits for its child
            self.process.wait()
            self.process = None

    def follow(self) -> None:
        """Start to follow if this boot's journal is not followed yet."""
        pid1 = self.root.pid1()
        if pid1 is None or pid1 == self.boot:
            return
        self.boot = pid1
        self.end()
        inside = ["setpriv", "--pdeathsig", "KILL", str(self.root.run_script)]
        command = ["journalctl", "--boot", "--lines=all", "--follow", "--output=short-iso-precise", "--no-hostname"]
        with self.path.open("ab") as log:
            self.process = subprocess.Popen([*inside, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def start_forwarder(folder: Path, netns: Path) -> subprocess.Popen[str]:
    """demo/forward.py; its answer, which port is which, goes to FOLDER/ports.json."""
    pairs = [f"{name}={port}" for name, port in PORTS.items()]
    forwarder = subprocess.Popen(
        [sys.executable, "-m", "demo.forward", str(netns), HOST, *pairs],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert forwarder.stdout
    (folder / "ports.json").write_text(forwarder.stdout.readline())
    return forwarder


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
