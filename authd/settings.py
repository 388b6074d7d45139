"""The section [authd] of the configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from authd.origin import Fronts
from outrider.listeners import Listener
from outrider.settings import setting

LISTENERS = (
    Listener(
        protocol="auth-client",
        path="/var/spool/postfix/outrider/auth",
        owner="postfix",
        group="postfix",
        peer="postfix",
        services=("smtp",),
        trust_rip=True,
    ),
    Listener(
        protocol="auth-client",
        path="/run/outrider/auth-login",
        peer="dovecot",
        services=("imap", "pop3", "sieve", "smtp"),
        trust_rip=True,
    ),
    Listener(protocol="auth-master", path="/run/outrider/auth-master", peer="dovecot"),
    Listener(protocol="auth-admin", path="/run/outrider/auth-admin"),
    Listener(protocol="admin", address="127.0.0.1:9311"),
)


@dataclass(frozen=True)
class AuthdSettings:
    """Who may log in."""

    listeners: tuple[Listener, ...] = setting(
        LISTENERS,
        help="Sockets, one per consumer. Protocols: auth-client, auth-master, auth-admin, admin.",
    )
    key: str = setting("credential:auth.key", help="`credential:NAME` of the key file of the tokens' secrets.")
    hash_threads: int = setting(
        0, help="Password hashes at a time, 0 = one per core (at most 64); each takes 19 MiB and a core for 40 ms."
    )
    default_level: int = setting(3, help="Level (0-4) that an account gets with its first confirmed token.")
    issuer: str = setting("", help="Name in authenticator apps, without a colon; empty = the provider's domain.")
    yubikey_keyboards: bool = setting(False, help="Read Yubikeys also as typed in upper case or on a Dvorak keyboard.")
    yubicloud_urls: tuple[str, ...] = setting(
        ("https://api.yubico.com/wsapi/2.0/verify",),
        help="Validation servers (protocol 2.0), https alone; all are asked at once.",
    )
    yubicloud_id: str = setting("", help="Our client number at the validation servers; empty = no such tokens.")
    yubicloud_key: str = setting(
        "credential:yubicloud.key", help="`credential:NAME` of the file with our key there, base64."
    )
    yubicloud_authorities: str = setting(
        "", help="File with the authorities of the servers' certificates; empty = the system's."
    )
    mail_uid: str = setting("vmail", help="System user, by name or number, that owns all mail.")
    mail_gid: str = setting("vmail", help="System group, by name or number, that owns all mail.")
    mail_home: str = setting(
        "/var/vmail/{domain}/{local}", help="Home directory of an account; must contain {domain} and {local}."
    )
    quota_field: Literal["quota_rule", "quota_storage_size"] = setting(
        "quota_rule", help="userdb field of an account's quota: quota_rule = Dovecot 2.3, quota_storage_size = 2.4."
    )

    trusted_fronts: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"),
        help="Networks of proxies and webmails: never a user's own address, and never taken for an attacker's.",
    )
    audit_days: int = setting(7, help="Days that an owner can look back on his logins (0 to 365); 0 = nothing is kept.")
    mode: Literal["enforce", "shadow"] = setting(
        "enforce", help="shadow = judge what another passdb decides, report disagreements, let nobody in."
    )

    def __post_init__(self) -> None:
        if not self.yubicloud_urls or not all(map(_is_https, self.yubicloud_urls)):
            raise ValueError(
                "yubicloud_urls: expected addresses that begin with https://, with a host, without a query"
            )
        try:
            Fronts(self.trusted_fronts)
        except ValueError as error:
            raise ValueError(f"trusted_fronts: {error}") from None
        if not 0 <= self.audit_days <= 365:
            raise ValueError("audit_days: expected 0 to 365")
        if not 0 <= self.hash_threads <= 64:
            raise ValueError("hash_threads: expected 0 to 64")
        if not 0 <= self.default_level <= 4:
            raise ValueError("default_level: expected 0 to 4")
        if ":" in self.issuer:
            raise ValueError("issuer: no colon")
        if not self.mail_home.startswith("/") or not {"{domain}", "{local}"} <= set(_braces(self.mail_home)):
            raise ValueError("mail_home: must be absolute and contain {domain} and {local}")


def _is_https(url: str) -> bool:
    """An address that a question can be put to: nothing is ever asked without TLS."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and not (parts.query or parts.username)
        )
    except ValueError:
        return False


def _braces(text: str) -> list[str]:
    """The words in braces of a template."""
    return ["{" + piece.partition("}")[0] + "}" for piece in text.split("{")[1:]]
