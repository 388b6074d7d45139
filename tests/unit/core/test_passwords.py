"""Stored passwords, and the work done for nobody."""

import argon2

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
