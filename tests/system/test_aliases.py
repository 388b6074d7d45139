"""Addresses that are nobody's login: what arrives by them, what leaves as them, and what stays dead."""

import re
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from demo.provider import User, letter
from kit.hosts import Host
from kit.programs import Told, delivery, login, outside, submission

DOMAIN, CUSTOMER, DISPOSABLE = "provider.example", "customer.example", "tmp.provider.example"
STRANGER = "stranger@remote.example"
ARRIVAL_SECONDS = 30.0  # Postfix delivers within a second; a busy machine may need more
QUOTA = 20 << 10
FILLING = "A line of 30 octets, CRLF too\r\n" * (QUOTA * 104 // 100 // 31)
NEVER_SENDS = "it only receives mail and can never send"


@dataclass(frozen=True)
class Cast:
    """alice and her addresses; `dead` are all that she once had. bob has one of his own."""

    alice: User
    bob: User
    live: str
    expired: str
    ended: str
    permanent: str
    gone: str
    bobs: str
    opaque: str

    @property
    def password(self) -> str:
        return self.alice.password


@pytest.fixture(scope="module")
def cast(host: Host) -> Iterator[Cast]:
    alice, bob = host.user(), host.user()
    outrider = host.provider.outrider
    live, expired, ended = (outrider("alias", "new", alice.address)["address"] for _ in range(3))
    permanent, gone = (f"{name}-{secrets.token_hex(3)}@{DOMAIN}" for name in ("sales", "gone"))
    for address in (permanent, gone):
        outrider("alias", "add", alice.address, address)
    for address in (ended, gone):
        outrider("alias", "end", address)
    host.sql("UPDATE alias SET expires = ? WHERE address = ?", int(time.time()), expired)
    outrider("domain", "catch-all", CUSTOMER, alice.address)
    bobs = outrider("alias", "new", bob.address)["address"]
    yield Cast(alice, bob, live, expired, ended, permanent, gone, bobs, opaque(host, alice))
    outrider("domain", "catch-all", CUSTOMER)


def opaque(host: Host, user: User) -> str:
    ((local,),) = host.sql(
        "SELECT a.opaque FROM account a JOIN directory_user u ON a.source_key = CAST(u.id AS TEXT)"
        " WHERE u.address = ? AND a.directory = 'sql'",
        user.address,
    )
    return f"{local}@b.{DOMAIN}"


def tagged(address: str, tag: str = "shop") -> str:
    return address.replace("@", f"+{tag}@")


def subjects(host: Host, user: User, folders: Sequence[str], wanted: set[str]) -> dict[str, str]:
    """{subject: folder} of all mails, as soon as the wanted ones are there."""
    fetch = ("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    calls = [call for folder in folders for call in (("select", folder), fetch)]
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while True:
        (seen,) = host.talk_all([login("imap", user.address, user.password, *calls)])
        found = {
            subject: folder
            for folder, (_, text) in zip(folders, seen.answers[1::2], strict=True)
            for subject in re.findall(r"Subject: ([^\r\n]+)", text)
        }
        if wanted <= found.keys():
            return found
        assert time.monotonic() < deadline, (wanted, found, seen.lines)


def mail(host: Host, recipients: dict[str, str], sender: str = STRANGER) -> list[Told]:
    """One mail from outside to each, {subject: recipient}."""
    jobs = [delivery(sender, to, letter(STRANGER, "list@remote.example", name)) for name, to in recipients.items()]
    return host.talk_all(jobs, outside=True)


def test_mail_arrives_by_every_living_address_and_sieve_sees_which(host: Host, cast: Cast) -> None:
    script = f"""require ["envelope", "fileinto", "mailbox", "subaddress"];
if envelope "to" "{cast.live}" {{ fileinto :create "Live"; }}
elsif envelope :detail "to" "shop" {{ fileinto :create "Shop"; }}
elsif envelope :domain "to" "{CUSTOMER}" {{ fileinto :create "Customer"; }}
elsif envelope :domain "to" "b.{DOMAIN}" {{ fileinto :create "Opaque"; }}
"""
    installed = host.provider.sieve(cast.alice.address, cast.password, script)
    assert [status for status, _ in installed.answers] == ["OK", "OK"]
    wanted = {
        "own": (cast.alice.address, "INBOX"),
        "own, shouted": (cast.alice.address.upper(), "INBOX"),
        "own, tagged": (tagged(cast.alice.address), "Shop"),
        "alias": (cast.live, "Live"),
        "alias, shouted": (cast.live.upper(), "Live"),
        "alias, tagged": (tagged(cast.live), "Shop"),
        "permanent": (cast.permanent, "INBOX"),
        "permanent, tagged": (tagged(cast.permanent), "Shop"),
        "catch-all": (f"whoever@{CUSTOMER}", "Customer"),
    }
    sent = mail(host, {subject: to for subject, (to, _) in wanted.items()})
    sent += mail(host, {"opaque": cast.opaque}, sender="")
    assert [one.codes for one in sent] == [[250] * 3] * len(sent), [one.answers for one in sent]
    expected = {subject: folder for subject, (_, folder) in wanted.items()} | {"opaque": "Opaque"}
    assert subjects(host, cast.alice, sorted({*expected.values()}), set(expected)) == expected


def test_headers_show_the_address_that_was_used(host: Host, cast: Cast) -> None:
    mail(host, {"headers": cast.permanent})
    subjects(host, cast.alice, ["INBOX"], {"headers"})
    search = ("search", None, 'SUBJECT "headers"')
    (found,) = host.talk_all([login("imap", cast.alice.address, cast.password, ("select", "INBOX"), search)])
    fetch = ("fetch", found.answers[1][1].split()[-1], "(BODY.PEEK[HEADER])")
    (seen,) = host.talk_all([login("imap", cast.alice.address, cast.password, ("select", "INBOX"), fetch)])
    assert f"for <{cast.permanent}>" in seen.answers[1][1].partition("with LMTP")[2]
    assert cast.alice.address not in seen.answers[1][1]


def test_what_does_not_receive_is_refused_in_the_same_words(host: Host, cast: Cast) -> None:
    unknown = f"{secrets.token_hex(6)}@{DISPOSABLE}"
    dead = [
        unknown, f"{secrets.token_hex(6)}@{DOMAIN}", cast.expired, cast.expired.upper(), tagged(cast.expired),
        cast.ended, cast.gone, tagged(cast.gone), cast.opaque, f"u{secrets.token_hex(10)}@b.{DOMAIN}",
    ]  # fmt: skip
    told = [
        one.answers[1]
        for one in host.talk_all([outside(["mail", STRANGER], ["rcpt", to]) for to in dead], outside=True)
    ]
    words = {address: (code, text.replace(address, "X")) for address, (code, text) in zip(dead, told, strict=True)}
    assert set(words.values()) == {(550, "5.1.1 <X>: Recipient address rejected: User unknown")}, words


def test_an_address_is_never_given_out_again(host: Host, cast: Cast) -> None:
    leaver = host.user()
    host.provider.outrider("user", "end", leaver.address)
    tries = [
        ("user", "add", cast.gone.upper()),
        ("alias", "add", cast.bob.address, cast.gone.upper()),
        ("user", "add", leaver.address),
        ("alias", "add", cast.bob.address, leaver.address),
        ("user", "add", cast.ended),
        ("alias", "add", cast.bob.address, cast.expired),
        ("alias", "add", cast.bob.address, cast.permanent),
        ("user", "add", cast.permanent),
    ]
    for words in tries:
        refused = host.run(["outrider", *words], input=f"{secrets.token_urlsafe(12)}\n", check=False)
        assert refused.returncode == 1, (words, refused.stdout)
        assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


def test_who_may_send_as_what(host: Host, cast: Cast) -> None:
    own = [cast.alice.address, cast.alice.address.upper(), tagged(cast.alice.address), cast.permanent]
    own += [tagged(cast.permanent), f"whoever@{CUSTOMER}", ""]
    disposable = [
        cast.live,
        cast.live.upper(),
        tagged(cast.live),
        cast.expired,
        cast.ended,
        cast.bobs,
        f"no@{DISPOSABLE}",
    ]
    others = [cast.bob.address, cast.gone, f"nobody@{DOMAIN}", "ceo@remote.example", cast.opaque, "root"]
    tries = [*own, *disposable, *others]
    seen = host.talk_all([submission(cast.alice.address, cast.password, one, cast.bob.address) for one in tries])
    assert all(one.logged_in for one in seen)
    told = dict(zip(tries, seen, strict=True))
    assert {one: told[one].codes for one in own} == {one: [250] * 3 for one in own}
    for sender in (*disposable, *others):
        code, text = told[sender].answers[1]
        assert (code, "5.7.1" in text) == (550, True), (sender, told[sender].answers)
        assert (NEVER_SENDS in text) == (sender in disposable), text
        assert cast.alice.address in text or sender not in others


def test_strangers_cannot_send_as_us_through_us_or_ask_who_there_is(host: Host, cast: Cast) -> None:
    as_alias = outside(["mail", cast.live], ["rcpt", cast.bob.address])
    relayed = outside(["mail", STRANGER], ["rcpt", "friend@remote.example"])
    percent = outside(["mail", STRANGER], ["rcpt", f"friend%remote.example@{DOMAIN}"])
    asked = outside(["ehlo", "mx"], ["docmd", "VRFY", cast.alice.address], ["docmd", "EXPN", cast.alice.address])
    alias, relay, route, vrfy = host.talk_all([as_alias, relayed, percent, asked], outside=True)
    assert alias.answers[1][0] == 550
    assert "never sends any" in alias.answers[1][1]
    assert relay.answers[1][0] in {550, 554}
    assert "Relay access denied" in relay.answers[1][1]
    assert route.answers[1][0] in {550, 554}
    assert [code for code, _ in vrfy.answers[1:]] == [502, 500]  # switched off; not known to Postfix at all


def test_an_alias_is_its_owners_mailbox_with_all_that_belongs_to_it(host: Host) -> None:
    """Every field of the owner, and so his quota; a bounce does not name him."""
    address = f"small-{secrets.token_hex(3)}@{DOMAIN}"
    password = secrets.token_urlsafe(12)
    host.provider.outrider("user", "add", address, "--quota", "20K", text=f"{password}\n")
    owner = User(address, password)
    alias = host.provider.outrider("alias", "new", address)["address"]
    own, by_alias, by_tag = (entry(host, one) for one in (address, alias, tagged(alias)))
    assert own == by_alias == by_tag
    assert any(str(QUOTA) in value for value in own.values()), own

    # Both releases let one mail go a little over the limit (quota_grace, quota_storage_grace); the next is too much.
    sent = host.talk_all([delivery(STRANGER, alias, letter(STRANGER, alias, "full", FILLING))], outside=True)
    assert subjects(host, owner, ["INBOX"], {"full"}) == {"full": "INBOX"}
    sender = f"{secrets.token_hex(6)}@remote.example"
    sent += host.talk_all([delivery(sender, alias)], outside=True)
    assert [one.codes for one in sent] == [[250] * 3] * 2
    bounce = bounced(host, sender)
    assert "Quota exceeded" in bounce
    assert alias in bounce
    assert address not in bounce


def entry(host: Host, address: str) -> dict[str, str]:
    """What Dovecot hears about an address; the name itself only where it is another one."""
    rows = [line.split("\t", 1) for line in host.run(["doveadm", "user", address]).stdout.splitlines()[1:]]
    return {name: value for name, value in rows if name != "user"}


def bounced(host: Host, sender: str) -> str:
    """The mail to this sender that came back to the outside world."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        for kept in host.provider.kept(1):
            if sender in kept.envelope["rcpt_tos"]:
                return kept.message.decode()
        time.sleep(0.05)
    raise AssertionError(f"no bounce to {sender}")
