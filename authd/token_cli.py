"""Commands of `outrider` about tokens; all of them ask the running authd, which alone holds the key."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import segno

from authd.asking import ask
from authd.methods import NAMES, hotp, totp
from outrider.cli import NO, Add, Answer, Context, UsageError, arg
from outrider.people import Refused

FORMATS = ("pskc", "ksm", "privacyidea", "csv")
DIGITS_OF_OTP = 32
"""Letters at the end of what a Yubikey types; its public id stands before them."""


def commands(add: Add) -> None:
    """Registered by authd.cli."""
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    token = arg("token", metavar="TOKEN", type=int, help="number of the token")
    kind = arg("kind", metavar="KIND", choices=list(NAMES), help=", ".join(NAMES))
    options = [
        arg("--label", default="", help="the owner's name for it"),
        arg("--algorithm", choices=list(hotp.HASHES), help="hash of totp and hotp; default SHA1"),
        arg("--digits", type=int, choices=hotp.DIGITS, help="of totp and hotp; default 6"),
        arg("--period", type=int, choices=totp.PERIODS, help="seconds of totp; default 30"),
        arg("--counter", type=int, help="the next one of hotp; default 0"),
        arg("--secret", action="store_true", help="there is a secret already: asked for, or a line of standard input"),
        arg("--public-id", help="what a Yubikey types before its code"),
        arg("--aes-key", action="store_true", help="a Yubikey's private id and AES key: asked for, or two lines"),
    ]
    add("token", "add", token_add, help="a new second factor, to be confirmed", arguments=[account, kind, *options])
    add("token", "confirm", token_confirm, help="confirm it with one code", arguments=[account, token])
    add("token", "list", token_list, help="list an account's tokens", arguments=[account])
    add("token", "disable", token_disable, help="take a token out of use", arguments=[account, token])
    add("token", "resync", token_resync, help="find a token that is out of step", arguments=[account, token])
    add("token", "recovery", token_recovery, help="new recovery codes in place of all old ones", arguments=[account])
    imported = [
        arg("file", metavar="FILE", type=Path),
        arg("--format", required=True, choices=FORMATS),
        arg("--account", help="whose they are, where the file does not say so"),
        arg("--level", type=int, choices=range(5), help="for accounts that have none; default: the configured one"),
        arg("--key", action="store_true", help="the file's key in hex or its passphrase: asked for, or a line"),
        arg("--openpgp-key", metavar="KEYFILE", type=Path, help="secret key that the file is encrypted to"),
    ]
    add("token", "import", token_import, help="tokens from elsewhere, or bought Yubikeys", arguments=imported)


async def token_add(context: Context, options: argparse.Namespace) -> Answer:
    asked = {name: getattr(options, name) for name in ("kind", "label", "algorithm", "digits", "period", "counter")}
    data = await ask(context, "token add", account=options.account, **asked, **secrets_of(context, options))
    confirm = f"  outrider token confirm {options.account} {data['token']}"
    return Answer(data, "\n".join([*shown(data), f"token {data['token']} waits for its first code:", confirm]))


def secrets_of(context: Context, options: argparse.Namespace) -> dict[str, str]:
    """What the owner brings, in the order of its lines on standard input."""
    brought = {}
    if options.secret:
        brought["secret"] = context.read_secret("secret")
    if options.kind == "motp":
        brought["pin"] = context.read_secret("PIN")
    if options.aes_key:
        brought["private_id"] = context.read_secret("private id")
        brought["aes_key"] = context.read_secret("AES key")
    if options.public_id is not None:
        brought["public_id"] = options.public_id
    elif options.kind == "yubicloud":
        brought["public_id"] = context.read_secret("press the key's button")[:-DIGITS_OF_OTP]
    return brought


def shown(data: dict[str, Any]) -> list[str]:
    """What goes into the app or the key, once."""
    if "uri" in data:
        drawn = io.StringIO()
        segno.make(data["uri"], error="m").terminal(out=drawn, compact=True)
        return [drawn.getvalue(), data["uri"], ""]
    if "aes_key" in data:
        written = f"--public-id {data['public_id']} --private-id {data['private_id']} --key {data['aes_key']}"
        return ["write this into the key, for example into its second slot:", f"  ykman otp yubiotp 2 {written}", ""]
    return []


async def token_confirm(context: Context, options: argparse.Namespace) -> Answer:
    code = context.read_secret("code")
    data = await ask(context, "token confirm", account=options.account, token=options.token, code=code)
    text = f"token {data['token']} is active; the account's level is {data['level']}"
    return Answer(data, "\n".join([text, *recovery_codes(data)]))


def recovery_codes(data: dict[str, Any]) -> list[str]:
    """With the sentence that their owner has to read."""
    codes = data.get("recovery_codes")
    if not codes:
        return []
    return ["", "recovery codes, shown only now; each is good once, on the web, in the place of a code:", *codes]


async def token_recovery(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "token recovery", account=options.account)
    return Answer(data, "\n".join(recovery_codes(data)[1:]))


async def token_list(context: Context, options: argparse.Namespace) -> Answer:
    data = (await ask(context, "token list", account=options.account))["tokens"]
    return Answer(data, "\n".join(map(listed, data)) or "no tokens")


def listed(one: dict[str, Any]) -> str:
    """One token for people."""
    state = "locked" if one["locked"] else one["state"]
    return "  ".join(filter(None, (str(one["token"]), one["kind"], state, one["public_id"], one["label"])))


async def token_disable(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "token disable", account=options.account, token=options.token)
    return Answer(data, f"token {data['token']} is disabled")


async def token_resync(context: Context, options: argparse.Namespace) -> Answer:
    codes = [context.read_secret("code"), context.read_secret("the next code")]
    data = await ask(context, "token resync", account=options.account, token=options.token, codes=codes, operator=True)
    return Answer(data, f"token {data['token']} is in step again; it was {data['steps']} steps ahead")


async def token_import(context: Context, options: argparse.Namespace) -> Answer:
    from authd.imports import FORMATS as PARSERS  # noqa: PLC0415 - an import is rare
    from authd.imports import BadFile  # noqa: PLC0415

    data = file_of(context, options)
    key = context.read_secret("key or passphrase of the file") if options.key else None
    try:
        rows = PARSERS[options.format](data, key)
    except BadFile as error:
        raise UsageError(f"{options.file}: {error}") from None
    done: dict[str, Any] = {"imported": 0, "stock": 0, "refused": []}
    for row in rows:
        owner = row.account or options.account
        try:
            found = await ask(context, "token import", account=owner, level=options.level, **row.fields)
        except Refused as error:
            done["refused"].append({"place": row.place, "account": owner, "why": str(error)})
        else:
            done["stock" if found["state"] == "stock" else "imported"] += 1
    lines = [f"{one['place']}: {one['why']}" for one in done["refused"]]
    lines.append(f"imported {done['imported']}, into stock {done['stock']}, refused {len(done['refused'])}")
    return Answer(done, "\n".join(lines), status=NO if done["refused"] else 0)


def file_of(context: Context, options: argparse.Namespace) -> bytes:
    """The file's content, decrypted where that is needed."""
    from outrider.openpgp.messages import NotOpened, decrypted, is_message  # noqa: PLC0415

    try:
        data: bytes = options.file.read_bytes()
        secret_key = options.openpgp_key.read_bytes() if options.openpgp_key else None
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    if not is_message(data):
        return data
    if secret_key is None:
        raise UsageError(f"{options.file} is encrypted with OpenPGP: name the secret key with --openpgp-key")
    try:
        return decrypted(data, secret_key)
    except NotOpened:  # perhaps the key has a passphrase
        passphrase = context.read_secret("passphrase of the secret key")
    try:
        return decrypted(data, secret_key, passphrase)
    except NotOpened:
        raise UsageError(f"{options.file} does not open with {options.openpgp_key}") from None
