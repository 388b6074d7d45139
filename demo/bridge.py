"""A private network: a hub with the name server, a client, and hosts. Nothing of the machine's network is touched.

    hub     10.77.0.1  fd77::1    bridge `br0`, name server, the outside world's mail sink at 10.77.0.2
    client  10.77.0.3  fd77::3    the machine's programs run here, with the demo's resolver and authorities
    host    10.77.0.10 fd77::10   where a root boots

Every namespace is private, so any number of bridges with the same addresses live side by side. There is no way out:
the hub answers "unreachable" for everything else, so nothing hangs in a time-out either.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from demo.commands import call
from demo.layers import Layer
from demo.names import CLIENT, HOST, HOSTS, HUB, RESOLVER, SINK, NameServer, six
from demo.namespaces import Namespace

CERTIFICATES = Path("/etc/ssl/certs")
BUNDLE = "ca-certificates.crt"
# A bridge takes the lowest address of its members otherwise, and whoever joins later would cut off the others.
HUB_ETHERNET = "02:00:0a:4d:00:01"
HUB_SCRIPT = f"""set -e
ip link add br0 address {HUB_ETHERNET} type bridge
for address in {HUB}/24 {SINK}/24; do ip addr add $address dev br0; done
for address in {six(HUB)}/64 {six(SINK)}/64; do ip addr add $address dev br0 nodad; done
ip link set br0 up
ip route add unreachable default
ip -6 route add unreachable default
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
"""
ENTER_SCRIPT = """#!/bin/sh
# Runs a program of this machine in the demo's {name}: its network, its resolver, its certificate authorities.
exec nsenter --target={pid} --net --mount -- sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$PWD" "$@"
"""


class Bridge:
    """Hub, client and name server; `host` adds a namespace for a root."""

    def __init__(self, folder: Path, world: Layer, *, authority: Path | None = None) -> None:
        self.folder = folder
        self.authority = authority
        folder.mkdir(parents=True, exist_ok=True)
        self.members: dict[str, Namespace] = {}
        self.hub = Namespace("hub")
        call([*self.hub.enter(), "sh", "-c", HUB_SCRIPT])
        self.dns = NameServer(folder / "dns", world, self.hub)
        self.dns.up()
        self.client = self.join("client", CLIENT)
        self.dress_client()
        self.client_script, self.outside_script = self.script(self.client), self.script(self.hub)

    def join(self, name: str, address: str) -> Namespace:
        """A new namespace on the bridge, with `host0` as its interface."""
        member = Namespace(name)
        port = f"v-{name}"[:15]
        call(
            [
                *self.hub.enter(),
                "ip",
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                "host0",
                "netns",
                str(member.pid),
            ]
        )
        call([*self.hub.enter(), "ip", "link", "set", port, "master", "br0", "up"])
        script = f"""set -e
ip addr add {address}/24 dev host0
ip addr add {six(address)}/64 dev host0 nodad
ip link set host0 up
ip route add default via {HUB}
ip -6 route add default via {six(HUB)}
"""
        call([*member.enter(), "sh", "-c", script])
        self.members[name] = member
        return member

    def host(self, address: str = HOST) -> Namespace:
        return self.join(f"host{address.rsplit('.', 1)[1]}", address)

    def dress_client(self) -> None:
        """Bind the demo's resolver, hosts and certificates over the machine's, in the client's mount namespace only."""
        wardrobe = self.folder / "client"
        wardrobe.mkdir()
        texts = {
            "resolv.conf": RESOLVER,
            "hosts": HOSTS,
            "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        }
        pairs = []
        for name, text in texts.items():
            (wardrobe / name).write_text(text)
            if (Path("/etc") / name).exists():
                pairs.append((wardrobe / name, Path("/etc") / name))
        if self.authority:
            pairs.append((self.certificates(wardrobe / "certs", self.authority), CERTIFICATES))
        binds = "\n".join(f"mount --bind {shlex.quote(str(ours))} {theirs}" for ours, theirs in pairs)
        call([*self.client.enter(), "sh", "-ec", binds])

    def script(self, member: Namespace) -> Path:
        """A program that runs its arguments in a member of the bridge."""
        path = self.folder / member.name / "run"
        path.parent.mkdir(exist_ok=True)
        path.write_text(ENTER_SCRIPT.format(name=member.name, pid=member.pid))
        path.chmod(0o755)
        return path

    @staticmethod
    def certificates(copy: Path, authority: Path) -> Path:
        """The machine's certificate folder plus our authority: in the bundle and under its OpenSSL hash name."""
        if not (CERTIFICATES / BUNDLE).exists():
            raise FileNotFoundError(f"{CERTIFICATES / BUNDLE} is missing: install ca-certificates")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(CERTIFICATES, copy, symlinks=True)
        with (copy / BUNDLE).open("a") as bundle:
            bundle.write(authority.read_text())
        digest = call(["openssl", "x509", "-in", authority, "-noout", "-subject_hash"]).stdout.strip()
        shutil.copy(authority, copy / "outrider-demo.pem")
        (copy / f"{digest}.0").symlink_to("outrider-demo.pem")
        return copy

    def close(self) -> None:
        """Everything in the namespaces ends, the name server included."""
        for member in [*self.members.values(), self.hub]:
            member.close()
        self.dns.ended()
