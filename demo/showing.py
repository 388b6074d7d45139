"""Bringing the demo up: the converged host, its people, and DIR/demo.json."""

from __future__ import annotations

import json
import time
from pathlib import Path

from demo import supervisor
from demo.authority import authority
from demo.bare import Say
from demo.people import make_people
from demo.places import Release
from demo.probe import choose_engine
from demo.provider import Demo, Provider
from demo.stages import converged

DOMAINS = ("provider.example", "customer.example", "tmp.provider.example")  # own, external, disposable


def bring_up(folder: Path, release: Release, say: Say) -> Demo:
    """Boot the host in the background and fill it; the demo is ready to be used when this returns."""
    started = time.monotonic()
    say(f"engine: {choose_engine(say)}")
    layer = converged(release, say)
    ca = authority().ca
    supervisor.start(folder, supervisor.Plan(release, tuple(str(each.folder) for each in layer.stack), str(ca)))
    run, client, outside = ([str(folder / name)] for name in ("host/run", "net/client/run", "net/hub/run"))
    provider = Provider(run, client, outside, folder / "sink")
    own, external, disposable = DOMAINS
    users = make_people(provider)
    alias = provider.outrider("alias", "new", users[0].address)
    demo = Demo(
        release=release,
        domain=own,
        external_domain=external,
        disposable_domain=disposable,
        run=run,
        client=client,
        outside=outside,
        ca=str(ca),
        ports=json.loads((folder / "ports.json").read_text()),
        users=users,
        aliases=[{name: alias[name] for name in ("address", "owner", "expires")}],
        mail_root=str(folder / "host/merged/var/vmail"),
        logs=[str(folder / "log/journal.log")],
        sink=str(folder / "sink"),
    )
    demo.write(folder)
    say(f"Debian {release} with Outrider is up after {time.monotonic() - started:.0f} s")
    return demo


def where_to_look(folder: Path, demo: Demo) -> str:
    """What to try while the demo runs."""
    alice, bob = demo.user("alice"), demo.user("bob")
    run, client = demo.run[0], demo.client[0]
    return f"""
The demo is running. On this machine's loopback: {", ".join(f"{name} {port}" for name, port in demo.ports.items())}
  alice   {alice.address}  level {alice.level}, app password {alice.app_password}
          password {alice.password} + the code of TOTP secret {alice.totp_secret}
  bob     {bob.address}  level {bob.level}, password {bob.password}
  inside the host          {run} bash
  a client's network       {client} openssl s_client -brief -connect imap.provider.example:993
  the operator's commands  {run} outrider --help
  the log                  {demo.logs[0]}
  mail for the outside     {demo.sink}
  everything for programs  {folder}/demo.json
Ctrl-C stops it and deletes everything."""
