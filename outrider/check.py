"""`outrider check`: does the host's Postfix and Dovecot keep what Outrider relies on?

Each invariant names a setting, what it must be, and what goes wrong otherwise. The same table is checked by the suite
against both releases and by the command on a host. It reads `postconf -n`, `postconf -P` and `doveconf -n`.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PROGRAM_SECONDS = 10.0


@dataclass(frozen=True)
class Invariant:
    """One thing that must hold."""

    name: str
    holds: Callable[[Mapping[str, str]], bool]
    setting: str  # the key whose value is shown
    why: str


@dataclass(frozen=True)
class Finding:
    """An invariant with what was found on this host."""

    name: str
    fine: bool
    found: str
    why: str


def equals(key: str, *values: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda settings: settings.get(key, "") in values


def contains(key: str, part: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda settings: part in settings.get(key, "")


POSTFIX = (
    Invariant(
        "no SASL on port 25",
        lambda s: s.get("smtpd_sasl_auth_enable", "no") == "no",
        "smtpd_sasl_auth_enable",
        "an outage of authd would stop incoming mail",
    ),
    Invariant(
        "nobody is trusted by address",
        lambda s: s.get("mynetworks", "unset") == "",
        "mynetworks",
        "a neighbour in mynetworks may relay and skips the sender checks",
    ),
    Invariant(
        "one text for every unknown address",
        equals("show_user_unknown_table_name", "no"),
        "show_user_unknown_table_name",
        "the name of the table tells a permanent from a disposable address",
    ),
    Invariant(
        "VRFY is off",
        equals("disable_vrfy_command", "yes"),
        "disable_vrfy_command",
        "VRFY tells anybody which addresses exist",
    ),
    Invariant(
        "recipients are looked up in Outrider",
        contains("virtual_mailbox_maps", "outrider/socketmap"),
        "virtual_mailbox_maps",
        "expired addresses would go on receiving",
    ),
    Invariant(
        "tags are told apart by +",
        equals("recipient_delimiter", "+"),
        "recipient_delimiter",
        "Outrider and Postfix would disagree about tagged addresses",
    ),
)

DOVECOT = (
    Invariant(
        "no authentication cache",
        equals("auth_cache_size", "", "0", "0 B"),
        "auth_cache_size",
        "Dovecot's cache accepts a one-time code twice",
    ),
)


def judge(table: tuple[Invariant, ...], settings: Mapping[str, str]) -> list[Finding]:
    """The findings for one program's settings."""
    return [Finding(one.name, one.holds(settings), settings.get(one.setting, "(default)"), one.why) for one in table]


def parsed(text: str) -> dict[str, str]:
    """`key = value` lines; inside Dovecot's blocks the key is the path of the blocks, joined by `/`."""
    settings: dict[str, str] = {}
    blocks: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line == "}":
            blocks.pop()
        elif line.endswith("{"):
            blocks.append(" ".join(line[:-1].split()))
        else:
            key, _, value = line.partition("=")
            settings["/".join([*blocks, key.strip()])] = value.strip()
    return settings


def host() -> list[Finding]:
    """Ask the programs of this host."""
    return [
        *judge(POSTFIX, parsed(output("postconf", "-n"))),
        *judge(DOVECOT, parsed(output("doveconf", "-n"))),
    ]


def output(*command: str) -> str:
    """What a program prints; nothing when it is not installed (then every invariant of it is reported)."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
