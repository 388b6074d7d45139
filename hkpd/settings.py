"""The section [hkpd] of the configuration file."""

from dataclasses import dataclass

from outrider.listeners import Listener
from outrider.settings import setting

LISTENERS = (
    Listener("http-hkp", address="[::]:11371"),
    Listener("http-hkp", address="0.0.0.0:11371"),
    Listener("http-front", path="/run/outrider/http-hkpd", owner="www-data", group="www-data", trust_rip=True),
    Listener("hkpd-admin", path="/run/outrider/hkpd-admin"),
    Listener("admin", address="127.0.0.1:9313"),
)


@dataclass(frozen=True)
class HkpdSettings:
    """The OpenPGP keyserver of the provider's own users."""

    listeners: tuple[Listener, ...] = setting(
        LISTENERS,
        help="Sockets; protocols are `http-hkp` (plain, look-ups), `http-front` (behind TLS), `hkpd-admin`, `admin`.",
    )
    connections: int = setting(1000, help="Connections open at a time on each HTTP listener, 1 to 100000.")
    connections_per_network: int = setting(
        64, help="Of these from one IPv4 /24 or IPv6 /64, 1 to 100000; not counted behind the TLS front."
    )
    dns_addresses: tuple[str, ...] = setting(
        (), help="IP addresses of this host for `outrider dns`; empty = the names become aliases of `hostname`."
    )

    def __post_init__(self) -> None:
        for name in ("connections", "connections_per_network"):
            if not 1 <= getattr(self, name) <= 100_000:
                raise ValueError(f"{name}: expected 1 to 100000, found {getattr(self, name)}")

    def admin_socket(self) -> str:
        """Where the command line finds the daemon."""
        return next((one.path for one in self.listeners if one.protocol == "hkpd-admin"), "/run/outrider/hkpd-admin")
