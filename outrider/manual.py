"""The sample configuration and the manual pages, made from the settings classes and the command tree.

`python -m outrider.manual FOLDER` writes them; a test compares what is committed with what would be written.
"""

import argparse
import dataclasses
import sys
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from outrider.cli import all_commands
from outrider.listeners import Listener
from outrider.settings import section_classes

DAEMONS = {
    "authd": "decides who may log in",
    "policy": "decides which mail may pass and which addresses exist",
    "hkpd": "OpenPGP keyserver of the provider's own users",
}


def section_class(value: str) -> type[Any]:
    """The class that an entry point names."""
    module, _, name = value.partition(":")
    return typing.cast(type[Any], getattr(import_module(module), name))


def sample_configuration() -> str:
    """Every section with every key: required ones to be filled in, the others commented out at their default."""
    lines = ["# /etc/outrider/outrider.toml", "# Every key with its default; see outrider.toml(5)."]
    for name, value in sorted(section_classes().items(), key=lambda one: one[0] != "outrider"):
        lines += ["", f"[{name}]"]
        for field in dataclasses.fields(section_class(value)):
            lines += sample_key(name, field)
    return "\n".join(lines) + "\n"


def sample_key(section: str, field: dataclasses.Field[Any]) -> list[str]:
    help_text = f"# {field.metadata['help']}"
    if field.default is dataclasses.MISSING:
        return [help_text, f'{field.name} = ""']
    if isinstance(field.default, tuple) and field.default and isinstance(field.default[0], Listener):
        return [help_text, *sample_listeners(f"{section}.{field.name}", field.default)]
    return [help_text, f"#{field.name} = {toml(field.default)}"]


def sample_listeners(key: str, listeners: tuple[Listener, ...]) -> Iterator[str]:
    for listener in listeners:
        yield f"#[[{key}]]"
        for one in dataclasses.fields(listener):
            value = getattr(listener, one.name)
            if value != one.default:
                yield f"#{one.name} = {toml(value)}"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def roff(text: str) -> str:
    """Text that roff leaves as it is (groff_char(7), man-pages(7))."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.splitlines())


def page(name: str, section: int, summary: str, body: list[str]) -> str:
    head = [f'.TH {name.upper()} {section} "" Outrider', ".SH NAME", f"{name} \\- {roff(summary)}"]
    return "\n".join([*head, *body]) + "\n"


def configuration_page() -> str:
    """outrider.toml(5)"""
    body = [".SH DESCRIPTION", roff("TOML, one section per daemon. Secrets stand in files: `credential:NAME`.")]
    for name, value in sorted(section_classes().items(), key=lambda one: one[0] != "outrider"):
        body.append(f'.SH "[{name}]"')
        for field in dataclasses.fields(section_class(value)):
            body += [".TP", f".B {roff(field.name)}", roff(field.metadata["help"] + default_text(field))]
    body.append('.SH "LISTENERS"')
    body.append(roff("Each element of a list `listeners`:"))
    for field in dataclasses.fields(Listener):
        body += [".TP", f".B {roff(field.name)}", roff(field.metadata["help"])]
    return page("outrider.toml", 5, "configuration of Outrider's daemons", body)


def default_text(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return " Required."
    if isinstance(field.default, tuple) and field.default and isinstance(field.default[0], Listener):
        return f" Default: {', '.join(one.name for one in field.default)}."
    return f" Default: {toml(field.default)}."


def command_page() -> str:
    """outrider(8)"""
    body = [
        ".SH SYNOPSIS",
        ".B outrider",
        roff("[--config FILE] NOUN VERB [ARGUMENTS] [--json]"),
        ".SH DESCRIPTION",
        roff(
            "Passwords and codes are asked for at a terminal, else read from standard input. Exit status: 0 done,"
            " 1 the answer is no, 2 usage or configuration, 75 try again later."
        ),
        ".SH COMMANDS",
    ]
    for words, parser in commands_of(all_commands().parser, ()):
        usage = " ".join(parser.format_usage().removeprefix("usage: ").replace("[-h]", "").split())
        body += [".TP", f".B {roff(usage)}", roff(parser.description or " ".join(words))]
        for action in parser._actions:
            if action.help and action.dest not in ("help", "json") and action.option_strings:
                body += [".br", roff(f"{action.option_strings[0]}: {action.help}")]
    return page("outrider", 8, "administer Outrider", body)


def commands_of(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command with its parser."""
    children = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not children:
        yield words, parser
    for child in children:
        for name, below in child.choices.items():
            yield from commands_of(below, (*words, name))


def daemon_page(name: str) -> str:
    """outrider-NAME(8)"""
    body = [
        ".SH SYNOPSIS",
        f".B outrider\\-{name}",
        roff("[--config FILE]"),
        ".SH DESCRIPTION",
        roff(
            f"Started by systemd on its sockets; section [{name}] of outrider.toml(5). It answers /healthz and /metrics"
            " on its admin listener. What it cannot find out it answers with a temporary failure. Exit status 2: the"
            " configuration does not parse."
        ),
        ".SH SEE ALSO",
        roff("outrider(8), outrider.toml(5)"),
    ]
    return page(f"outrider-{name}", 8, DAEMONS[name], body)


def documents() -> dict[str, str]:
    """File names under docs/ with their contents."""
    pages = {f"man/outrider-{name}.8": daemon_page(name) for name in DAEMONS}
    return {
        "outrider.toml": sample_configuration(),
        "man/outrider.toml.5": configuration_page(),
        "man/outrider.8": command_page(),
        **pages,
    }


def main() -> None:
    folder = Path(sys.argv[1])
    for name, text in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
