"""`python -m demo COMMAND`: see `--help`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import supervisor
from demo.bare import bare
from demo.commands import CommandFailed
from demo.inventory import write_inventory
from demo.places import RELEASES, release_named
from demo.play import variables
from demo.probe import choose_engine
from demo.provider import Demo
from demo.showing import bring_up, where_to_look
from demo.stages import converged, servers
from demo.tour import walk

LAYERS = {"bare": bare, "servers": servers, "converged": converged}


def say(text: str) -> None:
    print(text, flush=True)


def root(arguments: argparse.Namespace) -> int:
    """boot a root of a layer in the background, for work on the playbook; again: refresh the playbook's variables"""
    folder = arguments.folder.resolve()
    release = release_named(arguments.release)
    if supervisor.running(folder):
        say(f"already running in {folder}")
    else:
        say(f"engine: {choose_engine(say)}")
        layer = LAYERS[arguments.layer](release, say)
        supervisor.start(folder, supervisor.Plan(release, tuple(str(each.folder) for each in layer.stack), None))
    write_inventory(folder / "ansible", {f"host{release}": folder / "host" / "run"}, variables(release, say))
    say(f"run:     {folder}/host/run COMMAND…\nclient:  {folder}/net/client/run COMMAND…")
    say(f"ansible: ANSIBLE_CONFIG={folder}/ansible/ansible.cfg ansible-playbook ansible/site.yml")
    say(f"down:    python -m demo down {folder}")
    return 0


def up(arguments: argparse.Namespace) -> int:
    """start the demo in the background; DIR/demo.json says how to reach it"""
    folder = arguments.folder.resolve()
    if supervisor.running(folder):
        say(f"already running: {folder}/demo.json")
        return 0
    bring_up(folder, release_named(arguments.release), say)
    say(f"running: {folder}/demo.json says how to reach it; stop it with: make down DIR={folder}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """stop whatever runs in DIR and delete what belongs to it"""
    folder = arguments.folder.resolve()
    say("stopped" if supervisor.stop(folder) else "nothing was running")
    supervisor.clear(folder)
    return 0


@contextmanager
def temporary(arguments: argparse.Namespace) -> Iterator[tuple[Path, Demo]]:
    """The demo in a folder of its own, taken down afterwards, also on SIGTERM and Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="outrider-"))
    try:
        yield folder, bring_up(folder, release_named(arguments.release), say)
    finally:
        supervisor.stop(folder)
        supervisor.clear(folder)


def tour(arguments: argparse.Namespace) -> int:
    """make the demo, walk through it, take it down; the exit status says whether every step was right"""
    with temporary(arguments) as (_, shown):
        return walk(shown, say)


def demo(arguments: argparse.Namespace) -> int:
    """the tour, then stay until Ctrl-C"""
    with temporary(arguments) as (folder, shown):
        status = walk(shown, say)
        say(where_to_look(folder, shown))
        try:
            signal.pause()
        except KeyboardInterrupt:
            say("\nstopping")
    return status


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m demo", description="Throw-away hosts that the playbook makes.")
    commands = top.add_subparsers(dest="command", required=True)

    def add(function: Callable[[argparse.Namespace], int], *options: str) -> argparse.ArgumentParser:
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if "folder" in options:
            command.add_argument("folder", type=Path, metavar="DIR")
        if "release" in options:
            command.add_argument("--release", choices=RELEASES, default="12")
        return command

    add(root, "folder", "release").add_argument("--layer", choices=LAYERS, default="bare")
    add(up, "folder", "release")
    add(down, "folder")
    add(demo, "release")
    add(tour, "release")
    return top


def main() -> int:
    arguments = parser().parse_args()
    if os.geteuid() != 0:
        print("python -m demo: root is missing (it boots Debian in namespaces of its own)", file=sys.stderr)
        return 2
    try:
        return int(arguments.function(arguments))
    except CommandFailed as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
