"""`outrider check`: does the host's Postfix and Dovecot keep what Outrider relies on?

One table of invariants: a setting, what must hold of it, and what goes wrong otherwise. The suite checks the same table
on a converged host of each release, the command on the operator's. It reads `postconf -n` (main.cf), `postconf -P`
(master.cf's overrides) and `doveconf -n`; what these do not print has its default. Where Dovecot 2.3 and 2.4 name a
setting differently, both keys stand in the invariant and the one that the host has counts.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PROGRAM_SECONDS = 10.0
DEFAULT = "(default)"

Test = Callable[[str | None], bool]
"""Judges a value; None means that the setting has its default."""


@dataclass(frozen=True)
class Invariant:
    """One thing that must hold of the first of `keys` that the host sets."""

    name: str
    keys: tuple[str, ...]
    holds: Test
    why: str


@dataclass(frozen=True)
class Finding:
    """An invariant with what was found on this host."""

    name: str
    fine: bool
    found: str
    why: str


def one_of(*values: str) -> Test:
    return lambda value: value in values


def default_or(*values: str) -> Test:
    return lambda value: value is None or value in values


def holding(*parts: str) -> Test:
    return lambda value: value is not None and all(part in value for part in parts)


def in_order(*parts: str) -> Test:
    """All parts stand in the value, in this order."""
    return lambda value: value is not None and found_in_order(value, parts)


def found_in_order(value: str, parts: tuple[str, ...]) -> bool:
    places = [value.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


def relays_only_its_own(value: str | None) -> bool:
    return value is not None and "reject_unauth_destination" in value and "permit_mynetworks" not in value


MAIN = (
    Invariant("no SASL on port 25", ("smtpd_sasl_auth_enable",), default_or("no"), "an outage of authd stops all mail"),
    Invariant("nobody is trusted by address", ("mynetworks",), one_of(""), "a neighbour relays and skips the checks"),
    Invariant("no open relay", ("smtpd_relay_restrictions",), relays_only_its_own, "strangers relay"),
    Invariant(
        "domains are looked up in Outrider",
        ("virtual_mailbox_domains",),
        holding("outrider/socketmap:domains"),
        "mail for Outrider's domains is refused or relayed",
    ),
    Invariant(
        "recipients are looked up in Outrider",
        ("virtual_mailbox_maps",),
        holding("outrider/socketmap:recipients"),
        "expired addresses go on receiving",
    ),
    Invariant(
        "owners of senders are looked up in Outrider",
        ("smtpd_sender_login_maps",),
        holding("outrider/socketmap:senders"),
        "whoever is logged in sends as anybody",
    ),
    Invariant(
        "no aliases before the last hop",
        ("virtual_alias_maps",),
        one_of(""),
        "an alias that Postfix expands shows its owner in bounces",
    ),
    Invariant(
        "the sending ban",
        ("mua_sender_restrictions",),
        in_order("check_policy_service", "default_action = 451", "policy_context=submission", "reject_sender_login_mi"),
        "a disposable address sends, or trouble lets everything pass",
    ),
    Invariant(
        "submission needs a login",
        ("mua_client_restrictions",),
        in_order("permit_sasl_authenticated", "reject"),
        "strangers submit mail",
    ),
    Invariant(
        "unknown recipients before policy",
        ("smtpd_recipient_restrictions",),
        in_order("reject_unlisted_recipient", "check_policy_service", "default_action = 451"),
        "trouble with policy turns 'unknown' into 'later', or lets everything pass",
    ),
    Invariant(
        "one text for every unknown address",
        ("show_user_unknown_table_name",),
        one_of("no"),
        "the table's name tells a permanent from a disposable address",
    ),
    Invariant("VRFY is off", ("disable_vrfy_command",), one_of("yes"), "VRFY tells anybody which addresses exist"),
    Invariant("tags begin with +", ("recipient_delimiter",), one_of("+"), "Outrider and Postfix disagree about tags"),
)

PORTS = ("submission", "587", "submissions", "smtps", "465")  # how master.cf may name the services for mail programs


def at_ports(setting: str, name: str, holds: Test, why: str) -> tuple[Invariant, ...]:
    """The same invariant for STARTTLS and for TLS from the start."""
    starttls = tuple(f"{port}/inet/{setting}" for port in PORTS[:2])
    wrapped = tuple(f"{port}/inet/{setting}" for port in PORTS[2:])
    return (Invariant(f"{name} (587)", starttls, holds, why), Invariant(f"{name} (465)", wrapped, holds, why))


MASTER = (
    Invariant(
        "outsiders cannot ask for delivery reports",
        ("smtp/inet/smtpd_discard_ehlo_keywords",),
        holding("dsn"),
        "a stranger sets the recipient that filters see",
    ),
    Invariant(
        "no SASL at port 25's service",
        ("smtp/inet/smtpd_sasl_auth_enable",),
        default_or("no"),
        "an outage of authd stops all mail",
    ),
    *at_ports(
        "smtpd_sasl_path",
        "authd is asked directly",
        one_of("outrider/auth"),
        "asked through Dovecot, 'later' becomes 'wrong password'",
    ),
    *at_ports("smtpd_tls_security_level", "TLS only", one_of("encrypt"), "passwords travel in clear"),
    *at_ports(
        "smtpd_sender_restrictions",
        "the sending ban is wired",
        holding("mua_sender_restrictions"),
        "a disposable address sends",
    ),
)

LMTP = "service lmtp/unix_listener /var/spool/postfix/private/dovecot-lmtp"
DOVECOT = (
    Invariant("no cache of logins", ("auth_cache_size",), default_or("0", "0 B"), "a one-time code is accepted twice"),
    Invariant(
        "no penalty for failed logins",
        ("service anvil/unix_listener anvil-auth-penalty/mode",),
        one_of("0", "00", "0000"),
        "a right code waits until it has run out",
    ),
    Invariant(
        "logins are asked by workers",
        ("passdb lua/use_worker", "passdb/args"),
        lambda value: value is None or value == "yes" or "blocking=yes" in value,
        "one slow login holds up all others",
    ),
    Invariant(
        "logins are asked of authd",
        ("passdb lua/lua_file", "passdb/args"),
        holding("outrider-auth.lua"),
        "somebody else decides who may log in",
    ),
    Invariant("workers may ask authd", ("service auth-worker/user",), one_of("root"), "every login fails"),
    Invariant("TLS only", ("ssl",), one_of("required"), "passwords travel in clear"),
    Invariant(
        "authd alone folds logins",
        ("auth_username_chars",),
        one_of(""),
        "Dovecot refuses or rewrites what authd would judge",
    ),
    Invariant("only Postfix reaches LMTP", (f"{LMTP}/user",), one_of("postfix"), "others deliver past every check"),
    Invariant("nobody else opens LMTP", (f"{LMTP}/mode",), one_of("0600"), "others deliver past every check"),
    Invariant(
        "headers show the address that was used",
        ("lmtp_hdr_delivery_address",),
        one_of("original"),
        "redirected mail shows the owner of an alias",
    ),
    *(
        Invariant(
            f"folder {name}",
            (f"namespace inbox/mailbox {name}/special_use",),
            one_of(f"\\{name}", f'"\\\\{name}"'),
            "mail programs make a folder of their own",
        )
        for name in ("Drafts", "Sent", "Trash", "Archive", "Junk")
    ),
)


def judge(table: tuple[Invariant, ...], settings: Mapping[str, str]) -> list[Finding]:
    """The findings for what one program printed; nothing printed at all breaks every invariant."""
    found = []
    for one in table:
        value = next((settings[key] for key in one.keys if key in settings), None)
        shown = DEFAULT if value is None else value or "(empty)"
        found.append(Finding(one.name, bool(settings) and one.holds(value), shown, one.why))
    return found


def parsed(text: str) -> dict[str, str]:
    """`key = value` lines; inside Dovecot's blocks the key is the path of the blocks, joined by `/`."""
    settings: dict[str, str] = {}
    blocks: list[str] = []
    key = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line == "}":
            blocks.pop()
        elif line.endswith("{") and "=" not in line:
            blocks.append(" ".join(line[:-1].split()))
        elif raw[:1].isspace() and not blocks and key:
            settings[key] += f" {line}"  # a continued line of main.cf (postconf(5), "CONFIGURATION FILE FORMAT")
        else:
            name, _, value = line.partition("=")
            key = "/".join([*blocks, name.strip()])
            settings[key] = value.strip()
    return settings


def findings(main: str, master: str, dovecot: str) -> list[Finding]:
    """Judge what `postconf -n`, `postconf -P` and `doveconf -n` printed."""
    return [*judge(MAIN, parsed(main)), *judge(MASTER, parsed(master)), *judge(DOVECOT, parsed(dovecot))]


def host() -> list[Finding]:
    """Ask the programs of this host."""
    return findings(output("postconf", "-n"), output("postconf", "-P"), output("doveconf", "-n"))


def output(*command: str) -> str:
    """What a program prints; nothing when it is not installed (then every invariant of it is reported)."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
