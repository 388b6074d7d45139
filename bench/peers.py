"""Dovecot alone, beside the host's own Dovecot: the same release and packages, a configuration of its own, no authd.

Two instances, each with its own base_dir, ports and log:

    passwd-file   password hashes in Dovecot's default BLF-CRYPT (as `doveadm pw -s BLF-CRYPT` makes them), home and
                  user in the same file; what an operator without a directory has
    static        one password for everybody in clear: an answer without any hash or look-up, the floor of the protocol

What is not about logins (mail location, namespaces, quota, TLS) is the host's own configuration, to the letter.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from bench.host import Machine
from demo.places import Release

PASSWORD = "correct horse battery staple"  # noqa: S105 - everybody's, in a host that lives for minutes
OWN_PARTS = re.compile(
    r"^(passdb|userdb|service anvil|service auth-worker|service lmtp)\b[^\n]*\{\n(.*?)^\}\n", re.M | re.S
)
OPEN = {
    "12": "ssl = yes\ndisable_plaintext_auth = no\n",
    "13": "ssl = yes\nauth_allow_cleartext = yes\n",
}
"""Both sides take logins without TLS on the loopback: its cost is the same and would hide the difference."""


@dataclass(frozen=True)
class Peer:
    """A second Dovecot in the host."""

    name: str
    port: int
    """Of IMAP without TLS."""

    @property
    def socket(self) -> str:
        return f"/run/dovecot-{self.name}/login/login"


PASSWD_FILE, STATIC = Peer("passwd-file", 1143), Peer("static", 1243)

DATABASES: dict[tuple[str, Release], str] = {
    ("passwd-file", "12"): """
passdb {
  driver = passwd-file
  args = /etc/dovecot/bench.users
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/bench.users
}
""",
    ("passwd-file", "13"): """
passdb passwd-file {
  passwd_file_path = /etc/dovecot/bench.users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/bench.users
}
""",
    ("static", "12"): f"""
passdb {{
  driver = static
  args = password={{PLAIN}}{PASSWORD.replace(" ", "")}
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/bench/%n
}}
""",
    ("static", "13"): f"""
passdb static {{
  password = {{PLAIN}}{PASSWORD.replace(" ", "")}
}}
userdb static {{
  fields {{
    uid = vmail
    gid = vmail
    home = /var/vmail/bench/%{{user | username}}
  }}
}}
""",
}


def configuration(host_text: str, peer: Peer, release: Release) -> str:
    """The host's configuration with the peer's answer to who may log in."""
    text = OWN_PARTS.sub("", host_text).replace("!include_try", "#")
    ports = f"""
base_dir = /run/dovecot-{peer.name}
instance_name = {peer.name}
log_path = /var/log/dovecot-{peer.name}.log
listen = 127.0.0.1
service imap-login {{
  inet_listener imap {{
    port = {peer.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
    return f"{text}\n{ports}{OPEN[release]}{DATABASES[peer.name, release]}"


def start(machine: Machine, peer: Peer) -> None:
    """Write its configuration and run it under systemd."""
    path = f"/etc/dovecot/bench-{peer.name}.conf"
    text = configuration(machine.read("/etc/dovecot/dovecot.conf"), peer, machine.release)
    machine.write(path, text)
    unit = [f"--unit=dovecot-{peer.name}", "--property=LimitNOFILE=65536", "--property=Type=notify"]
    machine.run("systemd-run", *unit, "dovecot", "-F", "-c", path)


def write_users(machine: Machine, addresses: list[str]) -> None:
    """The peer's users, one hash for all: what it costs to check does not depend on whose it is."""
    stored = machine.run("doveadm", "pw", "-s", "BLF-CRYPT", "-p", PASSWORD).strip()
    uid = machine.run("id", "-u", "vmail").strip()
    rows = [f"{address}:{stored}:{uid}:{uid}::/var/vmail/bench/{address}::" for address in addresses]
    machine.write("/etc/dovecot/bench.users", "\n".join(rows) + "\n")


def auth_line(release: Release, address: str, secret: str, rip: str = "198.51.100.7") -> str:
    """What follows `AUTH <id> ` for one login, as a login process of that release says it."""
    said = base64.b64encode(f"\0{address}\0{secret}".encode()).decode("ascii")
    service = "service" if release == "12" else "protocol"
    fields = [f"{service}=imap", "secured", "nologin", "no-penalty", "lip=203.0.113.1", f"rip={rip}", f"resp={said}"]
    return "\t".join(["PLAIN", *fields])
