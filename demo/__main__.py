"""`python -m demo COMMAND`: see `--help`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from demo import supervisor
from demo.bare import bare
from demo.commands import CommandFailed
from demo.inventory import write_inventory
from demo.places import RELEASES, release_named
from demo.play import variables
from demo.probe import choose_engine
from demo.stages import servers


def say(text: str) -> None:
    print(text, flush=True)


def root(arguments: argparse.Namespace) -> int:
    """Boot a bare root, or one with servers, in the background and print how to reach it; refreshes the variables."""
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    release = release_named(arguments.release)
    if supervisor.running(folder):
        say(f"already running in {folder}")
    else:
        say(f"engine: {choose_engine(say)}")
        layer = {"bare": bare, "servers": servers}[arguments.layer](release, say)
        supervisor.start(folder, supervisor.Plan(release, tuple(str(each.folder) for each in layer.stack), None))
    write_inventory(folder / "ansible", {f"host{release}": folder / "host" / "run"}, variables(release, say))
    say(f"run:     {folder}/host/run COMMAND…\nclient:  {folder}/net/client/run COMMAND…")
    say(f"ansible: ANSIBLE_CONFIG={folder}/ansible/ansible.cfg ansible-playbook ansible/site.yml")
    say(f"down:    python -m demo down {folder}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Stop whatever runs in the folder and delete what belongs to it; the folder itself if nothing else is left."""
    folder = arguments.folder.resolve()
    was_running = supervisor.stop(folder)
    for name in OWN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
    say("down" if was_running else "nothing was running")
    return 0


OWN = ("host", "net", "ansible", "log", "sink", "demo.json", "plan.json", "ready", "supervisor", "supervisor.log")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m demo", description="Throw-away hosts that the playbook makes.")
    commands = top.add_subparsers(dest="command", required=True)

    def add(function: Callable[[argparse.Namespace], int], *, folder: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if folder:
            command.add_argument("folder", type=Path, metavar="DIR")
        return command

    command = add(root)
    command.add_argument("--release", choices=RELEASES, default=os.environ.get("RELEASE", "12"))
    command.add_argument("--layer", choices=("bare", "servers"), default="bare")
    add(down)
    return top


def main() -> int:
    arguments = parser().parse_args()
    if os.geteuid() != 0:
        print("python -m demo: needs root, it boots a Debian root in namespaces of its own", file=sys.stderr)
        return 2
    try:
        return int(arguments.function(arguments))
    except CommandFailed as trouble:
        print(trouble, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
