"""outrider alias new|list|end|add"""

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from outrider.addresses import Person, fold, fold_domain
from outrider.cli import Add, Answer, Context, UsageError, arg
from outrider.people import Refused
from policy.settings import PolicySettings
from policy.store import LABEL_CHARACTERS, AliasRow, AliasStore


def commands(add: Add) -> None:
    """Register the commands."""
    account = arg("account", metavar="ACCOUNT", help="the account's address")
    label = arg("--label", default="", metavar="TEXT", help=f"what it is for, up to {LABEL_CHARACTERS} characters")
    add(
        "alias",
        "new",
        alias_new,
        help="make a disposable address that receives for the account and can never send",
        arguments=[account, arg("--domain", help="disposable domain, if there are several"), label],
    )
    add("alias", "list", alias_list, help="list an account's aliases, newest first", arguments=[account])
    add(
        "alias",
        "end",
        alias_end,
        help="end an alias at once; its address never comes back",
        arguments=[arg("alias", metavar="ALIAS", help="the alias's address")],
    )
    add(
        "alias",
        "add",
        alias_add,
        help="make a permanent alias, from which the account may send too",
        arguments=[account, arg("address", metavar="ADDRESS", help="an address that nobody ever had"), label],
    )


async def alias_new(context: Context, options: Namespace) -> Answer:
    """A random address in a disposable domain."""
    label = checked_label(options.label)
    person = await existing(context, options.account)
    store = store_of(context)
    domain = chosen(await store.disposable_domains(), options.domain)
    days = context.configuration.section("policy", PolicySettings).disposable_days
    row = await store.new(person.account, domain, label, context.now(), days)
    return Answer(shown(row, person), f"{row.address}  until {day(row.expires)}")


async def alias_add(context: Context, options: Namespace) -> Answer:
    """An address that the operator chooses."""
    label = checked_label(options.label)
    person = await existing(context, options.account)
    row = await store_of(context).add(person.account, options.address, label, context.now())
    return Answer(shown(row, person), f"{row.address} belongs to {person.address}")


async def alias_list(context: Context, options: Namespace) -> Answer:
    """Live and expired ones; an ended one is no more."""
    person = await existing(context, options.account)
    rows = await store_of(context).of_account(person.account)
    lines = [f"{row.address}  {row.kind}  {until(row, context.now())}  {row.label}".rstrip() for row in rows]
    return Answer([shown(row, person) for row in rows], "\n".join(lines) or "no aliases")


async def alias_end(context: Context, options: Namespace) -> Answer:
    """The address is dead from now on."""
    address = fold(options.alias)
    await store_of(context).end(address)
    return Answer({"address": address, "ended": True}, f"{address} has ended")


def store_of(context: Context) -> AliasStore:
    return AliasStore(context.database(), context.directory())


async def existing(context: Context, account: str) -> Person:
    person = await context.directory().person(fold(account))
    if person is None:
        raise Refused(f"there is no account {account}")
    return person


def chosen(domains: list[str], wish: str | None) -> str:
    """The disposable domain that is meant; a wish names one of them, without it there must be just one."""
    if wish is not None:
        if fold_domain(wish) not in domains:
            raise Refused(f"{wish} is no disposable domain")
        return fold_domain(wish)
    if not domains:
        raise Refused("there is no disposable domain: `outrider domain add DOMAIN disposable`")
    if len(domains) > 1:
        raise UsageError(f"--domain: name one of {', '.join(domains)}")
    return domains[0]


def checked_label(text: str) -> str:
    if len(text) > LABEL_CHARACTERS or not text.isprintable():
        raise UsageError(f"--label: one line of at most {LABEL_CHARACTERS} characters")
    return text


def shown(row: AliasRow, owner: Person) -> dict[str, Any]:
    """An alias for programs; `expires` in seconds since 1970, null = never."""
    return {
        "address": row.address,
        "owner": owner.address,
        "kind": row.kind,
        "label": row.label,
        "created": row.created,
        "expires": row.expires,
    }


def until(row: AliasRow, now: int) -> str:
    if row.expires is None:
        return "for good"
    return f"until {day(row.expires)}" if now < row.expires else f"expired {day(row.expires)}"


def day(seconds: int | None) -> str:
    """Date and time for people, UTC."""
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%d %H:%M UTC")
