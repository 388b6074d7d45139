"""Logins: app password, password with one-time code, replay, refusals that tell nothing, and the folders one finds."""

from __future__ import annotations

from demo.tour import Step, Walk, must, telling

FOLDERS = ("Drafts", "Sent", "Trash", "Archive", "Junk")


def app_password(walk: Walk) -> list[str]:
    assert walk.alice.app_password
    seen = walk.provider.imap(walk.alice.address, walk.alice.app_password, ("select", "INBOX"))
    must(seen.logged_in and seen.answers[0][0] == "OK", "OK for LOGIN and SELECT", seen.lines)
    return telling(seen, "LOGIN", "Logged in", "SELECT", "EXISTS")


def password_and_code(walk: Walk) -> list[str]:
    secret = walk.secret()
    walk.made["used"] = secret
    seen = walk.provider.submit(walk.alice.address, secret, walk.alice.address, walk.bob.address)
    must(seen.logged_in and [code for code, _ in seen.answers] == [250] * 3, "235, then 250 three times", seen.lines)
    return telling(seen, "AUTH", "235", "MAIL", "RCPT", "250 2.")


def same_code_again(walk: Walk) -> list[str]:
    seen = walk.provider.submit(walk.alice.address, walk.made["used"], walk.alice.address, walk.bob.address)
    must(seen.login is not None and seen.login[0] == 535, "535", seen.lines)
    return telling(seen, "AUTH", "535")


def refusals(walk: Walk) -> list[str]:
    """Three reasons, one text, on submission and on IMAP."""
    wrong_code = f"{walk.alice.password}{'0' * 6}"
    tries = [
        ("wrong code", walk.alice.address, wrong_code),
        ("wrong password", walk.bob.address, "not the password"),
        ("unknown user", f"nobody@{walk.demo.domain}", "whatever it is"),
    ]
    lines, words = [], set()
    for reason, user, secret in tries:
        for seen in (walk.provider.imap(user, secret), walk.provider.submit(user, secret, user, walk.bob.address)):
            must(seen.login is not None and not seen.logged_in, f"a refusal for {reason}", seen.lines)
            assert seen.login
            words.add(seen.login)
            lines.append(f"{reason + ':':16}S: {seen.login[0]} {seen.login[1]}")
    must(len(words) == 2, "one text on IMAP and one on submission", lines)
    return lines


def bob_reads(walk: Walk) -> list[str]:
    """alice's mail of step two, fetched by level 0 with nothing but the password."""
    seen = walk.provider.arrival(walk.bob, "Hello")
    return telling(seen, "LOGIN", "Logged in", "EXISTS", "From:", "Subject:")


def folders(walk: Walk) -> list[str]:
    assert walk.alice.app_password
    seen = walk.provider.imap(walk.alice.address, walk.alice.app_password, ("list",), ("lsub",))
    listed, subscribed = (text for _, text in seen.answers)
    for name in FOLDERS:
        row = next((line for line in listed.splitlines() if line.endswith((f" {name}", f' "{name}"'))), "")
        must(f"\\{name}" in row, f"\\{name} on {name}", seen.lines)
        must(name in subscribed, f"{name} subscribed", seen.lines)
    return telling(seen, "* LIST", "* LSUB")


def outside(walk: Walk) -> list[str]:
    """remote.example is the demo's only outside; every other domain is refused."""
    before = len(list(walk.provider.sink.glob("*.json")))
    address, secret = walk.bob.address, walk.bob.password
    seen = walk.provider.submit(address, secret, address, "friend@remote.example", port=465)
    must([code for code, _ in seen.answers] == [250] * 3, "250 three times", seen.lines)
    kept = walk.provider.kept(before + 1)[-1]
    refused = walk.provider.submit(address, secret, address, "somebody@elsewhere.example", port=465)
    must(refused.answers[1][0] == 550, "550 for another outside domain", refused.lines)
    arrived = f"(the outside world got it from {kept.envelope['peer']} for {kept.envelope['rcpt_tos'][0]})"
    return [*telling(seen, "RCPT", "250 2."), arrived, *telling(refused, "RCPT", "550")]


STEPS = (
    Step("alice reads her mail: IMAP with an app password, TLS checked against the demo's authority", app_password),
    Step("alice sends mail: password and one-time code in one field", password_and_code),
    Step("the same code again is refused", same_code_again),
    Step("wrong code, wrong password, unknown user: the same words", refusals),
    Step("bob, without a second factor, reads alice's mail with his password", bob_reads),
    Step("the folders a mail program finds, with their roles, subscribed", folders),
    Step("mail leaves for remote.example and for nowhere else", outside),
)
