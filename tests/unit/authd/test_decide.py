"""Who may log in: every level at every service with every kind of field, and what work each answer takes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.decide import FIELD_LIMIT, SERVICES, Facts, Hash, Later, No, Request, Spend, Step, Why, Yes, decide
from authd.methods import Token, app_password, totp
from outrider.addresses import Person

NOW = 1_800_000_000
STEP = NOW // 30
PASSWORD = "pass123456"  # ends in six digits: exactly the code's length is cut off, never more
STORED = f"stored:{PASSWORD}"  # what the cheap hash of these tests makes of it
ALL = frozenset(SERVICES.values())
ALICE = Person(7, "alice@provider.example", True, "en", 0, "u1")
TOKEN = Token(3, "totp", b"1234567890" * 2, "SHA1", 6, 30, last=-1, drift=0)
APP = app_password.new(lambda size: bytes(range(size)))
KEY = app_password.AppPassword(
    5, 7, app_password.digest(APP), frozenset({"imap", "pop3", "smtp", "dav"}), expires=None, revoked=None, used=NOW
)


def code(step: int = STEP, token: Token = TOKEN) -> str:
    assert token.secret is not None
    return totp.code_at(token.secret, step, algorithm=token.algorithm, digits=token.digits)


def wrong_code() -> str:
    """Six digits that are right at no step near now."""
    near = {code(STEP + away) for away in range(-3, 4)}
    return next(text for text in ("111111", "222222", "333333") if text not in near)


def facts(level: int = 4, *tokens: Token, **changed: object) -> Facts:
    known = Facts(person=ALICE, stored=STORED, level=level, tokens=tokens or (TOKEN,))
    return replace(known, **changed)  # type: ignore[arg-type]


def judge(step: Step) -> tuple[Yes | No | Later, int, list[Spend]]:
    """Do what the server does, with a cheap hash: the verdict, the slow hashes, and what was spent."""
    if not isinstance(step, Hash):
        return step, 0, []
    right = step.stored is not None and step.stored == f"stored:{step.secret}"
    end = step.right if right else step.wrong
    return (end.done, 1, [end]) if isinstance(end, Spend) else (end, 1, [])


def login(field: str, known: Facts, service: str = "imap", now: int = NOW) -> tuple[Yes | No | Later, int, list[Spend]]:
    return judge(decide(Request(service, ALL, field), known, now))


# Levels, services, fields -------------------------------------------------------------------------

FIELDS = {
    "password": PASSWORD,
    "password+code": PASSWORD + code(),
    "app password": APP,
    "wrong": "wrong-password",
    "password+wrong code": PASSWORD + wrong_code(),
    "wrong+code": "wrong-password" + code(),
    "code": code(),
    "app password+code": APP + code(),
    "password+code+letter": PASSWORD + code() + "x",
    "code+password": code() + PASSWORD,
}
PROGRAMS = ("imap", "pop3", "submission", "smtps", "smtp", "radicale")
OPEN = {  # what lets in; everything else in FIELDS is refused
    (0, "web"): {"password"},
    (1, "web"): {"password+code"},
    (2, "web"): {"password+code"},
    (3, "web"): {"password+code"},
    (4, "web"): {"password+code"},
    (0, "program"): {"password", "app password"},
    (1, "program"): {"password", "app password"},
    (2, "program"): set(),
    (3, "program"): {"app password"},
    (4, "program"): {"password+code", "app password"},
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("service", ["web", *PROGRAMS])
@pytest.mark.parametrize("level", range(5))
def test_levels_services_fields(level: int, service: str, field: str) -> None:
    verdict, hashes, spent = login(FIELDS[field], facts(level, app_password=KEY), service)
    let_in = field in OPEN[level, "web" if service == "web" else "program"]
    assert isinstance(verdict, Yes if let_in else No)
    assert hashes == (0 if let_in and field == "app password" else 1)
    assert len(spent) == (1 if let_in and field == "password+code" else 0)


@pytest.mark.parametrize("service", ["imap", "web"])
@pytest.mark.parametrize("level", range(5))
def test_an_account_without_an_active_token_counts_as_level_0(level: int, service: str) -> None:
    known = replace(facts(level), tokens=())
    assert isinstance(login(PASSWORD, known, service)[0], Yes)
    assert isinstance(login(PASSWORD + code(), known, service)[0], No)


@pytest.mark.parametrize("service", ["", "IMAP", "lmtp", "doveadm", "ftp", "dav", "imap ", "managesieve"])
def test_other_services_are_refused_without_any_work(service: str) -> None:
    assert login(PASSWORD, facts(0), service) == (No(Why.SERVICE), 0, [])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_the_listener_does_not_offer_is_refused(service: str) -> None:
    offered = ALL - {SERVICES[service]}
    assert decide(Request(service, offered, PASSWORD), facts(0), NOW) == No(Why.SERVICE)


# Refusals cost the same ---------------------------------------------------------------------------

BARRED = {
    "nobody": Facts(),
    "disabled": facts(0, person=replace(ALICE, enabled=False)),
    "ended": facts(0, person=replace(ALICE, ended=True)),
    "disabled with an app password": facts(3, person=replace(ALICE, enabled=False), app_password=KEY),
    "no stored password": facts(0, stored=None),
}


@pytest.mark.parametrize("field", [PASSWORD, PASSWORD + code(), APP, "x"])
@pytest.mark.parametrize("known", BARRED.values(), ids=BARRED.keys())
def test_exactly_one_slow_hash_for_those_who_never_get_in(known: Facts, field: str) -> None:
    for service in ("imap", "web"):
        verdict, hashes, spent = login(field, known, service)
        assert isinstance(verdict, No)
        assert (hashes, spent) == (1, [])


@given(
    level=st.integers(0, 4),
    service=st.sampled_from(sorted(SERVICES)),
    field=st.one_of(st.text(min_size=1, max_size=40), st.sampled_from(sorted(FIELDS.values()))),
    known=st.sampled_from([facts(), facts(app_password=KEY), facts(4, TOKEN, replace(TOKEN, id=4, digits=8)), Facts()]),
)
@settings(max_examples=50, deadline=None)
def test_every_refusal_that_knows_the_account_is_exactly_one_hash(
    level: int, service: str, field: str, known: Facts
) -> None:
    verdict, hashes, _ = login(field, replace(known, level=level), service)
    if isinstance(verdict, No) and verdict.why is not Why.FIELD:
        assert hashes == 1
    assert hashes <= 1


@pytest.mark.parametrize(
    "field", ["", "x\0y", "x" * (FIELD_LIMIT + 1), "ä" * (FIELD_LIMIT // 2 + 1), "1" * 100_000, "a" * 1_000_000]
)
def test_malformed_fields_are_refused_without_a_hash_whoever_asks(field: str) -> None:
    for known in (facts(0), facts(4), Facts()):
        assert login(field, known) == (No(Why.FIELD), 0, [])


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("wrong-password", Why.NOTHING),
        (PASSWORD, Why.SECRET_ONLY),  # it ends in six digits, which are no right code; the rest is not the password
        ("wrong" + code(), Why.CODE_ONLY),
        (PASSWORD + wrong_code(), Why.SECRET_ONLY),
        ("wrong" + wrong_code(), Why.NOTHING),
        (code(), Why.NOTHING),
    ],
)
def test_failures_are_told_apart_in_the_log_only(field: str, why: Why) -> None:
    stored = "stored:pass" if field == PASSWORD else STORED
    verdict, hashes, _ = login(field, facts(4, stored=stored))
    assert verdict == No(why, 7)
    assert hashes == 1


# Codes --------------------------------------------------------------------------------------------


def test_a_right_code_is_spent_with_step_and_drift_after_the_hash() -> None:
    verdict, _, [spend] = login(PASSWORD + code(STEP + 1), facts())
    assert verdict == Yes(ALICE, "token 3")
    assert (spend.match.token.id, spend.match.step, spend.match.drift) == (3, STEP + 1, 1)
    assert spend.lost == No(Why.SPENT, 7)


def test_a_wrong_password_with_a_right_code_spends_nothing() -> None:
    assert login("wrong" + code(), facts())[2] == []


def test_a_code_that_was_used_is_a_wrong_code() -> None:
    assert login(PASSWORD + code(), facts(4, replace(TOKEN, last=STEP)))[0] == No(Why.SPENT, 7)


@pytest.mark.parametrize("tail", ["\n", " ", "\u200b", "１２３４５６"])
def test_nothing_may_follow_the_code(tail: str) -> None:
    assert isinstance(login(PASSWORD + code() + tail, facts())[0], No)


@pytest.mark.parametrize("password", ['a$b;c,d e\tf"g', "pässwörd", "123456", "ffffff", "p" * 500])
def test_passwords_may_hold_anything(password: str) -> None:
    assert isinstance(login(password + code(), facts(4, stored=f"stored:{password}"))[0], Yes)


def test_two_tokens_each_let_in_and_a_longer_code_comes_first() -> None:
    other = replace(TOKEN, id=9, digits=8, secret=b"other-secret-of-20-b")
    for token in (TOKEN, other):
        verdict, hashes, [spend] = login(PASSWORD + code(token=token), facts(4, TOKEN, other))
        assert verdict == Yes(ALICE, f"token {token.id}")
        assert (hashes, spend.match.token.id) == (1, token.id)


def test_a_password_that_ends_in_another_tokens_code_gives_no_bypass() -> None:
    other = replace(TOKEN, id=9, secret=b"other-secret-of-20-b")
    password = "secret" + code(token=other)
    assert isinstance(login(password, facts(4, TOKEN, other, stored=f"stored:{password}"))[0], No)
    assert isinstance(login(password + code(), facts(4, TOKEN, other, stored=f"stored:{password}"))[0], Yes)


@pytest.mark.parametrize("broken", [replace(TOKEN, id=9, secret=None), replace(TOKEN, id=9, kind="from-the-future")])
def test_a_token_that_cannot_be_judged_makes_it_later_and_never_yes_or_no(broken: Token) -> None:
    assert isinstance(login(PASSWORD + code(), facts(4, broken))[0], Later)
    assert isinstance(login(PASSWORD + code(), facts(4, broken, TOKEN))[0], Yes)
    assert isinstance(login(PASSWORD + wrong_code(), facts(4, broken, TOKEN))[0], Later)
    assert isinstance(login(APP, facts(4, broken, app_password=KEY))[0], Yes)
    assert isinstance(login(PASSWORD, facts(3, broken))[0], No)  # level 3: no code is asked for


# App passwords ------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["imap", "pop3", "submission", "radicale"])
def test_an_app_password_needs_no_slow_hash(service: str) -> None:
    assert login(APP, facts(3, app_password=KEY), service) == (Yes(ALICE, "app-password 5"), 0, [])


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, revoked=NOW - 1),
        replace(KEY, expires=NOW),
        replace(KEY, scopes=frozenset({"smtp"})),
        replace(KEY, scopes=frozenset()),
        replace(KEY, account=8),
        replace(KEY, digest=app_password.digest("a" * 32)),
    ],
    ids=["revoked", "expired", "smtp only", "no scope", "somebody else's", "another secret"],
)
@pytest.mark.parametrize("level", [0, 3, 4])
def test_an_app_password_that_is_not_good_here(key: app_password.AppPassword, level: int) -> None:
    verdict, hashes, _ = login(APP, facts(level, app_password=key))
    assert isinstance(verdict, No)
    assert hashes == 1


def test_an_app_password_until_it_expires() -> None:
    assert isinstance(login(APP, facts(3, app_password=replace(KEY, expires=NOW + 1)))[0], Yes)


def test_sieve_needs_its_scope() -> None:
    assert isinstance(login(APP, facts(3, app_password=KEY), "sieve")[0], No)
    scoped = replace(KEY, scopes=frozenset({"sieve"}))
    assert isinstance(login(APP, facts(3, app_password=scoped), "sieve")[0], Yes)


def test_an_account_password_of_the_same_shape_works() -> None:
    assert isinstance(login(APP, facts(0, stored=f"stored:{APP}"))[0], Yes)


@pytest.mark.parametrize(
    ("field", "prefix"), [(APP, APP[:8]), (APP.upper(), None), (APP[:-1], None), (APP + "\n", None), ("1" * 32, None)]
)
def test_the_shape_of_an_app_password(field: str, prefix: str | None) -> None:
    assert app_password.prefix(field) == prefix


def test_nothing_secret_shows_in_repr() -> None:
    known = facts(4, app_password=KEY)
    request = Request("imap", ALL, PASSWORD + code())
    for one in (known, request, decide(request, known, NOW), KEY):
        assert PASSWORD not in repr(one)
        assert STORED not in repr(one)
        assert repr(KEY.digest) not in repr(one)
