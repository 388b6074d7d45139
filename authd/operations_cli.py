"""Commands of `outrider` for whoever runs authd: why a login fails, who has tried, new keys, after a restore."""

from __future__ import annotations

import argparse
import time
from typing import Any

from authd.asking import ask
from authd.decide import SERVICES
from outrider.cli import NO, Add, Answer, Context, arg


def commands(add: Add) -> None:
    """Registered by authd.cli."""
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    token = arg("token", metavar="TOKEN", type=int, help="number of the token")
    service = arg("--service", required=True, choices=list(SERVICES), help="where somebody wants to log in")
    add("auth", "log", auth_log, help="an account's logins, newest first", arguments=[account])
    add("auth", "explain", auth_explain, help="why a login works, or not", arguments=[account, service])
    add("token", "unlock", token_unlock, help="use a locked token again", arguments=[account, token])
    add("user", "unlock", user_unlock, help="end all locks and pauses of an account's logins", arguments=[account])
    add("secrets", "rewrap", secrets_rewrap, help="seal all secrets of tokens with the newest key of auth.key")
    add("db", "restored", db_restored, help="after a restore: no code used since the backup is good again")


async def auth_log(context: Context, options: argparse.Namespace) -> Answer:
    data = (await ask(context, "auth log", account=options.account))["logins"]
    return Answer(data, "\n".join(map(logged, data)) or "no logins")


def logged(one: dict[str, Any]) -> str:
    """One row for people; times are UTC."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(one["at"]))
    what = one["credential"] if one["result"] == "yes" else f"{one['class']} {one['why']}"
    times = f"  {one['times']} times" if one["times"] > 1 else ""
    return f"{at}  {one['service']:5}  {one['network']:20}  {one['result']:5}  {what}{times}"


async def auth_explain(context: Context, options: argparse.Namespace) -> Answer:
    """Exit status 1 if nothing opens this door."""
    data = await ask(context, "auth explain", account=options.account, service=options.service)
    lines = [f"{data['account']} at {data['service']}: {data['why']}"]
    lines += [f"token {one['token']} ({one['kind']}): {one['why']}" for one in data["tokens"]]
    lines += [f"app password {one['app_password']} {one['label']}: {one['why']}" for one in data["app_passwords"]]
    codes, limits = data["codes"], data["limits"]
    if codes["total"]:
        state = "closed" if codes["closed"] else "open"
        lines.append(f"wrong codes: {codes['in_a_row']} in a row, {codes['total']} in all; codes are {state}")
    lines += [
        f"nothing is judged from {one['network']} at {one['service']} for {one['seconds']} s"
        for one in limits["pauses"]
    ]
    if limits["failures_left"] < 1:
        lines.append("strangers have used up the hour: unknown networks are told to try later")
    lines += [f"  {logged({**one, 'credential': '-'})}" for one in data["failures"]]
    return Answer(data, "\n".join(lines), status=0 if data["opens"] else NO)


async def token_unlock(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "token unlock", account=options.account, token=options.token)
    return Answer(data, f"token {data['token']} can be used")


async def user_unlock(context: Context, options: argparse.Namespace) -> Answer:
    data = await ask(context, "account unlock", account=options.account)
    return Answer(data, f"{data['account']}: no locks, all counts begin anew")


async def secrets_rewrap(context: Context, _: argparse.Namespace) -> Answer:
    """Exit status 1 if a secret opens with no key: the old keys must not be removed then."""
    done: dict[str, Any] = {"sealed": 0, "already": 0, "failed": 0}
    place: dict[str, Any] | None = {}
    while place is not None:
        part = await ask(context, "secrets rewrap", **place)
        place = part.pop("next")
        done = {"key": part["key"], **{name: done[name] + part[name] for name in ("sealed", "already", "failed")}}
    text = (
        f"key {done['key']}: {done['sealed']} sealed anew, {done['already']} were already, {done['failed']} do not open"
    )
    return Answer(done, text, status=NO if done["failed"] else 0)


async def db_restored(context: Context, _: argparse.Namespace) -> Answer:
    data = (await ask(context, "db restored"))["moved"]
    text = ", ".join(f"{kind} {count}" for kind, count in data.items())
    return Answer(data, f"moved on or ended: {text}")
