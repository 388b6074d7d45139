"""An operator's directories in a root of their own: slapd, MariaDB, PostgreSQL; PostfixAdmin's and ISPmail's tables.

directories       running on the bridge of `directory_host`, for the whole session
directory_host    a host that the playbook has switched to LDAP

The layer `directories` holds Debian's servers, and PostfixAdmin's own scripts, which made its tables in both servers
and in a SQLite file. Its own command line made the people, with the hashes that it makes.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.authority import authority
from demo.bare import in_chroot, packages_layer
from demo.layers import Layer, ensure
from demo.names import six
from demo.namespaces import Namespace
from demo.places import Release
from demo.play import play, variables
from demo.probe import choose_engine
from demo.root import Root
from demo.stages import converged
from demo.world import World
from kit import slapd
from kit.hosts import Host
from kit.needs import need_root
from kit.plugin import WANTED

NAME, ADDRESS = "people.provider.example", "10.77.0.12"
PASSWORD = "mulberry on the hill"  # of the account that searches
SECRET = slapd.SECRET  # everybody's
SERVERS: Release = "12"  # Debian's release of the directories, whatever the host's: it has PostfixAdmin
PACKAGES = (
    "slapd", "mariadb-server", "postgresql", "openssl",
    "php-cli", "php-mysql", "php-pgsql", "php-sqlite3", "php-mbstring",
)  # fmt: skip
FETCH = """cd /tmp
apt-get -qq -o APT::Sandbox::User=root download postfixadmin
dpkg-deb -x postfixadmin_*.deb /
rm postfixadmin_*.deb
mkdir -p /usr/share/php
echo '<?php $dbtype = $dbuser = $dbpass = $dbserver = $dbname = $dbport = "";' >/usr/share/php/dbconfig.inc.php
"""
POSTFIXADMIN = """<?php
$CONF["configured"] = true;
$CONF["database_type"] = getenv("TYPE");
$CONF["database_host"] = "localhost";
$CONF["database_user"] = "postfixadmin";
$CONF["database_password"] = "making";
$CONF["database_name"] = getenv("NAME");
$CONF["encrypt"] = getenv("ENCRYPT") ?: "php_crypt:SHA512";
$CONF["password_validation"] = array();
$CONF["default_aliases"] = array();
$CONF["domain_quota"] = "NO";
$CONF["emailcheck_resolve_domain"] = "NO";
"""
# Who is made with which hash. PostfixAdmin writes the last one with its scheme, the others without.
HASHES = {
    "alice": "php_crypt:SHA512",
    "bob": "php_crypt:BLOWFISH",
    "carol": "md5crypt",
    "dave": "php_crypt:SHA256",
    "erin": "sha512.b64",
}
SQLITE = "/srv/postfixadmin.db"
# Statements that PostgreSQL and MariaDB both understand; the tables are those of the ISPmail guide.
ISPMAIL = """
CREATE TABLE virtual_domains (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL);
CREATE TABLE virtual_users (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, domain_id INT NOT NULL,
  email VARCHAR(100) NOT NULL UNIQUE, password VARCHAR(150) NOT NULL, quota BIGINT(11) NOT NULL DEFAULT 0,
  FOREIGN KEY (domain_id) REFERENCES virtual_domains(id) ON DELETE CASCADE);
CREATE TABLE virtual_aliases (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, domain_id INT NOT NULL,
  source VARCHAR(100) NOT NULL, destination VARCHAR(100) NOT NULL,
  FOREIGN KEY (domain_id) REFERENCES virtual_domains(id) ON DELETE CASCADE);
