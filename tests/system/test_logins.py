"""Who gets in, at every entrance, on both pairs: real mail programs in the client's network."""

import secrets
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.people import Codes
from demo.provider import User, letter
from kit.hosts import Host
from kit.programs import ENTRANCES, Entrance, Told, login, outside, submission

DOMAIN = "provider.example"
WHOLE, WITH_CODE, APP = "password", "password+code", "app password"
# What lets in at a program's entrance, by the account's level (docs/authd.md).
LETS_IN = {0: {WHOLE, APP}, 1: {WHOLE, APP}, 2: set(), 3: {APP}, 4: {WITH_CODE, APP}}
# Of a refusal; another word would be another reason.
WORDS = {
    "imap": "[AUTHENTICATIONFAILED]",
    "pop3": "[AUTH]",
    "sieve": "Authentication failed",
    "submission": "535",
    "smtps": "535",
}
FOLDERS = ("Drafts", "Sent", "Trash", "Archive", "Junk")
Person = tuple[User, Codes]


@pytest.fixture(scope="module")
def levels(host: Host) -> list[Person]:
    """An account with a token and an app password at each level; its number in the list is its level."""
    with ThreadPoolExecutor(len(LETS_IN)) as pool:
        return list(pool.map(host.protected_user, LETS_IN))


@pytest.fixture(scope="module")
def plain(host: Host) -> User:
    """An account with a password and nothing else."""
    return host.user()


def wrong() -> str:
    return secrets.token_urlsafe(12)


def time_passes(host: Host, user: User) -> None:
    """The codes of the account's tokens are unused again, as if they were those of another half minute."""
    host.sql(
        "UPDATE token SET last = 0, drift = 0 WHERE account_id = (SELECT CAST(a.id AS INTEGER) FROM account a"
        " JOIN directory_user u ON a.source_key = CAST(u.id AS TEXT) WHERE u.address = ?)",
        user.address,
    )


def everywhere(
    host: Host, tries: Sequence[tuple[str, str]], doors: Sequence[Entrance] = tuple(ENTRANCES)
) -> dict[Entrance, list[Told]]:
    """Each (user, secret) at each entrance, all at once; the answers in the order of the tries."""
    seen = host.talk_all([login(door, *one) for door in doors for one in tries], parallel=16)
    assert [one.trouble for one in seen] == [None] * len(seen)
    return {door: seen[number * len(tries) :][: len(tries)] for number, door in enumerate(doors)}


def test_each_level_lets_in_what_it_should_at_every_entrance(host: Host, levels: list[Person]) -> None:
    cases = [(level, what) for level in LETS_IN for what in (WHOLE, WITH_CODE, APP) if (level, what) != (4, WITH_CODE)]

    def typed(level: int, what: str) -> tuple[str, str]:
        user, codes = levels[level]
        fields = {WHOLE: user.password, WITH_CODE: user.password + codes.fresh(), APP: user.app_password or ""}
        return user.address, fields[what]

    seen = everywhere(host, [typed(*case) for case in cases])
    table = {(door, *case): one.logged_in for door, row in seen.items() for case, one in zip(cases, row, strict=True)}
    for door in ENTRANCES:  # each needs a code of its own
        time_passes(host, levels[4][0])
        (one,) = host.talk_all([login(door, *typed(4, WITH_CODE))])
        table[door, 4, WITH_CODE] = one.logged_in

    assert table == {(door, level, what): what in LETS_IN[level] for door, level, what in table}
    assert len(table) == len(ENTRANCES) * len(LETS_IN) * 3


def test_the_first_token_asks_for_app_passwords_from_then_on(host: Host) -> None:
    user, _ = host.protected_user(level=None)
    assert host.provider.outrider("user", "level", user.address)["effective"] == 3


def test_one_code_is_one_login(host: Host, levels: list[Person]) -> None:
    """Eight connections to two servers at the same moment, and two later ones."""
    user, codes = levels[4]
    time_passes(host, user)
    one = (user.address, user.password + codes.fresh())
    doors: list[Entrance] = ["imap", "submission"]
    race = host.talk_all([login(door, *one) for door in doors * 4], together=True)
    assert sum(each.logged_in for each in race) == 1, [each.login for each in race]
    later = host.talk_all([login(door, *one) for door in doors])
    refused = {each.login for each in [*race, *later] if not each.logged_in}
    assert len(refused) == 2, refused  # one text per server, and no "try again later"
    assert not any(each.logged_in for each in later)


