"""The demo's name server: a real knotd from Debian that answers for its whole little Internet.

It owns the root zone too, so every other name is NXDOMAIN at once and no look-up ever waits. Zones are text files;
`add` changes one while it runs (a test loads what `outrider dns DOMAIN` printed).
"""

from __future__ import annotations

import ipaddress
import subprocess
import time
from pathlib import Path

from demo.commands import CommandFailed, call
from demo.layers import Layer
from demo.namespaces import Namespace

START_SECONDS = 10.0  # knotd is up in 50 ms; this is only the watchdog
HOSTNAME = "mail.provider.example"
HUB, SINK, CLIENT, HOST = ("10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.10")


def six(four: str) -> str:
    """The IPv6 twin of one of our IPv4 addresses: 10.77.0.3 and fd77::3."""
    return f"fd77::{four.rsplit('.', 1)[1]}"


RESOLVER = f"nameserver {HUB}\nnameserver {six(HUB)}\noptions timeout:2 attempts:2\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
TLS_NAMES = ("mail", "imap", "pop3", "smtp", "keys", "openpgpkey", "autoconfig", "autodiscover", "portal")


def zones() -> dict[str, str]:
    """Zone name to zone text (without SOA and NS, which `zone_file` adds)."""
    host = [f"A {HOST}", f"AAAA {six(HOST)}"]
    provider = ["@ MX 10 mail", "tmp MX 10 mail", "b MX 10 mail"]
    provider += [f"{name} {record}" for name in ("@", *TLS_NAMES) for record in host]
    addresses = {
        HUB: "hub.example.",
        SINK: "mx.remote.example.",
        CLIENT: "client.example.",
        HOST: "mail.provider.example.",
    }
    return {
        ".": "",
        "provider.example": "\n".join(provider),
        "customer.example": "@ MX 10 mail.provider.example.",
        "remote.example": f"@ MX 10 mx\nmx A {SINK}\nmx AAAA {six(SINK)}",
        "77.10.in-addr.arpa": "\n".join(f"{reverse(ip)}. PTR {name}" for ip, name in addresses.items()),
        "0.0.0.0.7.7.d.f.ip6.arpa": "\n".join(f"{reverse(six(ip))}. PTR {name}" for ip, name in addresses.items()),
        "example": "\n".join(
            f"{label} A {ip}\n{label} AAAA {six(ip)}" for label, ip in (("hub", HUB), ("client", CLIENT))
        ),
    }


def reverse(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


def file_name(zone: str) -> str:
    return f"{zone.strip('.') or 'root'}.zone"


def zone_file(zone: str, text: str, serial: int) -> str:
    """A zone file with short lifetimes: nobody here may remember yesterday's answer."""
    origin = zone if zone.endswith(".") else f"{zone}."
    head = f"$ORIGIN {origin}\n$TTL 1\n@ SOA hub.example. root.hub.example. {serial} 60 60 60 1\n@ NS hub.example.\n"
    return f"{head}{text}\n"


class NameServer:
    """knotd in the hub's namespaces, chrooted into the layer that has it installed."""

    def __init__(self, folder: Path, layer: Layer, hub: Namespace) -> None:
        self.folder = folder
        self.hub = hub
        self.lower = ":".join(str(each.tree) for each in layer.stack)
        self.text = zones()
        self.serial = 1
        self.server: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for zone in self.text:
            self.write(zone)
        self.write_configuration()
        mounts = f"""set -e
mount -t overlay -o "lowerdir={self.lower}" overlay /mnt
mount -t proc proc /mnt/proc
mount --bind /dev /mnt/dev
mount -t tmpfs tmpfs /mnt/run
mount -t tmpfs tmpfs /mnt/tmp
mount --bind "{self.folder}" /mnt/srv"""
        call([*self.hub.enter(tied=True), "sh", "-c", mounts])
        with (self.folder / "knotd.log").open("ab") as log:
            self.server = subprocess.Popen(
                [*self.hub.enter(tied=True), "chroot", "/mnt", "/usr/sbin/knotd", "-c", "/srv/knot.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while self.control("status", check=False).returncode != 0:
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"knotd did not start:\n{(self.folder / 'knotd.log').read_text()}")
            time.sleep(0.02)

    def ended(self) -> None:
        """Collect the server's end; its namespace must be closed already."""
        if self.server:
            self.server.wait()

    def write(self, zone: str) -> None:
        (self.folder / file_name(zone)).write_text(zone_file(zone, self.text[zone], self.serial))

    def write_configuration(self) -> None:
        listen = f"[{HUB}@53, {six(HUB)}@53]"
        head = f"server:\n  listen: {listen}\n  user: root:root\n  rundir: /run\ncontrol:\n  listen: /srv/knot.sock\n"
        log = "log:\n  - target: stderr\n    any: info\ndatabase:\n  storage: /run\n"
        template = "template:\n  - id: default\n    storage: /srv\n    zonefile-load: whole\n    semantic-checks: off\n"
        rows = "".join(f'  - domain: "{zone}"\n    file: {file_name(zone)}\n' for zone in self.text)
        (self.folder / "knot.conf").write_text(f"{head}{log}{template}zone:\n{rows}")

    def control(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        knotc = ["chroot", "/mnt", "/usr/sbin/knotc", "-s", "/srv/knot.sock", "-t", "10"]
        return call([*self.hub.enter(tied=True), *knotc, *words], check=check)

    def add(self, zone: str, text: str) -> None:
        """Append lines to a zone, new or not; they are served when this returns. CommandFailed if they do not parse."""
        before = self.text.get(zone)
        self.text[zone] = f"{before}\n{text}" if before is not None else text
        self.serial += 1
        self.write(zone)
        if before is None:
            self.write_configuration()
            self.control("reload")
        self.control("-b", "zone-reload", zone)
