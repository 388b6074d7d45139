"""Networks that a credential is bound to: lists of CIDR blocks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The blocks of a list; a single address is a block of one. ValueError where one is none."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def within(address: str, blocks: Iterable[Network]) -> bool:
    """Whether a client's address lies in one of the blocks; what is no address lies nowhere."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in block for block in blocks if block.version == found.version)