def test_no_refusal_tells_why(host: Host, levels: list[Person], plain: User) -> None:
    """What let somebody in a moment ago, and what never did: the same words, at once."""
    user, codes = levels[4]
    (disabled, ended), narrow = (host.user(), host.user()), ("imap", "smtp")
    app = host.provider.outrider("app-password", "add", plain.address, "--scope", ",".join(narrow))
    time_passes(host, user)
    used = user.password + codes.fresh()
    good = [login("imap", one.address, one.password) for one in (disabled, ended)]
    good += [login(door, plain.address, app["secret"]) for door in ("imap", "submission")]
    assert all(one.logged_in for one in host.talk_all([*good, login("smtps", user.address, used)]))

    host.provider.outrider("app-password", "revoke", plain.address, str(app["app_password"]))
    host.provider.outrider("user", "disable", disabled.address)
    host.provider.outrider("user", "end", ended.address)
    tries = {
        "unknown user": (f"{secrets.token_hex(8)}@{DOMAIN}", wrong()),
        "unknown domain": ("somebody@elsewhere.example", wrong()),
        "no address": ("somebody", wrong()),
        "wrong password": (plain.address, wrong()),
        "wrong code": (user.address, f"{user.password}{(int(used[-6:]) + 1) % 10**6:06}"),
        "used code": (user.address, used),
        "right code, wrong password": (user.address, wrong() + used[-6:]),
        "level forbids": (levels[2][0].address, levels[2][0].password),
        "disabled": (disabled.address, disabled.password),
        "ended": (ended.address, ended.password),
        "app password revoked": (plain.address, app["secret"]),
        "app password of somebody else": (plain.address, levels[3][0].app_password or ""),
        "tagged": (plain.address.replace("@", "+tag@"), plain.password),
    }
    # One server answers for two entrances; POP3 and ManageSieve have words of their own for two different reasons.
    seen = everywhere(host, list(tries.values()), ("imap", "smtps"))
    for door, answers in (seen | everywhere(host, list(tries.values())[3:5], ("pop3", "sieve", "submission"))).items():
        words = [one.login for one in answers]
        assert set(words) == {words[0]}, (door, dict(zip(tries, words, strict=False)))
        assert WORDS[door] in str(words[0])

    a_mail_for_the_disabled_arrives(host, disabled)
    unknown = f"never-{ended.address}"
    checks = [outside(["mail", "a@remote.example"], ["rcpt", one]) for one in (ended.address, unknown)]
    told = [one.answers[1] for one in host.talk_all(checks, outside=True)]
    assert told[0] == (550, told[1][1].replace(unknown, ended.address))
    assert told[0][1].startswith("5.1.1")


def a_mail_for_the_disabled_arrives(host: Host, user: User) -> None:
    sent = host.provider.send("a@remote.example", user.address, letter("a@remote.example", user.address, "Meanwhile"))
    assert [code for code, _ in sent.answers] == [250] * 3
    host.provider.outrider("user", "enable", user.address)
    host.provider.arrival(user, "Meanwhile")


def test_an_app_password_opens_its_scope(host: Host, plain: User) -> None:
    made = host.provider.outrider("app-password", "add", plain.address, "--scope", "imap,smtp")
    alias = host.provider.outrider("alias", "add", plain.address, f"a-{secrets.token_hex(4)}@{DOMAIN}")["address"]
    tries = [(plain.address.upper(), made["secret"]), (alias, made["secret"])]
    seen = {door: [one.logged_in for one in row] for door, row in everywhere(host, tries).items()}
    yes, no = [True, False], [False, False]  # an alias is no login
    assert seen == {"imap": yes, "pop3": no, "sieve": no, "submission": yes, "smtps": yes}


def test_no_password_is_asked_for_in_clear(host: Host, plain: User) -> None:
    """Port 25 offers no login at all, with TLS or without; the others none before TLS."""
    spoken = ["docmd", "AUTH", "PLAIN AAAA"]
    relay = {**outside(["ehlo", "mx.remote.example"], spoken)}
    starttls = {**relay, "tls": "starttls", "host": "mail.provider.example", "source": None}
    bare = {**ENTRANCES["submission"], "tls": "none", "calls": [["ehlo", "client.example"], spoken]}
    (port25,) = host.talk_all([relay], outside=True)
    port25_tls, port587 = host.talk_all([starttls, bare])
    for one, code in ((port25, 503), (port25_tls, 503), (port587, 530)):
        assert one.answers[0][0] == 250
        assert "AUTH" not in one.answers[0][1]
        assert one.answers[1][0] == code, one.answers
    imap = "import imaplib,sys; m=imaplib.IMAP4('imap.provider.example'); print(m.capabilities)"
    assert "LOGINDISABLED" in host.client([sys.executable, "-c", imap]).stdout
    pop3 = "import poplib; poplib.POP3('mail.provider.example', timeout=5)"
    assert "refused" in host.client([sys.executable, "-c", pop3], check=False).stderr


def test_a_new_mailbox_has_its_folders(host: Host, plain: User) -> None:
    seen = host.provider.imap(plain.address, plain.password, ("list",), ("lsub",))
    listed, subscribed = (text.splitlines() for _, text in seen.answers)
    flags = {line.rsplit(" ", 1)[1].strip('"'): line for line in listed}
    assert {name for name in FOLDERS if f"\\{name}" in flags[name]} == set(FOLDERS)
    assert {line.rsplit(" ", 1)[1].strip('"') for line in subscribed} == set(FOLDERS)


def test_doveadm_and_check_see_what_logins_see(host: Host, plain: User) -> None:
    entry = dict(line.split("\t") for line in host.run(["doveadm", "user", plain.address]).stdout.splitlines()[1:])
    local = plain.address.partition("@")[0]
    assert (entry["home"], entry["uid"]) == (f"/var/vmail/{DOMAIN}/{local}", entry["gid"])
    assert plain.address in host.run(["doveadm", "user", "*"]).stdout.split()
    assert host.run(["doveadm", "user", f"never@{DOMAIN}"], check=False).returncode == 67
    check = host.run(["outrider", "check"], check=False)
    assert check.returncode == 0, check.stdout


def test_what_programs_send_arrives(host: Host, levels: list[Person], plain: User) -> None:
    """A program with an app password sends, and a person with a code."""
    user, codes = levels[4]
    time_passes(host, user)
    assert user.app_password
    fields = {"by app password": user.app_password, "by code": user.password + codes.fresh()}
    sent = host.talk_all([
        submission(user.address, field, user.address, plain.address, letter(user.address, plain.address, subject))
        for subject, field in fields.items()
    ])  # fmt: skip
    assert [one.codes for one in sent] == [[250] * 3] * 2
    for subject in fields:
        host.provider.arrival(plain, subject)
