"""Sockets: one listener per consumer, made by systemd or, without it, here.

Who can open a socket of authd can claim any service and any client address, so each consumer has its own socket
with an owner and mode 0600. Inherited descriptors are matched by getsockname(), not by order or name, so that the
unit files and the configuration cannot drift apart silently: an inherited socket that no listener names is an error.
"""

import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from outrider.settings import SettingsError, setting

FIRST_INHERITED = 3  # sd_listen_fds(3): SD_LISTEN_FDS_START
BACKLOG = 1024  # connections wait here while a daemon is started by its socket


@dataclass(frozen=True)
class Listener:
    """One socket: where, what is spoken on it, and for whom."""

    protocol: str = setting(help="What is spoken: the daemon's manual page lists the names.")
    path: str = setting("", help="Absolute path of a Unix socket; or `address`.")
    address: str = setting("", help="`HOST:PORT`, an IPv6 host in brackets; or `path`.")
    owner: str = setting("root", help="Owner of the Unix socket.")
    group: str = setting("root", help="Group of the Unix socket.")
    mode: str = setting("0600", help="Mode of the Unix socket, octal.")
    peer: str = setting("", help="Who connects (`postfix`, `dovecot`): decides how trouble is answered.")
    services: tuple[str, ...] = setting((), help="Services a client may name here; all others are refused.")
    trust_rip: bool = setting(False, help="Believe the client address that the peer reports.")

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.address):
            raise ValueError("path: give either path or address")
        if self.path and not self.path.startswith("/"):
            raise ValueError("path: must be absolute")
        if self.address:
            self.endpoint()
        int(self.mode, 8)

    @property
    def name(self) -> str:
        """The socket as getsockname() tells it, for matching and for messages."""
        return self.path or self.address

    def endpoint(self) -> tuple[str, int]:
        """Host and port of `address`."""
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"address: expected HOST:PORT, found {self.address!r}")
        return host.strip("[]"), int(port)


def sockets(listeners: Iterable[Listener]) -> list[tuple[Listener, socket.socket]]:
    """A listening socket for each listener: the inherited one, else one that is bound here."""
    listeners = list(listeners)
    inherited = {name_of(one): one for one in inherited_sockets()}
    if inherited:
        known = {listener.name for listener in listeners}
        strange = sorted(set(inherited) - known)
        if strange:
            raise SettingsError(f"systemd hands over {strange[0]}, which no listener in the configuration names")
    return [(one, inherited.get(one.name) or bound(one)) for one in listeners]


def inherited_sockets() -> list[socket.socket]:
    """The sockets of sd_listen_fds(3); the environment is cleared so that children do not take them."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return []
    found = [socket.socket(fileno=FIRST_INHERITED + number) for number in range(int(count))]
    for one in found:
        one.set_inheritable(False)
        one.setblocking(False)
    return found


def name_of(one: socket.socket) -> str:
    """The same spelling as Listener.name."""
    if one.family == socket.AF_UNIX:
        return str(one.getsockname())
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if one.family == socket.AF_INET6 else f"{host}:{port}"


def bound(listener: Listener) -> socket.socket:
    """Bind the socket ourselves (started without systemd); a stale Unix socket is replaced, a live one is not."""
    if not listener.path:
        host, port = listener.endpoint()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bind_or_explain(one, (host, port), listener)
    else:
        remove_stale(listener.path)
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # nobody may connect before owner and mode are right
        try:
            bind_or_explain(one, listener.path, listener)
        finally:
            os.umask(before)
        give_away(listener)
    one.setblocking(False)
    one.listen(BACKLOG)
    return one


def bind_or_explain(one: socket.socket, where: str | tuple[str, int], listener: Listener) -> None:
    try:
        one.bind(where)
    except OSError as error:
        one.close()
        raise SettingsError(f"cannot listen on {listener.name}: {error.strerror}") from None


def remove_stale(path: str) -> None:
    """Remove a socket that nobody serves any more; anything else at that place is left alone."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
        except OSError:
            return


def give_away(listener: Listener) -> None:
    """Set owner, group and mode; without root they stay the process's own (a developer's run)."""
    if os.geteuid() == 0:
        try:
            owner, group = pwd.getpwnam(listener.owner).pw_uid, grp.getgrnam(listener.group).gr_gid
        except KeyError as error:
            raise SettingsError(f"{listener.name}: {error.args[0]}") from None
        os.chown(listener.path, owner, group)
    Path(listener.path).chmod(int(listener.mode, 8))
