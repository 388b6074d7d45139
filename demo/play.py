"""The playbook, run as an operator runs it: `ansible-playbook ansible/site.yml` with an inventory and variables."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo.authority import authority
from demo.bare import Say
from demo.commands import CommandFailed
from demo.inventory import write_inventory
from demo.places import CHECKOUT, Release
from demo.wheels import wheels

SITE = CHECKOUT / "ansible" / "site.yml"
VARIABLES = CHECKOUT / "demo" / "variables.yml"
PLAY_SECONDS = 1200.0  # a first run takes 60 to 90
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?:(\S+) : )?(.*)\] \**$")


@dataclass(frozen=True)
class Recap:
    """What ansible-playbook said at its end about one host."""

    ok: int
    changed: int
    unreachable: int
    failed: int


@dataclass(frozen=True)
class Outcome:
    """One run: recap by host, and everything it printed."""

    hosts: dict[str, Recap]
    output: str


def variables(release: Release, say: Say) -> dict[str, object]:
    """The demo's variables with the controller's paths."""
    chosen: dict[str, object] = yaml.safe_load(VARIABLES.read_text())
    papers = authority()
    paths = {"outrider_wheels": wheels(release, say)}
    paths |= {"outrider_tls_certificate": papers.certificate, "outrider_tls_key": papers.key}
    return {**chosen, **{name: str(path) for name, path in paths.items()}}


def play(
    folder: Path,
    hosts: Mapping[str, Path],
    extra: Mapping[str, object],
    say: Say,
    *,
    options: Sequence[str] = (),
    site: Path = SITE,
) -> Outcome:
    """Run the playbook against `hosts` (name -> run program); CommandFailed with the failed tasks otherwise.

    `folder` gets ansible.cfg, inventory, variables and the full output (`play.log`).
    """
    env = write_inventory(folder, hosts, extra)
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), str(site), *options]
    started = time.monotonic()
    with (
        (folder / "play.log").open("w") as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True
        ) as process,
    ):
        assert process.stdout
        role = ""
        for line in process.stdout:
            log.write(line)
            if (task := TASK.match(line)) and task[1] and task[1] != role:
                role = task[1]
                say(f"  playbook {time.monotonic() - started:5.0f} s  {role}")
        status = process.wait(PLAY_SECONDS)
    output = (folder / "play.log").read_text()
    recaps = {host: Recap(*map(int, numbers)) for host, *numbers in RECAP.findall(output)}
    if status != 0:
        raise CommandFailed(f"the playbook ended with {status}:\n{failures(output)}")
    changed = sum(recap.changed for recap in recaps.values())
    say(f"  playbook {time.monotonic() - started:5.0f} s  done, changed={changed}")
    return Outcome(recaps, output)


def failures(output: str) -> str:
    """From the first failed task on; else the last lines."""
    at = re.search(r"^(fatal|ERROR|failed:|\[ERROR\])", output, re.MULTILINE)
    return output[max(0, at.start() - 300) :][:6000] if at else output[-3000:]
