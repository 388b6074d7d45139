"""outrider key publish|list|withdraw, outrider dns"""

import base64
import sys
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.exception

from hkpd.settings import HkpdSettings
from hkpd.zone import zone_lines
from outrider.addresses import fold_domain
from outrider.cli import Add, Answer, Context, UsageError, arg

# As outrider.openpgp.MAX_INPUT, which says why. That package loads the OpenPGP library, and the command line, which
# root runs, does not.
KEY_LIMIT = 256 * 1024


def commands(add: Add) -> None:
    """Register the commands."""
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    add(
        "key",
        "publish",
        key_publish,
        help="publish an account's public OpenPGP key; a key that is published already is renewed",
        arguments=[account, arg("file", metavar="FILE", nargs="?", help="armored or binary; default: standard input")],
    )
    add("key", "list", key_list, help="list an account's published keys", arguments=[account])
    add(
        "key",
        "withdraw",
        key_withdraw,
        help="remove a key from the keyserver at once",
        arguments=[account, arg("fingerprint", metavar="FINGERPRINT", help="the whole fingerprint")],
    )
    add(
        "dns",
        "",
        dns_lines,
        help="print the zone lines by which programs find a domain's keyserver",
        arguments=[
            arg("domain", metavar="DOMAIN"),
            arg("--address", action="append", default=[], metavar="IP", help="address of this host; may be repeated"),
        ],
    )


async def key_publish(context: Context, options: Namespace) -> Answer:
    """The bytes go to the daemon unread."""
    key = key_bytes(options.file)
    answer = await asked(context, do="publish", account=options.account, key=base64.b64encode(key).decode())
    lines = [f"{answer['fingerprint']} is published for {', '.join(answer['addresses'])}"]
    lines += [f"warning: {answer['warning']}"] if answer["warning"] else []
    return Answer(answer, "\n".join(lines))


async def key_list(context: Context, options: Namespace) -> Answer:
    answer = await asked(context, do="list", account=options.account)
    keys = answer["keys"]
    return Answer(keys, "\n".join(described(key) for key in keys) or "no keys")


async def key_withdraw(context: Context, options: Namespace) -> Answer:
    answer = await asked(context, do="withdraw", account=options.account, fingerprint=options.fingerprint)
    return Answer(answer, f"{answer['fingerprint']} is withdrawn")


async def dns_lines(context: Context, options: Namespace) -> Answer:
    """Addresses come from --address, else from the setting; without any the names are aliases of the host name."""
    addresses = options.address or context.configuration.section("hkpd", HkpdSettings).dns_addresses
    try:
        lines = zone_lines(fold_domain(options.domain), context.core.hostname, addresses)
    except (dns.exception.DNSException, ValueError) as error:
        raise UsageError(f"--address: {error}") from None
    data = [{"name": one.name, "ttl": one.ttl, "type": one.kind, "data": one.data} for one in lines]
    return Answer(data, "\n".join(f"{one}\t; {one.purpose}" for one in lines))


async def asked(context: Context, **request: str) -> dict[str, Any]:
    return await context.ask(context.configuration.section("hkpd", HkpdSettings).admin_socket(), request)


def key_bytes(file: str | None) -> bytes:
    """At most one byte more than the daemon takes, so that it can say what is wrong."""
    try:
        if file is None or file == "-":
            return sys.stdin.buffer.read(KEY_LIMIT + 1)
        with Path(file).open("rb") as stream:
            return stream.read(KEY_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None


def described(key: dict[str, Any]) -> str:
    """One line for people."""
    until = "for good" if key["expires"] is None else f"until {day(key['expires'])}"
    state = "revoked" if key["revoked"] else until
    return f"{key['fingerprint']}  {state}  {' '.join(key['addresses']) or 'found by its fingerprint alone'}"


def day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
