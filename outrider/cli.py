"""The frame of the command `outrider NOUN VERB [ACCOUNT] [ID]`.

Packages register their commands by the entry-point group `outrider.commands`: a function `commands(add)` that calls

    add("alias", "new", handler, help="…", arguments=[arg("account"), arg("--label")])

for each; a noun may get verbs from several packages, an empty verb makes the noun a command by itself. A handler is
`async handler(context, options) -> Answer`. People get `Answer.text`, programs `--json` (one object for one thing, a
list for lists). Exit status: 0 done, 1 the answer is no, 2 usage or configuration, 75 try again later (sysexits.h,
EX_TEMPFAIL).

Run as root the process switches to the owner of the database before it opens it.
"""

import argparse
import asyncio
import getpass
import json
import os
import pwd
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from outrider.addresses import BadAddress
from outrider.db import Database, DatabaseDown, open_database
from outrider.db.serving import password_of
from outrider.directories import directory_maker
from outrider.directory import Directory
from outrider.people import Refused
from outrider.settings import Configuration, CoreSettings, SettingsError, read_configuration

DONE, NO, USAGE, LATER = 0, 1, 2, 75
SYSTEM_USER = "outrider"  # owns the database; the daemons share its group
SECRET_LIMIT = 4096  # characters read from standard input for a password or code
ANSWER_LIMIT = 1 << 20  # bytes of one answer; a thousand listed rows fit
ADMIN_SECONDS = 10.0  # a daemon answers within 8 s


class UsageError(Exception):
    """The command line does not make sense; the text says what would."""


class TryAgain(Exception):
    """Somebody who is needed does not answer now."""


@dataclass(frozen=True)
class Answer:
    """What a command found or did."""

    data: dict[str, Any] | list[dict[str, Any]]
    text: str
    status: int = DONE


class Context:
    """What a command may use."""

    def __init__(self, config: Path | None) -> None:
        self._config = config
        self._configuration: Configuration | None = None
        self._database: Database | None = None
        self._make_directory: Callable[[Database], Directory] | None = None
        self._directory: Directory | None = None

    @property
    def configuration(self) -> Configuration:
        if self._configuration is None:
            self._configuration = read_configuration(self._config)
        return self._configuration

    @property
    def core(self) -> CoreSettings:
        return self.configuration.section("outrider", CoreSettings)

    def database(self) -> Database:
        """The database; root becomes its owner first and stays so."""
        if self._database is None:
            core = self.core
            password = password_of(core)
            self._make_directory = directory_maker(self.configuration)  # its password is for root's eyes, too
            become_owner(core.database)
            self._database = open_database(core.database, password)
        return self._database

    def directory(self) -> Directory:
        if self._directory is None:
            database = self.database()
            assert self._make_directory is not None
            self._directory = self._make_directory(database)
        return self._directory

    def now(self) -> int:
        return int(time.time())

    def read_secret(self, prompt: str) -> str:
        """A password or code: asked for at a terminal, else the first line of standard input."""
        if sys.stdin.isatty():
            return getpass.getpass(f"{prompt}: ")
        line = sys.stdin.readline(SECRET_LIMIT)
        if not line.rstrip("\r\n"):
            raise UsageError(f"{prompt}: nothing on standard input")
        return line.rstrip("\r\n")

    async def ask(self, socket_path: str, request: dict[str, Any]) -> dict[str, Any]:
        """One question to a daemon's admin socket (a line of JSON each way); its `error` becomes Refused."""
        try:
            line = await asyncio.to_thread(exchange, socket_path, json.dumps(request).encode() + b"\n")
        except PermissionError:
            raise UsageError(f"{socket_path} is for root alone") from None
        except OSError:  # TimeoutError is one
            raise TryAgain(f"nobody answers at {socket_path}") from None
        try:
            answer = json.loads(line)
        except ValueError:
            raise TryAgain(f"no answer at {socket_path}") from None
        if "later" in answer:
            raise TryAgain(answer["later"])
        if "error" in answer:
            raise Refused(answer["error"])
        return dict(answer)

    async def close(self) -> None:
        if self._directory is not None:
            await self._directory.close()
        if self._database is not None:
            await self._database.close()


