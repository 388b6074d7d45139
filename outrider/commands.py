"""The core's own commands: the database, domains, people, notices, and `check`."""

import argparse
import asyncio
from dataclasses import dataclass
from functools import partial

from outrider import check, notices
from outrider.addresses import fold, fold_domain
from outrider.cli import NO, Add, Answer, Context, UsageError, arg
from outrider.db.migrate import migrate
from outrider.db.sqlite import SqliteDatabase
from outrider.directories.joined import JoinedDirectory
from outrider.directories.people import JoinedPeople
from outrider.passwords import hash_password
from outrider.people import People

PASSWORD_LEAST = 8  # characters; NIST SP 800-63B, 5.1.1.2
QUOTA_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}


def commands(add: Add) -> None:
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    add("db", "migrate", db_migrate, help="bring the database to this release's schema")
    add(
        "domain",
        "add",
        domain_add,
        help="make a domain known",
        arguments=[
            arg("name", metavar="DOMAIN"),
            arg("kind", nargs="?", default="own", choices=["own", "disposable", "external"]),
        ],
    )
    add("domain", "list", domain_list, help="list the domains")
    add(
        "domain",
        "catch-all",
        domain_catch_all,
        help="deliver unknown addresses of a domain to an account; without an account: to nobody",
        arguments=[arg("name", metavar="DOMAIN"), arg("account", metavar="ACCOUNT", nargs="?")],
    )
    add(
        "user",
        "add",
        user_add,
        help="make an account; the password is asked for or read from standard input",
        arguments=[
            account,
            arg("--language", choices=["de", "en"], help="language of notices"),
            arg("--quota", default="0", help="size of the mailbox, as 500M or 2G; 0 = no limit"),
        ],
    )
    add("user", "list", user_list, help="list the accounts")
    add("user", "password", user_password, help="set an account's password", arguments=[account])
    for verb, enabled in (("disable", False), ("enable", True)):
        handler = partial(user_enabled, enabled=enabled)
        add("user", verb, handler, help=f"{verb} an account's logins; mail still arrives", arguments=[account])
    add("user", "end", user_end, help="end an account; its addresses never come back", arguments=[account])
    add("notices", "send", notices_send, help="send the notices to users that wait")
    add(
        "check",
        "",
        check_host,
        help="compare Postfix's and Dovecot's configuration with what Outrider relies on",
    )


async def db_migrate(context: Context, _: argparse.Namespace) -> Answer:
    """Make the SQLite file if it is missing, then apply what is missing."""
    database = context.database()
    if isinstance(database, SqliteDatabase):
        database.create()
    applied = await migrate(database)
    text = f"applied {', '.join(map(str, applied))}" if applied else "nothing to do"
    return Answer({"applied": applied}, text)


@dataclass(frozen=True)
class DomainListed:
    """A row of `domain` for people."""

    name: str
    kind: str
    catch_all: int | None


def people_of(context: Context) -> People:
    database, directory = context.database(), context.directory()
    if isinstance(directory, JoinedDirectory):
        return JoinedPeople(database, directory)
    return People(database, directory)


async def domain_add(context: Context, options: argparse.Namespace) -> Answer:
    name = fold_domain(options.name)
    await people_of(context).add_domain(name, options.kind, context.now())
    return Answer({"domain": name, "kind": options.kind}, f"{name} is {options.kind}")


async def domain_list(context: Context, _: argparse.Namespace) -> Answer:
    rows = await context.database().all(DomainListed, "SELECT name, kind, catch_all FROM domain ORDER BY name")
    data = [{"domain": row.name, "kind": row.kind, "catch_all": row.catch_all is not None} for row in rows]
    return Answer(data, "\n".join(f"{row.name}  {row.kind}" for row in rows) or "no domains")


async def domain_catch_all(context: Context, options: argparse.Namespace) -> Answer:
    name = fold_domain(options.name)
    account = None
    if options.account:
        person = await context.directory().person(fold(options.account))
        if person is None:
            raise UsageError(f"there is no account {options.account}")
        account = person.account
    await people_of(context).set_catch_all(name, account)
    return Answer(
        {"domain": name, "catch_all": options.account},
        f"{name}: unknown addresses go to {options.account or 'nobody'}",
    )


async def user_add(context: Context, options: argparse.Namespace) -> Answer:
    stored = await new_password(context)
    people = people_of(context)
    language = options.language or context.core.language
    address = await people.add(options.account, stored, language, size(options.quota), context.now())
    return Answer({"account": address, "language": language, "enabled": True}, f"{address} exists")


async def user_list(context: Context, _: argparse.Namespace) -> Answer:
    found = await context.directory().people()
    data = [
        {"account": one.address, "enabled": one.enabled, "language": one.language, "quota": one.quota} for one in found
    ]
    return Answer(
        data, "\n".join(one.address + ("" if one.enabled else "  disabled") for one in found) or "no accounts"
    )


async def user_password(context: Context, options: argparse.Namespace) -> Answer:
    stored = await new_password(context)
    await people_of(context).set_password(options.account, stored, context.now())
    return Answer({"account": fold(options.account)}, "the password is changed")


async def user_enabled(context: Context, options: argparse.Namespace, *, enabled: bool) -> Answer:
    await people_of(context).set_enabled(options.account, enabled, context.now())
    address = fold(options.account)
    return Answer({"account": address, "enabled": enabled}, f"{address} is {'enabled' if enabled else 'disabled'}")


async def user_end(context: Context, options: argparse.Namespace) -> Answer:
    await people_of(context).end(options.account, context.now())
    return Answer({"account": fold(options.account), "ended": True}, f"{fold(options.account)} has ended")


async def notices_send(context: Context, _: argparse.Namespace) -> Answer:
    sent = await notices.send_waiting(context.database(), context.directory(), context.core, context.now())
    return Answer({"sent": sent}, f"sent {sent}")


async def check_host(_: Context, __: argparse.Namespace) -> Answer:
    findings = await asyncio.to_thread(check.host)
    wrong = [one for one in findings if not one.fine]
    data = [{"check": one.name, "fine": one.fine, "found": one.found, "why": one.why} for one in findings]
    lines = [
        f"{'ok   ' if one.fine else 'WRONG'} {one.name}: {one.found}" + ("" if one.fine else f"\n      {one.why}")
        for one in findings
    ]
    return Answer(data, "\n".join(lines), status=NO if wrong else 0)


async def new_password(context: Context) -> str:
    """A password from prompt or standard input, hashed."""
    password = context.read_secret("new password")
    if len(password) < PASSWORD_LEAST:
        raise UsageError(f"a password needs at least {PASSWORD_LEAST} characters")
    return await asyncio.to_thread(hash_password, password)


def size(text: str) -> int:
    """`500M`, `2G`, or bytes."""
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in QUOTA_UNITS else (text, "")
    if not number.isdigit():
        raise UsageError("--quota: expected a size as 500M or 2G")
    return int(number) << QUOTA_UNITS.get(unit, 0)
