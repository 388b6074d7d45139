"""A PostgreSQL cluster in a root of its own, never on the machine itself.

The layer `cluster` holds Debian's PostgreSQL with three databases: `tests`, open to whoever reaches the socket, for the
suite; and what docs/operations.md tells an operator to make: `outrider`, by password over TLS and by peer on the host
itself. From the machine it is reached over the socket in the root (`Cluster.url`), from the mail host over the bridge.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import quote

from demo.authority import authority
from demo.bare import in_chroot, packages_layer
from demo.layers import Layer, ensure
from demo.places import Release
from demo.probe import choose_engine
from demo.root import Root

PACKAGES = ("postgresql",)
VERSIONS: dict[Release, str] = {"12": "15", "13": "17"}
NAME = "autoconfig.provider.example"  # a name of the authority's certificate that no other test connects to
PASSWORD = "swordfish with parsley"

# docs/operations.md, PostgreSQL; `tests` is ours.
ACCESS = """\
local    tests     all                   trust
local    outrider  outrider              peer map=outrider
local    all       postgres              peer
hostssl  outrider  outrider  samenet     scram-sha-256
"""
USERS = "".join(f"outrider  {user}  outrider\n" for user in ("outrider", *(f"outrider-{n}" for n in "authd policy hkpd".split())))
# A throw-away cluster: nothing of it has to survive a power cut.
SETTINGS = """\
listen_addresses = '*'
fsync = off
synchronous_commit = off
full_page_writes = off
"""
ROLES = f"""\
CREATE ROLE outrider LOGIN PASSWORD '{PASSWORD}';
CREATE DATABASE outrider OWNER outrider ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;
CREATE DATABASE tests OWNER outrider ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;
"""


def cluster(release: Release, say=print) -> Layer:
    """Debian's PostgreSQL installed and set up; no server has run: roles and databases are made in single-user mode."""
    ground = packages_layer(release, "postgresql", PACKAGES, say)
    script = set_up(VERSIONS[release])
    return ensure("cluster", release, [script], ground, lambda tree: in_chroot(ground, tree, script), say)


def set_up(version: str) -> str:
    """The shell script that makes the layer."""
    folder, papers = f"/etc/postgresql/{version}/main", authority()
    files = {
        f"{folder}/pg_hba.conf": ACCESS,
        f"{folder}/pg_ident.conf": USERS,
        f"{folder}/conf.d/tests.conf": SETTINGS + f"ssl_cert_file = '{folder}/cert.pem'\nssl_key_file = '{folder}/key.pem'\n",
        f"{folder}/cert.pem": papers.certificate.read_text(),
        f"{folder}/key.pem": papers.key.read_text(),
    }
    writes = [f"printf %s {shlex.quote(text)} >{path}; chown postgres: {path}; chmod 600 {path}" for path, text in files.items()]
    data, server = f"/var/lib/postgresql/{version}/main", f"/usr/lib/postgresql/{version}/bin/postgres"
    alone = f"{server} --single -D {data} -c config_file={folder}/postgresql.conf -j postgres"
    # -j: a statement ends at a semicolon before an empty line
    make = f"printf %s {shlex.quote(ROLES.replace(';', ';' + chr(10)))} | runuser -u postgres -- {alone}"
    return "\n".join([*writes, make])


class Cluster:
    """A running cluster: stop, start, freeze, thaw."""

    def __init__(self, folder: Path, layer: Layer, netns: Path, release: Release) -> None:
        self.unit = f"postgresql@{VERSIONS[release]}-main.service"
        self.root = Root(folder, layer, name="cluster", hostname=NAME, engine=choose_engine(print), netns=netns)
        self.root.up()

    @property
    def sockets(self) -> Path:
        """The folder of its socket, short enough for sun_path (108 bytes)."""
        return Path(f"/proc/{self.root.pid1()}/root/run/postgresql")

    @property
    def url(self) -> str:
        """The suite's database, as the machine reaches it."""
        return f"postgresql://outrider@{quote(str(self.sockets), safe='')}/tests"

    def stop(self) -> None:
        self.root.run(["systemctl", "stop", self.unit])

    def start(self) -> None:
        self.root.run(["systemctl", "start", self.unit])

    def freeze(self) -> None:
        """No process of it runs: connections are accepted by the kernel and nobody answers."""
        self.root.run(["systemctl", "kill", "--signal=STOP", self.unit])

    def thaw(self) -> None:
        self.root.run(["systemctl", "kill", "--signal=CONT", self.unit])

    def close(self) -> None:
        self.root.down()
