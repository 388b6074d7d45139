"""Commands of `outrider` about second factors: all of them ask the running authd, which alone holds the key."""

from __future__ import annotations

import argparse
import time
from typing import Any

from authd import operations_cli, token_cli
from authd.asking import ask
from authd.methods.app_password import SCOPES
from outrider.cli import Add, Answer, Context, UsageError, arg

DAY_SECONDS = 86400


def commands(add: Add) -> None:
    """Registered by the entry point group `outrider.commands`."""
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    label = arg("--label", default="", help="the owner's name for it")
    secret = arg("app_password", metavar="ID", type=int, help="number of the app password")
    scope = arg("--scope", required=True, help=f"services, comma between: {','.join(SCOPES)}")
    days = arg("--expires", metavar="DAYS", type=int, help="days that it is valid; default: for ever")
    level = arg("level", metavar="LEVEL", nargs="?", type=int, choices=range(5), help="0 to 4; none: show it")
    networks = arg("--network", metavar="CIDR", action="append", help="from where alone it is good; may be repeated")
    factor = arg("factor", metavar="FACTOR", nargs="?", choices=["password", "pin"], help="what stands before a code")
    add(
        "app-password",
        "add",
        app_password_add,
        help="a password for one program, shown once",
        arguments=[account, scope, label, days, networks],
    )
    add("app-password", "list", app_password_list, help="list an account's app passwords", arguments=[account])
    add("app-password", "revoke", app_password_revoke, help="end an app password", arguments=[account, secret])
    add("user", "level", user_level, help="show or set an account's level", arguments=[account, level])
    add("user", "factor", user_factor, help="password or PIN before a code; none: show it", arguments=[account, factor])
    token_cli.commands(add)
    operations_cli.commands(add)


async def app_password_add(context: Context, options: argparse.Namespace) -> Answer:
    if options.expires is not None and options.expires < 1:
        raise UsageError("--expires: expected a number of days")
    expires = None if options.expires is None else context.now() + options.expires * DAY_SECONDS
    scopes = [scope.strip() for scope in options.scope.split(",")]
    data = await ask(
        context,
        "app-password add",
        account=options.account,
        scopes=scopes,
        label=options.label,
        networks=options.network,
        expires=expires,
    )
    text = f"{data['secret']}\n\napp password {data['app_password']} for {', '.join(data['scopes'])}; shown only now"
    return Answer(data, text)


async def app_password_list(context: Context, options: argparse.Namespace) -> Answer:
    data = (await ask(context, "app-password list", account=options.account))["app_passwords"]
    return Answer(data, "\n".join(listed(one, context.now()) for one in data) or "no app passwords")


def listed(one: dict[str, Any], now: int) -> str:
    """One app password for people."""
    state = "revoked" if one["revoked"] else "expired" if one["expires"] and one["expires"] <= now else "valid"
    used = "never used" if one["used"] is None else time.strftime("used %Y-%m-%d", time.gmtime(one["used"]))
    return "  ".join(
        filter(None, (str(one["app_password"]), state, ",".join(one["scopes"]), *one["networks"], used, one["label"]))
    )


async def app_password_revoke(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "app-password revoke", account=options.account, app_password=options.app_password)
    return Answer(data, f"app password {data['app_password']} is revoked")


async def user_level(context: Context, options: argparse.Namespace) -> Answer:
    if options.level is None:
        data = await ask(context, "level get", account=options.account)
    else:
        data = await ask(context, "level set", account=options.account, level=options.level)
    text = f"level {data['level'] if data['level'] is not None else 'not set'}"
    if data["effective"] != data["level"]:
        text += f"; counts as {data['effective']}, because of no active token" if not data["effective"] else ""
    return Answer(data, text)


async def user_factor(context: Context, options: argparse.Namespace) -> Answer:
    if options.factor is None:
        data = await ask(context, "factor get", account=options.account)
    else:
        pin = context.read_secret("new PIN") if options.factor == "pin" else None
        data = await ask(context, "factor set", account=options.account, factor=options.factor, pin=pin)
    return Answer(data, f"before a code stands the {'PIN' if data['factor'] == 'pin' else 'password'}")
