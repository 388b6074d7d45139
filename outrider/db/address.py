"""Where a PostgreSQL database is: the URL of `[outrider] database`, read without the driver.

    postgresql://USER@HOST[:PORT][,HOST2[:PORT]…]/NAME[?sslmode=…][&sslrootcert=FILE]

The words are libpq's (PostgreSQL documentation, 32.1.1.2 and 32.1.2), percent-encoded where they hold special
characters. A host that begins with `/` (written `%2F`), or none at all, is the folder of a Unix socket; an IPv6 address
stands in brackets. A password never stands in the URL: it would be shown wherever the configuration is.

sslmode=verify-full    TLS, certificate and name checked: the default for hosts, against the system's authorities or
                       those in the file `sslrootcert`
sslmode=require        TLS, nothing checked: whoever sits between can read and write everything
sslmode=disable        no TLS
"""

import re
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import parse_qsl, unquote

SOCKET_FOLDER = "/run/postgresql"  # where Debian's packages have it
DEFAULT_PORT = 5432
MODES = ("verify-full", "require", "disable")

# urllib knows one host in a URL, so the parts are found here.
CREDENTIALS, HOSTS, NAME, QUERY = (
    r"((?P<credentials>[^@/?#]*)@)?", r"(?P<hosts>[^@/?#]*)", r"(/(?P<name>[^/?#]*))?", r"(\?(?P<query>[^#]*))?"
)  # fmt: skip
URL = re.compile(f"(?P<scheme>[a-z]+)://{CREDENTIALS}{HOSTS}{NAME}{QUERY}")

Tls = Literal["verify-full", "require", "disable"]


@dataclass(frozen=True)
class Host:
    """A server: a name or address, or the folder of its Unix socket."""

    name: str
    port: int = DEFAULT_PORT

    @property
    def local(self) -> bool:
        return self.name.startswith("/")

    def __str__(self) -> str:
        return self.name if self.port == DEFAULT_PORT else f"{self.name}:{self.port}"


@dataclass(frozen=True)
class PostgresAddress:
    """The URL's parts. `user` and `name` may be None: libpq's defaults hold then (the system user, the user)."""

    hosts: tuple[Host, ...]
    user: str | None = None
    name: str | None = None
    tls: Tls = "verify-full"
    authorities: str | None = None
    """File with certificates of authorities, PEM; None = the system's."""


def read_address(url: str, scheme: str = "postgresql", port: int = DEFAULT_PORT) -> PostgresAddress:
    """The parts of a URL; ValueError says what is wrong with it, without showing what could be a password."""
    found = URL.fullmatch(url)
    if found is None or found["scheme"] != scheme:
        raise ValueError(f"expected {scheme}://USER@HOST/NAME")
    user, colon, _ = (found["credentials"] or "").partition(":")
    if colon:
        raise ValueError("a password stands in a file (database_password), not in the URL")
    options = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    mode = options.pop("sslmode", MODES[0])
    authorities = options.pop("sslrootcert", None)
    if mode not in MODES:
        raise ValueError(f"sslmode: expected one of {', '.join(MODES)}")
    if options:
        raise ValueError(f"{min(options)}: unknown; the URL takes sslmode and sslrootcert")
    return PostgresAddress(
        tuple(read_host(one, port) for one in found["hosts"].split(",")),
        unquote(user) or None,
        unquote(found["name"] or "") or None,
        cast(Tls, mode),
        authorities or None,
    )


def read_host(text: str, default: int = DEFAULT_PORT) -> Host:
    """`HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT`, `%2FFOLDER`, or nothing."""
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or rest[:1] not in {"", ":"}:
            raise ValueError("a host has an opening bracket and no closing one")
        port = rest[1:]
    else:
        name, _, port = text.partition(":")
    if port and not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ValueError("a host's port is no number (an IPv6 address stands in brackets)")
    return Host(unquote(name) or SOCKET_FOLDER, int(port or default))
