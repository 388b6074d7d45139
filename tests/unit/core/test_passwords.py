"""Stored passwords, and the work done for nobody."""

import base64
import hashlib
import unicodedata

import argon2
import bcrypt
import pytest

from outrider import passwords


def parameters(stored: str) -> argon2.Parameters:
    return argon2.extract_parameters(stored.removeprefix(passwords.SCHEME))


def test_nobody_costs_what_everybody_costs() -> None:
    stored = passwords.hash_password("a password of somebody")
    made, nobody = (
        argon2.extract_parameters(one.removeprefix(passwords.SCHEME)) for one in (stored, passwords._NOBODY)
    )
    assert nobody == made
    assert not passwords.verify(passwords._NOBODY, "a password of somebody")
    passwords.burn("whatever it is")


# Hashes that others have made -------------------------------------------------------------------------

TYPED = "Grüße, $ world"
DOVECOT = [  # `doveadm pw -r 5 -s SCHEME` of Dovecot 2.3.19
    "{MD5-CRYPT}$1$j0HcXTkd$41uGFXWg6FAlHzfgG6PvP/",
    "{SHA256-CRYPT}$5$rounds=1000$lJBHS00u4aXJBm3r$Mc2KBlZhomr3yFRKBWNq7rK6IdlkOf0PI.hmTejaM72",
    "{SHA512-CRYPT}$6$rounds=1000$0gJmltIvRrc05lMT"
    "$DPd8e8Z/oXBf9O/Lzkh54bkC5irg7elDNnjd9ct2ALBiUoWhbNPJnC6EXFibL.HhPppaPvsntxdrkO5XguAcx0",
    "{BLF-CRYPT}$2y$05$RAsT4A2zFCxaOrLNbqLG1OI5W0uM9Bq2ZWRN3kOyiQZI0RP9YZ/k.",
    "{SSHA}JEDOuT4VGuGOb1GDbAZPPXmQD8GMGpkP",
    "{SSHA256}vi1ZUrdysmEV9xJAgeh37Z4ofdzl2q75vvfKgRRKPyn4TmHB",
    "{SSHA512}s5tP+CETmf8Gtlpb6CHH31YCSq4kDgYVJelV52F9bHxYrWiXO85L3zkEd7s/WAtNUvvBvsT44fCS+lWOHXBmYJ6e0qk=",
    "{SSHA256.HEX}2e7a20c8dd85ffa747ffc37a4fa8835f5ef7b0b51b374d45ea61f7e22a62a77dd97d61ae",
    "{SSHA.B64}YPR+nckPJD4HTCNmtsBANVCfzQAAYMLL",
    "{PBKDF2}$1$QRmCbYjwALpml7kb$5$bd52bc0747990a250af1e5791f60f712104d2f10",
    "{CRYPT}$2y$05$PFx3DPggFuAbvKwsg8IjbeZOrIW8YY1xVBRmr2LSB7roH9C7ByZ.e",
    "{ARGON2I}$argon2i$v=19$m=32768,t=5,p=1$MmrqD8U+2CfsurjxsTkzQg$RO7z4QCmFe447mmCziFWzxvIxgoqWEdM4pPwiyNcatw",
]
SPECIFIED = [  # `openssl passwd -5`, `-6`; crypt_blowfish's wrapper.c
    ("{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"),
    (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!",
    ),
    (  # PostfixAdmin 3.3.13, `sha512.b64`: a salt with a letter that crypt(3) takes and libraries refuse
        "{SHA512-CRYPT}$6$nT+b5QMTxs4mYq6K"
        "$cpK.Dnf.0FayC3KGVv/w81S6SDBSHE6idHWZm/tsdKJZlNzVPvBgzowhV7YHfbTN9GNMNp2ZX9w5D9ISp47Xm0",
        "correct horse battery staple",
    ),
    ("{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
]


class Counted:
    """Argon2 hashes, the slow ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        hasher = passwords._HASHER

        class Hasher:
            def verify(_, value: str, password: str) -> bool:
                self.count += 1
                return hasher.verify(value, password)

        monkeypatch.setattr(passwords, "_HASHER", Hasher())


@pytest.mark.parametrize(
    ("stored", "typed"), [*((one, TYPED) for one in DOVECOT), *SPECIFIED], ids=lambda text: text.partition("}")[0][:14]
)
def test_hashes_of_others_are_checked_and_outdated(stored: str, typed: str) -> None:
    assert passwords.verify(stored, typed)
    assert passwords.outdated(stored, typed)
    for wrong in (typed + " ", typed[:-1], "", typed + typed):
        assert not passwords.verify(stored, wrong)


def test_our_own_hashes_are_not_outdated() -> None:
    assert not passwords.outdated(passwords.hash_password("x"), "x")


@pytest.mark.parametrize("stored", [one for one in DOVECOT if "ARGON" not in one], ids=lambda text: text[:14])
def test_an_old_hash_costs_one_slow_hash_right_or_wrong(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    assert passwords.verify(stored, TYPED)
    assert counted.count == 1
    assert not passwords.verify(stored, "wrong")
    assert counted.count == 2


def test_a_password_in_another_normal_form_is_the_same() -> None:
    composed, decomposed = "pässword", unicodedata.normalize("NFD", "pässword")
    old = "{SSHA}" + base64.b64encode(hashlib.sha1(composed.encode() + b"salt").digest() + b"salt").decode()  # noqa: S324
    for stored in (passwords.hash_password(composed), passwords.hash_password(decomposed), old):
        assert passwords.verify(stored, composed)
        assert passwords.verify(stored, decomposed)


def test_a_password_longer_than_bcrypt_looks_is_right_and_not_renewed() -> None:
    long = "x" * 80
    stored = "{BLF-CRYPT}" + bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()
    assert passwords.verify(stored, long)
    assert not passwords.outdated(stored, long)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "no scheme",
        "{PLAIN}secret",
        "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
        "{WHIRLPOOL}x",
        "{SSHA.ROT13}x",
        "{SSHA.HEX}zz",
        "{SSHA}!!!",
        "{SSHA}c2hvcnQ=",
        "{SHA512-CRYPT}$6$",
        "{SHA512-CRYPT}$6$ä$x",
        "{SHA512-CRYPT}$6$rounds=x$a$b",
        "{MD5-CRYPT}$1$a$b",
        "{BLF-CRYPT}$2y$",
        "{BLF-CRYPT}$2y$99$abcdefghijklmnopqrstuu",
        "{CRYPT}$y$j9T$salt$hash",
        "{PBKDF2}$1$salt$0$bd52bc0747990a250af1e5791f60f712104d2f10",
        "{PBKDF2}$2$salt$5$bd52bc0747990a250af1e5791f60f712104d2f10",
        "{PBKDF2}$1$salt$5$",
        "{ARGON2ID}xyz-xyz",
        "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$YWJj$",
    ],
)
def test_what_nobody_can_check_is_neither_right_nor_wrong(stored: str) -> None:
    with pytest.raises(passwords.UnknownScheme) as caught:
        passwords.verify(stored, "secret")
    assert "secret" not in str(caught.value)
    assert len(stored) < 8 or stored[-6:] not in str(caught.value)
