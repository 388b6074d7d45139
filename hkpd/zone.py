"""The DNS lines by which programs find the keyserver.

    keys.D, openpgpkey.D          the host; gpg asks openpgpkey.D by itself (Web Key Directory)
    _hkp._tcp.D, _hkps._tcp.D     where a domain's keyserver is: OX Guard, OpenKeychain, Seahorse

`_pgpkey-http._tcp` and `_pgpkey-https._tcp` are left out on purpose: with a single record gpg's dirmngr takes the
record's port and connects to the domain itself, which is usually a web server.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dns.name
import dns.rdata
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import RdataType

TTL = 3600  # seconds; a keyserver moves rarely
HKP_PORT, HKPS_PORT = 11371, 443


@dataclass(frozen=True)
class Line:
    """One record of the zone."""

    name: str
    ttl: int
    kind: str
    data: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.name}\t{self.ttl}\tIN\t{self.kind}\t{self.data}"


def zone_lines(domain: str, hostname: str, addresses: Sequence[str] = ()) -> list[Line]:
    """The records for `domain` (folded). Without addresses, keys.D and openpgpkey.D are aliases of `hostname`."""
    keys = f"keys.{domain}"
    lines = []
    for name, purpose in (
        (keys, "keyserver: hkps://" + keys),
        (f"openpgpkey.{domain}", "Web Key Directory, asked by gpg itself"),
    ):
        lines += [_line(name, data, purpose) for data in _host(hostname, addresses)]
    for service, port, purpose in (("_hkp", HKP_PORT, "keyserver, plain"), ("_hkps", HKPS_PORT, "keyserver, TLS")):
        data = dns.rdata.from_text(IN, RdataType.SRV, f"0 0 {port} {keys}.")
        lines.append(_line(f"{service}._tcp.{domain}", data, purpose))
    return lines


def _host(hostname: str, addresses: Sequence[str]) -> list[Rdata]:
    """dns.exception.SyntaxError for what is no address."""
    if not addresses:
        return [dns.rdata.from_text(IN, RdataType.CNAME, f"{hostname.removesuffix('.')}.")]
    return [
        dns.rdata.from_text(IN, RdataType.AAAA if ":" in address else RdataType.A, address) for address in addresses
    ]


def _line(name: str, data: Rdata, purpose: str) -> Line:
    return Line(dns.name.from_text(name).to_text(), TTL, RdataType.to_text(data.rdtype), data.to_text(), purpose)
