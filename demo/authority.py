"""The demo's own certificate authority and the one certificate its host shows, made once and kept in the cache."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from demo.layers import exclusively
from demo.names import TLS_NAMES
from demo.places import cache

YEARS = 10  # of the authority
DAYS = 397  # of the host's certificate: browsers refuse longer ones
RENEW_DAYS = 30  # a demo must not run out while somebody looks at it
DOMAINS = ("provider.example", *(f"{name}.provider.example" for name in TLS_NAMES))


@dataclass(frozen=True)
class Authority:
    """Paths of PEM files: `ca` for clients, `certificate` and `key` for the host."""

    ca: Path
    certificate: Path
    key: Path


def authority() -> Authority:
    """The cache's authority, made if missing; the host's certificate is renewed when it runs out or lacks a name."""
    folder = cache() / "authority"
    folder.mkdir(mode=0o700, exist_ok=True)
    paths = Authority(folder / "ca.pem", folder / "host.pem", folder / "host.key")
    with exclusively("authority"):
        if not paths.ca.exists():
            make_ca(folder)
        if not paths.certificate.exists() or outdated(paths.certificate):
            make_certificate(folder, paths)
    return paths


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
    )


CA_NAME = "Outrider demo authority"


def make_ca(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    draft = builder(CA_NAME, CA_NAME, key, 365 * YEARS)
    draft = draft.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    draft = draft.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    draft = draft.add_extension(usage(sign_certificates=True), critical=True)
    write_key(folder / "ca.key", key)
    (folder / "ca.pem").write_bytes(draft.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def make_certificate(folder: Path, paths: Authority) -> None:
    ca = x509.load_pem_x509_certificate(paths.ca.read_bytes())
    ca_key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    draft = builder("mail.provider.example", CA_NAME, key, DAYS)
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in DOMAINS])
    draft = draft.add_extension(names, critical=False)
    draft = draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    draft = draft.add_extension(usage(sign_certificates=False), critical=True)
    draft = draft.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    draft = draft.add_extension(issuer, critical=False)
    write_key(paths.key, key)
    issued = draft.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    paths.certificate.write_bytes(issued + ca.public_bytes(Encoding.PEM))


def usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def outdated(path: Path) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
    return left < dt.timedelta(days=RENEW_DAYS) or set(names.get_values_for_type(x509.DNSName)) != set(DOMAINS)
