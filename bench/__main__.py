"""`python -m bench [NAME…]`: measure, print the table, write results/NAME.json. Exit 0: everything was measured."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import signal
import sys
from pathlib import Path

from bench.frame import Options, run, table, today, write
from demo.commands import CommandFailed


def names() -> list[str]:
    """The modules of this folder that have GROUPS: one per daemon."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem for file in files if "\nGROUPS" in file.read_text()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names())}; default: all")
    parser.add_argument("--runs", type=int, default=4, help="pairs of runs per case")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a run")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases that hold this; writes no file")
    parser.add_argument("--group", action="append", default=[], metavar="NAME", help="only this host's; the same")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("python -m bench: root is missing (it boots Debian in namespaces of its own)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # hosts are taken down on the way out
    chosen = Options(options.runs, options.seconds, tuple(options.group), options.only)
    status = 0
    for name in options.names or names():
        if name not in names():
            parser.error(f"no bench {name!r}; there are {', '.join(names())}")
        try:
            results = run(name, importlib.import_module(f"bench.{name}").GROUPS, chosen, say)
        except CommandFailed as trouble:
            print(f"{name}: could not be measured\n{trouble}", file=sys.stderr)
            status = 1
            continue
        say(f"\n{name}, {today()}, {os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}\n")
        say(table(results))
        if not chosen.only and not chosen.groups:
            say(f"\n{write(name, results)}")
    return status


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