INSERT INTO virtual_domains VALUES (1, 'provider.example');
INSERT INTO virtual_aliases VALUES (1, 1, 'info@provider.example', 'alice@provider.example');
"""


def directories_layer() -> Layer:
    """The three servers with their people, powered off."""
    packages = packages_layer(SERVERS, "people", PACKAGES, print)
    ground = ensure("peopled", SERVERS, [FETCH], packages, lambda tree: in_chroot(packages, tree, FETCH), print)
    script = "\n".join(["set -e", papers(), ldap(), databases()])

    def build(tree: Path) -> None:
        space = Namespace("directories")
        root = Root(
            tree.parent / "root", ground, name="directories", hostname=NAME, engine=choose_engine(print),
            netns=space.net,
        )  # fmt: skip
        try:
            root.up()
            root.run(["sh", "-e"], text=script)
            root.freeze(tree)
        finally:
            root.discard()
            space.close()

    return ensure("directories", SERVERS, [script], ground, build, print)


def papers() -> str:
    """A certificate for the three servers, which vouches for itself."""
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650"
    names = f"-subj /CN={NAME} -addext subjectAltName=DNS:{NAME}"
    lines = [f"{request} {names} -out /etc/ldap/cert.pem -keyout /etc/ldap/key.pem", "chmod 644 /etc/ldap/cert.pem"]
    for user, folder in (("openldap", "/etc/ldap"), ("mysql", "/etc/mysql"), ("postgres", "/etc/postgresql/15/main")):
        if user != "openldap":
            lines.append(f"cp /etc/ldap/cert.pem /etc/ldap/key.pem {folder}/")
        lines.append(f"chown {user}: {folder}/key.pem; chmod 600 {folder}/key.pem")
    return "\n".join(lines)


def file(path: str, text: str) -> str:
    return f"printf %s {shlex.quote(text)} >{path}"


def ldap() -> str:
    """slapd with our suffixes, filled while it does not run."""
    lines = [
        "systemctl stop slapd",
        "rm -rf /etc/ldap/slapd.d /var/lib/ldap/*",
        *(f"mkdir -p /var/lib/ldap/{suffix.removeprefix('dc=')}" for suffix in slapd.SUFFIXES),
        file("/etc/ldap/schema/trial.schema", slapd.SCHEMA),
        file("/etc/ldap/slapd.conf", slapd.configuration()),
        "sed -i 's|^SLAPD_CONF=.*|SLAPD_CONF=/etc/ldap/slapd.conf|; s|^SLAPD_SERVICES=.*|SLAPD_SERVICES=\"ldap:/// ldapi:///"
        " ldaps:///\"|' /etc/default/slapd",
    ]
    for suffix in slapd.SUFFIXES:
        lines += [
            file("/tmp/people.ldif", slapd.ldif(suffix, PASSWORD)),
            f"slapadd -q -f /etc/ldap/slapd.conf -b {suffix} -l /tmp/people.ldif",
        ]
    return "\n".join([*lines, "chown -R openldap: /var/lib/ldap", "systemctl start slapd"])


def databases() -> str:
    """MariaDB and PostgreSQL reachable by TLS, the schemas, and a user `outrider` that may only read."""
    settings = "[mariadbd]\nbind-address = *\nssl_cert = /etc/mysql/cert.pem\nssl_key = /etc/mysql/key.pem\n"
    access = "local all postgres peer\nhost all postfixadmin 127.0.0.1/32 trust\nhost all postfixadmin ::1/128 trust\n"
    access += "hostssl all outrider samenet scram-sha-256\n"
    cluster = "/etc/postgresql/15/main"
    postgres = f"listen_addresses = '*'\nssl_cert_file = '{cluster}/cert.pem'\nssl_key_file = '{cluster}/key.pem'\n"
    maria = [
        "CREATE DATABASE postfixadmin CHARACTER SET utf8mb4",
        "CREATE USER postfixadmin@localhost IDENTIFIED BY 'making'",
        "GRANT ALL ON postfixadmin.* TO postfixadmin@localhost",
        "CREATE DATABASE mailserver CHARACTER SET utf8mb4",
        f"CREATE USER outrider@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL",
        # more than it needs: what it must not do is refused by its own session
        "GRANT ALL ON postfixadmin.* TO outrider@'%'",
        "GRANT ALL ON mailserver.* TO outrider@'%'",
    ]
    return "\n".join(
        [
            file("/etc/mysql/mariadb.conf.d/90-trial.cnf", settings),
            file(f"{cluster}/pg_hba.conf", access),
            file(f"{cluster}/conf.d/trial.conf", postgres),
            "systemctl restart mariadb postgresql",
            f"mariadb -e {shlex.quote('; '.join(maria))}",
            f"mariadb mailserver -e {shlex.quote(ISPMAIL)}",
            "runuser -u postgres -- psql -qc 'CREATE ROLE postfixadmin LOGIN'",
            f"runuser -u postgres -- psql -qc \"CREATE ROLE outrider LOGIN SUPERUSER PASSWORD '{PASSWORD}'\"",
            "runuser -u postgres -- createdb -O postfixadmin -E UTF8 -T template0 postfixadmin",
            file("/etc/postfixadmin/config.local.php", POSTFIXADMIN),
            "cd /usr/share/postfixadmin/public",
            *(postfixadmin(kind, name) for kind, name in TYPES.items()),
            ispmail(),
        ]
    )


TYPES = {"mysqli": "postfixadmin", "pgsql": "postfixadmin", "sqlite": SQLITE}


def postfixadmin(kind: str, name: str) -> str:
    """Tables and people of one engine, by PostfixAdmin itself."""
    command = "php ../scripts/postfixadmin-cli.php"
    password = shlex.quote(SECRET)

    def add(what: str, *options: str, encrypt: str = "") -> str:
        # It ends with 0 even when it refused: the word is what counts.
        told = f"ENCRYPT={encrypt} " if encrypt else ""
        return f"{told}{command} {what} {' '.join(options)} 2>&1 | grep -q 'has been\\|have been'"

    lines = [f"export TYPE={kind} NAME={name}", f"touch {name}" if kind == "sqlite" else ":"]
    lines.append("php upgrade.php >/tmp/upgrade.html 2>&1 || { cat /tmp/upgrade.html; exit 1; }")
    for domain in ("provider.example", "second.example", "shut.example"):
        lines.append(add(f"domain add {domain}", "--active 1 --description x --mailboxes 0 --aliases 0"))
    people = [*((f"{local}@provider.example", scheme) for local, scheme in HASHES.items()), ("eve@shut.example", "")]
    for address, scheme in people:
        told = f"--password {password} --password2 {password} --active 1 --name x"
        lines.append(add(f"mailbox add {address}", told, encrypt=scheme))
    lines += [
        f"{command} alias add info@provider.example --goto alice@provider.example --active 1",
        f"{command} alias add team@provider.example --goto alice@provider.example,carol@provider.example --active 1",
        add("aliasdomain add second.example", "--target-domain provider.example --active 1", encrypt=""),
        f"{command} mailbox update bob@provider.example --active 0",
        f"{command} domain update shut.example --active 0",
    ]
    return "\n".join(lines)


def ispmail() -> str:
    """The people of the ISPmail tables, with hashes of PHP's, as the guide's readers have them from `doveadm pw`."""
    make = (
        f"$secret = {SECRET!r}; "
        "printf(\"INSERT INTO virtual_users VALUES (1, 1, 'alice@provider.example', '{BLF-CRYPT}%s', 1048576);"
        " INSERT INTO virtual_users VALUES (2, 1, 'bob@provider.example', '{SHA256-CRYPT}%s', 0);\", "
        "password_hash($secret, PASSWORD_BCRYPT, [\"cost\" => 5]), crypt($secret, '$5$saltsaltsalt$'));"
    )
    return f"php -r {shlex.quote(make)} | mariadb mailserver"


class Directories:
    """The running servers: stop, start, freeze, thaw each by its unit."""

    def __init__(self, folder: Path, layer: Layer, netns: Path) -> None:
        self.certificate = layer.tree / "etc/ldap/cert.pem"
        self.sqlite = layer.tree / SQLITE.lstrip("/")
        self.root = Root(folder, layer, name="directories", hostname=NAME, engine=choose_engine(print), netns=netns)
        self.root.up()

    def run(self, *command: str, text: str | None = None) -> str:
        return self.root.run(list(command), text=text).stdout

    def stop(self, unit: str) -> None:
        self.run("systemctl", "stop", unit)

    def start(self, unit: str) -> None:
        self.run("systemctl", "start", unit)

    def freeze(self, unit: str) -> None:
        """Its processes do not run on: the kernel still accepts connections, and nobody answers."""
        self.run("systemctl", "kill", "--signal=STOP", unit)

    def thaw(self, unit: str) -> None:
        self.run("systemctl", "kill", "--signal=CONT", unit)

    def close(self) -> None:
        self.root.down()


HOST_RELEASE: Release = "13" if "13" in WANTED else WANTED[-1]  # one suffices for what is not a package of Debian's
TAGS = ("--tags", "outrider,authd,policy,hkpd")  # the roles that read the variables of a directory
LDAP = {
    "kind": "ldap",
    "preset": "qmail",
    "uri": f"ldaps://{NAME}",
    "base": "ou=people,dc=qmail",
    "bind_dn": f"{slapd.SEARCHER},dc=qmail",
    "nobody_dn": "uid=nobody,ou=people,dc=qmail",
}


def switched(settings: Mapping[str, object], authorities: Path) -> dict[str, object]:
    """The playbook's variables of an operator who has this directory."""
    return {
        "outrider_directory": dict(settings),
        "outrider_directory_password": PASSWORD,
        "outrider_directory_authorities": str(authorities),
    }