Handler = Callable[[Context, argparse.Namespace], Awaitable[Answer]]


@dataclass(frozen=True)
class Argument:
    """One argument of a command, as argparse takes it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def arg(*names: str, **options: Any) -> Argument:
    return Argument(names, options)


class Add(Protocol):
    """How a package registers one command."""

    def __call__(
        self,
        noun: str,
        verb: str,
        handler: Handler,
        *,
        help: str,
        arguments: Sequence[Argument] = (),
    ) -> None: ...


class Commands:
    """The tree of commands."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(prog="outrider", description="Outrider beside Postfix and Dovecot")
        self.parser.add_argument("--config", type=Path, help="configuration file (default /etc/outrider/outrider.toml)")
        self._nouns = self.parser.add_subparsers(metavar="NOUN", required=True)
        self._verbs: dict[str, Any] = {}

    def add(
        self,
        noun: str,
        verb: str,
        handler: Handler,
        *,
        help: str,
        arguments: Sequence[Argument] = (),
    ) -> None:
        """See `Add`."""
        if verb:
            if noun not in self._verbs:
                parent = self._nouns.add_parser(noun, help=f"{noun}: see `outrider {noun} --help`")
                self._verbs[noun] = parent.add_subparsers(metavar="VERB", required=True)
            parser = self._verbs[noun].add_parser(verb, help=help, description=help)
        else:
            parser = self._nouns.add_parser(noun, help=help, description=help)
        for one in arguments:
            parser.add_argument(*one.names, **one.options)
        parser.add_argument("--json", action="store_true", help="print JSON for programs")
        parser.set_defaults(handler=handler)


def all_commands() -> Commands:
    """Every command of every installed package."""
    commands = Commands()
    for point in sorted(entry_points(group="outrider.commands"), key=lambda one: one.name != "outrider"):
        point.load()(commands.add)
    return commands


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script."""
    os.umask(0o007)
    options = all_commands().parser.parse_args(arguments)
    try:
        answer = asyncio.run(handled(options))
    except Refused as error:
        return complained(error, NO)
    except (UsageError, SettingsError, BadAddress) as error:
        return complained(error, USAGE)
    except (TryAgain, DatabaseDown) as error:
        return complained(error, LATER)
    print(json.dumps(answer.data, ensure_ascii=False) if options.json else answer.text)
    return answer.status


async def handled(options: argparse.Namespace) -> Answer:
    context = Context(options.config)
    try:
        return await options.handler(context, options)  # type: ignore[no-any-return]
    finally:
        await context.close()


def complained(error: Exception, status: int) -> int:
    print(f"outrider: {error}", file=sys.stderr)
    return status


def exchange(path: str, line: bytes) -> bytes:
    """One line to a Unix socket, one line back (cut at ANSWER_LIMIT); blocks."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(ADMIN_SECONDS)
        one.connect(path)
        one.sendall(line)
        with one.makefile("rb") as answer:
            return answer.readline(ANSWER_LIMIT)


def become_owner(url: str) -> None:
    """Root switches to whoever owns the database (a file's owner, else the system user `outrider`)."""
    if os.geteuid() != 0:
        return
    try:
        if url.startswith("sqlite:"):
            path = Path(url.removeprefix("sqlite:"))
            status = (path if path.exists() else path.parent).stat()
            uid, gid = status.st_uid, status.st_gid
        else:
            entry = pwd.getpwnam(SYSTEM_USER)
            uid, gid = entry.pw_uid, entry.pw_gid
    except (OSError, KeyError):
        raise TryAgain("the database's owner cannot be found out") from None
    if uid != 0:
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
