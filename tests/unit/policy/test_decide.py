"""Verdicts and texts."""

import pytest

from outrider.addresses import Alias, Dead, Mailbox, Person, Resolution, TryLater, Unknown
from policy import decide
from policy.decide import Judgement, SenderFacts, Verdict, Way
from policy.protocol.delegation import ACTION_CHARACTERS, Request, encode_answer
from policy.protocol.socketmap import Found, NotFound, Reply, Temporary

ALICE = Person(1, "alice@provider.example", True, "en", 0, "u1")
DOWN = TryLater("away")


def submission(sender: str, login: str = "alice@provider.example") -> Request:
    return Request("RCPT", sender, "carol@remote.example", login, "1.2.3.0", "submission")


def inbound(sender: str, recipient: str = "alice@provider.example") -> Request:
    return Request("RCPT", sender, recipient, "", "1.2.3.0", "smtp")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (submission("a@b.example"), Way.SUBMISSION),
        (Request("MAIL", policy_context="submission"), Way.SUBMISSION),
        (Request("RCPT", policy_context="smtps"), Way.SUBMISSION),
        (Request("RCPT", policy_context="smtp", sasl_username="alice@provider.example"), Way.SUBMISSION),
        (inbound("a@b.example"), Way.INBOUND),
        (Request("RCPT"), Way.INBOUND),
        (Request("RCPT", policy_context="inbound"), Way.INBOUND),
        *[
            (Request(state, "a@b.example", policy_context="submission"), Way.ELSEWHERE)
            for state in ("CONNECT", "HELO", "VRFY", "ETRN", "DATA", "END-OF-MESSAGE", "")
        ],
    ],
)
def test_way(request_: Request, expected: Way) -> None:
    assert decide.way(request_) is expected


OWN = SenderFacts(("alice@provider.example",))
BOBS = SenderFacts(("bob@provider.example",))
NOBODYS = SenderFacts()
DISPOSABLE = SenderFacts(disposable=True)


@pytest.mark.parametrize(
    ("request_", "facts", "verdict", "code"),
    [
        (submission("alice@provider.example"), OWN, Verdict.PASS, "DUNNO"),
        (submission("ALICE+x@Provider.example", "Alice@PROVIDER.example"), OWN, Verdict.PASS, "DUNNO"),
        (submission(""), NOBODYS, Verdict.PASS, "DUNNO"),
        (submission("", ""), NOBODYS, Verdict.NO_LOGIN, "530 5.7.0"),
        (submission("alice@provider.example", ""), OWN, Verdict.NO_LOGIN, "530 5.7.0"),
        (submission("x@tmp.provider.example"), DISPOSABLE, Verdict.DISPOSABLE, "550 5.7.1"),
        (submission("bob@provider.example"), BOBS, Verdict.NOT_YOURS, "550 5.7.1"),
        (submission("nobody@provider.example"), NOBODYS, Verdict.NOT_YOURS, "550 5.7.1"),
        (submission("me@remote.example"), NOBODYS, Verdict.NOT_YOURS, "550 5.7.1"),
        (submission("alice@provider.example", "not an address"), OWN, Verdict.NOT_YOURS, "550 5.7.1"),
        (submission("alice@provider.example"), DOWN, Verdict.LATER, "451 4.3.0"),
    ],
)
def test_submission(request_: Request, facts: SenderFacts | TryLater, verdict: Verdict, code: str) -> None:
    judgement = decide.judge_submission(request_, facts)
    assert judgement.verdict is verdict
    assert judgement.action.startswith(code)
    encode_answer(judgement.action)


def test_texts_are_for_people() -> None:
    disposable = decide.judge_submission(submission("x@tmp.provider.example"), DISPOSABLE)
    assert disposable.action == (
        "550 5.7.1 x@tmp.provider.example is a disposable address: it only receives mail and can never send. "
        "Please send from your own address, alice@provider.example"
    )
    foreign = decide.judge_submission(submission("bob@provider.example"), BOBS)
    assert foreign.action == (
        "550 5.7.1 You are logged in as alice@provider.example and cannot send as bob@provider.example. "
        "Please send from an address of your own"
    )


