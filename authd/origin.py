"""Where a login comes from: the user's address and network, or nothing where only a front is known. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login came from."""

    address: str = ""
    """The user's address; empty: nobody knows."""
    network: str = ""
    """What counts as one: a /24 of IPv4, a /64 of IPv6 (whoever has one has all of it: RFC 4291, 2.5.4)."""


class Fronts:
    """Addresses that are never a user's: proxies and webmails. They are never taken for the attacker."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        """ValueError: one of them is no network."""
        self._networks = tuple(ipaddress.ip_network(one) for one in networks)

    def origin(self, told: str) -> Origin:
        """The origin of a login whose client address is told as `told`; a front's own says nothing about the user."""
        try:
            address = ipaddress.ip_address(told.partition("%")[0])
        except ValueError:
            return Origin()
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._networks):
            return Origin()
        length = 24 if address.version == 4 else 64
        return Origin(str(address), str(ipaddress.ip_network((address, length), strict=False)))
