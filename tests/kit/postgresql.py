"""A PostgreSQL cluster in a root of its own, never on the machine itself.

cluster            running on the bridge of `postgresql_host`, for the whole session
postgresql_host    a host that does not use it yet

The layer `cluster` is Debian's PostgreSQL with two databases: `tests`, open to whoever reaches the socket, for the
suite; and `outrider`, made as docs/operations.md says: by password over TLS, and by peer on the host itself. The
machine reaches it over the socket inside the root (`Cluster.url`), mail hosts over the bridge (`Cluster.remote`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from demo.bare import in_chroot, packages_layer
from demo.layers import Layer, ensure
from demo.names import six
from demo.places import Release
from demo.probe import choose_engine
from demo.root import Root
from demo.stages import converged
from kit.hosts import Host
from kit.needs import need_root
from kit.plugin import WANTED

PACKAGES = ("postgresql",)
VERSIONS: dict[Release, str] = {"12": "15", "13": "17"}  # Debian's
NAME, ADDRESS = "db.provider.example", "10.77.0.11"
PASSWORD = "swordfish with parsley"

# The lines about `outrider` are those of docs/operations.md, which a test compares.
ACCESS = """\
local    tests     all       trust
hostssl  outrider  outrider  samenet  scram-sha-256
local    outrider  outrider  peer map=outrider
local    all       postgres  peer
"""
USERS = """\
outrider  outrider         outrider
outrider  outrider-authd   outrider
outrider  outrider-policy  outrider
outrider  outrider-hkpd    outrider
"""
# Nothing of this cluster has to survive a power cut.
SETTINGS = """\
listen_addresses = '*'
fsync = off
synchronous_commit = off
full_page_writes = off
"""
# Single-user mode: with -j a statement ends at a semicolon before an empty line.
ROLES = f"""\
CREATE ROLE outrider LOGIN PASSWORD '{PASSWORD}';

CREATE DATABASE outrider OWNER outrider ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;

CREATE DATABASE tests OWNER outrider ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;

"""


def cluster_layer(release: Release) -> Layer:
    """Debian's PostgreSQL, set up without ever having run."""
    ground = packages_layer(release, "postgresql", PACKAGES, print)
    script = set_up(VERSIONS[release])
    return ensure("cluster", release, [script], ground, lambda tree: in_chroot(ground, tree, script), print)


def certificate(layer: Layer, release: Release) -> Path:
    """The server's certificate, which vouches for itself."""
    return layer.tree / f"etc/postgresql/{VERSIONS[release]}/main/cert.pem"


def set_up(version: str) -> str:
    """The shell script that makes the layer, run in a chroot."""
    folder, data = f"/etc/postgresql/{version}/main", f"/var/lib/postgresql/{version}/main"
    papers = {"ssl_cert_file": f"{folder}/cert.pem", "ssl_key_file": f"{folder}/key.pem"}
    settings = SETTINGS + "".join(f"{name} = '{path}'\n" for name, path in papers.items())
    files = {"pg_hba.conf": ACCESS, "pg_ident.conf": USERS, "conf.d/tests.conf": settings}
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650"
    names = f"-subj /CN={NAME} -addext subjectAltName=DNS:{NAME}"
    server = f"/usr/lib/postgresql/{version}/bin/postgres --single -j -D {data} -c config_file={folder}/postgresql.conf"
    return "\n".join(
        [
            *(f"printf %s {shlex.quote(text)} >{folder}/{name}" for name, text in files.items()),
            f"{request} {names} -out {folder}/cert.pem -keyout {folder}/key.pem",
            f"chown -R postgres: {folder}; chmod 600 {folder}/key.pem",
            f"printf %s {shlex.quote(ROLES)} | runuser -u postgres -- {server} postgres",
        ]
    )


class Cluster:
    """A running cluster: stop it, start it, freeze it."""

    def __init__(self, folder: Path, layer: Layer, netns: Path, release: Release) -> None:
        self.unit = f"postgresql@{VERSIONS[release]}-main.service"
        self.certificate = certificate(layer, release)
        self.root = Root(folder, layer, name="cluster", hostname=NAME, engine=choose_engine(print), netns=netns)
        self.root.up()

    @property
    def url(self) -> str:
        """The suite's database, as the machine reaches it; short enough for a socket's path (108 bytes)."""
        folder = f"/proc/{self.root.pid1()}/root/run/postgresql"
        return f"postgresql://outrider@{quote(folder, safe='')}/tests"

    def remote(self, *hosts: str) -> dict[str, object]:
        """The playbook's variables for a mail host that uses the cluster; `hosts` instead of its own name."""
        return {
            "outrider_database": f"postgresql://outrider@{','.join(hosts or (NAME,))}/outrider",
            "outrider_database_password": PASSWORD,
            "outrider_database_authorities": str(self.certificate),
        }

    def run(self, *command: str) -> str:
        return self.root.run(list(command)).stdout

    def sql(self, text: str) -> str:
        """As PostgreSQL's own superuser."""
        return self.run("runuser", "-u", "postgres", "--", "psql", "-qAtX", "-c", text)

    def stop(self) -> None:
        self.run("systemctl", "stop", self.unit)

    def start(self) -> None:
        self.run("systemctl", "start", self.unit)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """None of its processes runs on: the kernel still accepts connections, and nobody answers."""
        self.run("systemctl", "kill", "--signal=STOP", self.unit)
        try:
            yield
        finally:
            self.run("systemctl", "kill", "--signal=CONT", self.unit)

    def close(self) -> None:
        self.root.down()


RELEASE = "13" if "13" in WANTED else WANTED[-1]  # one suffices: nothing here differs between the releases


@pytest.fixture(scope="session")
def postgresql_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A converged host, still on SQLite, whose name server knows the cluster's name."""
    need_root()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(cluster_layer, RELEASE)
        layer = converged(RELEASE, print)
    made = Host(RELEASE, tmp_path_factory.mktemp("postgresql-"), layer)
    made.dns.add("provider.example", f"db A {ADDRESS}\ndb AAAA {six(ADDRESS)}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def cluster(postgresql_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """On the bridge of that host."""
    network = postgresql_host.world.bridge.host(ADDRESS).net
    made = Cluster(tmp_path_factory.mktemp("cluster-"), cluster_layer(RELEASE), network, RELEASE)
    yield made
    made.close()