def test_somebody_elses_and_nobodys_address_get_the_same_words() -> None:
    request = submission("bob@provider.example")
    assert decide.judge_submission(request, BOBS) == decide.judge_submission(request, NOBODYS)


@pytest.mark.parametrize(
    "strange", ["größe@provider.example", "a\udcff@provider.example", "a\rb@x.example", "a" * 5000 + "@x.example"]
)
def test_what_postfix_could_not_pass_on_is_not_quoted(strange: str) -> None:
    for facts in (NOBODYS, DISPOSABLE):
        action = decide.judge_submission(submission(strange, strange), facts).action
        assert "this address" in action
        encode_answer(action)


def test_longest_texts_fit() -> None:
    long = "a" * (decide.SHOWN_CHARACTERS - 10) + "@x.example"
    for facts in (NOBODYS, DISPOSABLE):
        action = decide.judge_submission(submission(long, long), facts).action
        assert action.count(long) == 2
        assert len(action) < ACTION_CHARACTERS


@pytest.mark.parametrize(
    ("sender", "disposable", "opaque", "expected"),
    [
        ("carol@remote.example", False, False, decide.PASSED),
        ("carol@remote.example", False, True, decide.OPAQUE),
        ("", False, True, decide.PASSED),
        ("", False, False, decide.PASSED),
    ],
)
def test_inbound(sender: str, disposable: bool, opaque: bool, expected: Judgement) -> None:
    found = decide.judge_inbound(inbound(sender), disposable_sender=disposable, opaque_recipient=opaque)
    assert found == expected


@pytest.mark.parametrize("opaque", [False, True])
def test_nothing_from_outside_comes_from_a_disposable_address(opaque: bool) -> None:
    request = inbound("x@tmp.provider.example")
    found = decide.judge_inbound(request, disposable_sender=True, opaque_recipient=opaque)
    assert found.verdict is Verdict.DISPOSABLE
    assert found.action == (
        "550 5.7.1 x@tmp.provider.example is a disposable address: it only receives mail and never sends any"
    )


def test_opaque_is_refused_like_an_unknown_recipient() -> None:
    # Postfix with show_user_unknown_table_name = no: "550 5.1.1 <x>: Recipient address rejected: User unknown"
    assert decide.OPAQUE.action == "550 5.1.1 User unknown"


def test_every_refusal_is_an_action_that_postfix_takes_as_written() -> None:
    for judgement in (decide.PASSED, decide.LATER, decide.LATE, decide.NO_LOGIN, decide.OPAQUE):
        encode_answer(judgement.action)
        assert not judgement.action.startswith(("REJECT", "OK", "DEFER"))


@pytest.mark.parametrize(
    ("resolution", "reply"),
    [
        (Mailbox(ALICE, "alice@provider.example"), Found("1")),
        (Alias(ALICE, "x@tmp.provider.example", "disposable", 5), Found("1")),
        (Dead("x@tmp.provider.example"), NotFound()),
        (Unknown("x@tmp.provider.example", local=True), NotFound()),
        (Unknown("x@remote.example", local=False), NotFound()),
        (DOWN, decide.UNREADABLE),
    ],
)
def test_recipients(resolution: Resolution, reply: Reply) -> None:
    assert decide.recipient_reply(resolution) == reply


def test_senders() -> None:
    assert decide.sender_reply(("a@x.example", "b@x.example")) == Found("a@x.example,b@x.example")
    assert decide.sender_reply(()) == NotFound()
    assert isinstance(decide.sender_reply(DOWN), Temporary)


def test_domains() -> None:
    for kind in ("own", "disposable", "external", "opaque"):
        assert decide.domain_reply(kind) == Found(kind)
    assert decide.domain_reply(None) == NotFound()
    assert isinstance(decide.domain_reply(DOWN), Temporary)
