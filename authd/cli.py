"""Commands of `outrider` about second factors: all of them ask the running authd, which alone holds the key."""

from __future__ import annotations

import argparse
import io
from typing import Any

import segno

from authd import operations_cli
from authd.asking import ask
from authd.methods import KINDS
from authd.methods.app_password import SCOPES
from outrider.cli import Add, Answer, Context, UsageError, arg

DAY_SECONDS = 86400


def commands(add: Add) -> None:
    """Registered by the entry point group `outrider.commands`."""
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    label = arg("--label", default="", help="the owner's name for it")
    token = arg("token", metavar="TOKEN", type=int, help="number of the token")
    secret = arg("app_password", metavar="ID", type=int, help="number of the app password")
    scope = arg("--scope", required=True, help=f"services, comma between: {','.join(SCOPES)}")
    days = arg("--expires", metavar="DAYS", type=int, help="days that it is valid; default: for ever")
    level = arg("level", metavar="LEVEL", nargs="?", type=int, choices=range(5), help="0 to 4; none: show it")
    kind = arg("kind", metavar="KIND", choices=list(KINDS), help=", ".join(KINDS))
    add("token", "add", token_add, help="a new second factor, to be confirmed", arguments=[account, kind, label])
    add("token", "confirm", token_confirm, help="confirm it with one code", arguments=[account, token])
    add("token", "list", token_list, help="list an account's tokens", arguments=[account])
    add("token", "disable", token_disable, help="take a token out of use", arguments=[account, token])
    add(
        "app-password",
        "add",
        app_password_add,
        help="a password for one program, shown once",
        arguments=[account, scope, label, days],
    )
    add("app-password", "list", app_password_list, help="list an account's app passwords", arguments=[account])
    add("app-password", "revoke", app_password_revoke, help="end an app password", arguments=[account, secret])
    add("user", "level", user_level, help="show or set an account's level", arguments=[account, level])
    operations_cli.commands(add)


async def token_add(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "token add", account=options.account, kind=options.kind, label=options.label)
    drawn = io.StringIO()
    segno.make(data["uri"], error="m").terminal(out=drawn, compact=True)
    text = (
        f"{drawn.getvalue()}\n{data['uri']}\n\ntoken {data['token']} waits for its first code:\n"
        f"  outrider token confirm {options.account} {data['token']}"
    )
    return Answer(data, text)


async def token_confirm(context: Context, options: argparse.Namespace) -> Answer:
    code = context.read_secret("code")
    data = await ask(context, "token confirm", account=options.account, token=options.token, code=code)
    return Answer(data, f"token {data['token']} is active; the account's level is {data['level']}")


async def token_list(context: Context, options: argparse.Namespace) -> Answer:
    data = (await ask(context, "token list", account=options.account))["tokens"]
    lines = [f"{one['token']}  {one['kind']}  {one['state']}  {one['label']}".rstrip() for one in data]
    return Answer(data, "\n".join(lines) or "no tokens")


async def token_disable(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "token disable", account=options.account, token=options.token)
    return Answer(data, f"token {data['token']} is disabled")


async def app_password_add(context: Context, options: argparse.Namespace) -> Answer:
    if options.expires is not None and options.expires < 1:
        raise UsageError("--expires: expected a number of days")
    expires = None if options.expires is None else context.now() + options.expires * DAY_SECONDS
    scopes = [scope.strip() for scope in options.scope.split(",")]
    data = await ask(
        context, "app-password add", account=options.account, scopes=scopes, label=options.label, expires=expires
    )
    text = f"{data['secret']}\n\napp password {data['app_password']} for {', '.join(data['scopes'])}; shown only now"
    return Answer(data, text)


async def app_password_list(context: Context, options: argparse.Namespace) -> Answer:
    data = (await ask(context, "app-password list", account=options.account))["app_passwords"]
    return Answer(data, "\n".join(listed(one, context.now()) for one in data) or "no app passwords")


def listed(one: dict[str, Any], now: int) -> str:
    """One app password for people."""
    state = "revoked" if one["revoked"] else "expired" if one["expires"] and one["expires"] <= now else "valid"
    return f"{one['app_password']}  {state}  {','.join(one['scopes'])}  {one['label']}".rstrip()


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
