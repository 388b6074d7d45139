"""Where a login comes from: the user's address and network, or nothing where only a front is known. Pure."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

ADDRESSES_MOST = 4096
"""Remembered as they were read: the same programs come again and again, and reading an address takes 15 µs."""


class Fronts:
    """Addresses that are never a user's: proxies and webmails. They are never taken for the attacker."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        """ValueError: one of them is no network."""
        self._networks = tuple(ipaddress.ip_network(one) for one in networks)
        self.user = lru_cache(ADDRESSES_MOST)(self._user)
        """The user's address, where the client's is told so; empty: that of a front says nothing about him."""

    def _user(self, told: str) -> str:
        try:
            address = ipaddress.ip_address(told.partition("%")[0])
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return "" if any(address in network for network in self._networks) else str(address)


@lru_cache(ADDRESSES_MOST)
def network_of(address: str) -> str:
    """What counts as one: a /24 of IPv4, a /64 of IPv6 (whoever has one has all of it: RFC 4291, 2.5.4)."""
    if not address:
        return ""
    length = 64 if ":" in address else 24
    return str(ipaddress.ip_network((address, length), strict=False))