def host_layer(servers: Layer) -> Layer:
    """A converged host that the playbook has switched to LDAP; nobody has to answer for that."""
    ground = converged(HOST_RELEASE, print)
    papers = servers.tree / "etc/ldap/cert.pem"
    chosen = {**variables(HOST_RELEASE, print), **switched(LDAP, papers)}

    def build(tree: Path) -> None:
        world = World(tree.parent / "world", ground, print, authority=authority().ca)
        try:
            world.up()
            play(tree.parent / "ansible", {"host": world.root.run_script}, chosen, print, options=TAGS)
            world.root.freeze(tree)
        finally:
            world.close()
            shutil.rmtree(world.folder)

    key = [json.dumps(chosen, sort_keys=True), papers.read_text(), *TAGS]
    return ensure("on-ldap", HOST_RELEASE, key, ground, build, print)


@pytest.fixture(scope="session")
def directory_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with its people in LDAP, whose name server knows the directories' name."""
    need_root()
    with ThreadPoolExecutor(1) as pool:
        ground = pool.submit(converged, HOST_RELEASE, print)
        servers = directories_layer()
        ground.result()
    made = Host(HOST_RELEASE, tmp_path_factory.mktemp("directory-"), host_layer(servers))
    made.dns.add("provider.example", f"people A {ADDRESS}\npeople AAAA {six(ADDRESS)}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def directories(directory_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directories]:
    """On the bridge of that host."""
    network = directory_host.world.bridge.host(ADDRESS).net
    made = Directories(tmp_path_factory.mktemp("directories-"), directories_layer(), network)
    yield made
    made.close()
