"""The one folding and the one judgement."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.addresses import (
    Alias,
    AliasFacts,
    BadAddress,
    Dead,
    Entry,
    Facts,
    Mailbox,
    Person,
    TryLater,
    Unknown,
    fold,
    judge,
    owners_of,
    resolve,
    split_tag,
)
from outrider.db import DatabaseDown

ALICE = Person(1, "alice@provider.example", True, "de", 0, "u1")
ENDED = Person(1, "alice@provider.example", True, "de", 0, "u1", ended=True)
ADDRESS = "x@provider.example"


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Alice@Provider.Example", "alice@provider.example"),
        ("alice@provider.example.", "alice@provider.example"),
        ('"alice"@provider.example', "alice@provider.example"),
        ('"al\\ice"@provider.example', "alice@provider.example"),
        ("ａｌｉｃｅ@provider.example", "alice@provider.example"),
        ("alice＠provider.example", "alice@provider.example"),
        ("alice@provider。example", "alice@provider.example"),
        ("alice@ｐrovider.example", "alice@provider.example"),
        ("alice@BÜCHER.example", "alice@xn--bcher-kva.example"),
        ("alice@xn--BCHER-kva.example", "alice@xn--bcher-kva.example"),
        ("STRASSE@provider.example", "strasse@provider.example"),
        ("straße@provider.example", "strasse@provider.example"),
        ('"a b"@provider.example', '"a b"@provider.example'),
        ('"a@b"@provider.example', '"a@b"@provider.example'),
        ("a+b@provider.example", "a+b@provider.example"),
        ("a%b@provider.example", "a%b@provider.example"),
    ],
)
def test_fold(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "alice",
        "@provider.example",
        "alice@",
        "alice@[192.0.2.1]",
        "@relay.example:alice@provider.example",
        "al ice@provider.example",
        "alice\n@provider.example",
        "alice@provider.example\n",
        "al\u200bice@provider.example",
        "\u202ealice@provider.example",
        ".alice@provider.example",
        "alice.@provider.example",
        "al..ice@provider.example",
        "alice@-provider.example",
        "alice@pro_vider.example",
        "alice@" + "a" * 64 + ".example",
        "a" * 400 + "@provider.example",
        '""@provider.example',
        '"a\x00b"@provider.example',
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(BadAddress):
        fold(typed)


@given(st.text(max_size=40), st.sampled_from(["provider.example", "BÜCHER.example", "a.b."]))
@settings(max_examples=300)
def test_folding_twice_changes_nothing(local: str, domain: str) -> None:
    try:
        once = fold(f"{local}@{domain}")
    except BadAddress:
        return
    assert fold(once) == once


def test_tags() -> None:
    assert split_tag("a+b@d.example") == ("a@d.example", "b")
    assert split_tag("a+b+c@d.example") == ("a@d.example", "b+c")
    assert split_tag("+b@d.example") == ("+b@d.example", "")
    assert split_tag("a+@d.example") == ("a+@d.example", "")
    assert split_tag('"a+b c"@d.example') == ('"a+b c"@d.example', "")


def own(**entry: object) -> Facts:
    return Facts(ADDRESS, "own", exact=Entry(**entry))  # type: ignore[arg-type]


def test_person() -> None:
    assert judge(own(person=ALICE), 0) == Mailbox(ALICE, ADDRESS)


def test_ended_person_is_dead() -> None:
    assert judge(own(person=ENDED), 0) == Dead(ADDRESS)


def test_tombstone_beats_the_directory() -> None:
    assert judge(own(person=ALICE, tombstone=True), 0) == Dead(ADDRESS)


def test_alias_lives_to_the_second() -> None:
    facts = own(alias=AliasFacts("disposable", 100, ALICE), tombstone=True)
    assert judge(facts, 99) == Alias(ALICE, ADDRESS, "disposable", 100)
    assert judge(facts, 100) == Dead(ADDRESS)


def test_alias_of_an_ended_owner_is_dead() -> None:
    assert judge(own(alias=AliasFacts("permanent", None, ENDED)), 0) == Dead(ADDRESS)
    assert judge(own(alias=AliasFacts("permanent", None, None)), 0) == Dead(ADDRESS)


def test_tag_reaches_the_base_only_when_the_exact_one_is_nobody() -> None:
    tagged = Facts("x+t@provider.example", "own", base=Entry(person=ALICE))
    assert judge(tagged, 0) == Mailbox(ALICE, "x+t@provider.example")
    buried = Facts("x+t@provider.example", "own", exact=Entry(tombstone=True), base=Entry(person=ALICE))
    assert judge(buried, 0) == Dead("x+t@provider.example")


def test_catch_all_takes_the_unknown_but_not_the_dead() -> None:
    assert judge(Facts(ADDRESS, "external", catch_all=ALICE), 0) == Alias(ALICE, ADDRESS, "catch-all")
    assert judge(Facts(ADDRESS, "external", exact=Entry(tombstone=True), catch_all=ALICE), 0) == Dead(ADDRESS)
    assert judge(Facts(ADDRESS, "disposable", catch_all=ALICE), 0) == Unknown(ADDRESS, local=True)
    assert judge(Facts(ADDRESS, "external", catch_all=ENDED), 0) == Unknown(ADDRESS, local=True)


def test_opaque() -> None:
    assert judge(Facts(ADDRESS, "opaque", opaque=ALICE), 0) == Alias(ALICE, ADDRESS, "opaque")
    assert judge(Facts(ADDRESS, "opaque"), 0) == Dead(ADDRESS)


def test_foreign() -> None:
    assert judge(Facts(ADDRESS, None, exact=Entry(person=ALICE)), 0) == Unknown(ADDRESS, local=False)


def test_only_what_never_was_disposable_sends() -> None:
    mine = (ALICE.address,)
    assert owners_of(Mailbox(ALICE, ADDRESS)) == mine
    assert owners_of(Alias(ALICE, ADDRESS, "permanent")) == mine
    assert owners_of(Alias(ALICE, ADDRESS, "catch-all")) == mine
    assert owners_of(Alias(ALICE, ADDRESS, "disposable", 5)) == ()
    assert owners_of(Alias(ALICE, ADDRESS, "opaque")) == ()
    assert owners_of(Dead(ADDRESS)) == owners_of(Unknown(ADDRESS, local=True)) == ()


class Down:
    async def facts(self, address: str) -> Facts:
        raise DatabaseDown("away")


async def test_no_database_is_later_not_unknown() -> None:
    assert await resolve(Down(), ADDRESS, 0) == TryLater("away")
    assert await resolve(Down(), "no address", 0) == Unknown("no address", local=False)
