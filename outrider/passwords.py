"""Account passwords: one slow hash, checked by a kept library.

Stored form is Dovecot's: `{SCHEME}hash` (doc.dovecot.org, password schemes). New hashes are argon2id with 2 passes over
19 MiB (OWASP's first choice): 41 ms on a small server, and a pool of as many threads as cores needs 40 MiB, not
Dovecot's 64 MiB each. All functions here block; callers run them in a bounded thread pool.

Hashes of other schemes are known as well (outrider.old_passwords). Most of them cost next to nothing, so each of them
comes with one argon2id: for a right password the new stored form, for a wrong one the work done for nobody. So a
stranger's wrong password does not tell by its time who has an old hash.

    UnknownScheme    nobody can say yes or no
"""

import unicodedata
from dataclasses import dataclass, field

import argon2

from outrider import old_passwords
from outrider.old_passwords import UnknownScheme

__all__ = ["SCHEME", "Checked", "UnknownScheme", "burn", "canonical", "check", "hash_password", "verify"]

SCHEME = "{ARGON2ID}"
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=argon2.Type.ID)
# Nobody's password, which fits nothing that is ever asked; written down because making it would cost every command
# and every start 80 ms. Its parameters are those of _HASHER (a test compares them), so it costs the same work.
_NOBODY = SCHEME + ("$argon2id$v=19$m=19456,t=2,p=1$qpoojf/NDZLAJStzGcViPA$gJEZZolkmLUtaeFC0dDHSLN9wJlBOLt+hfHJ31TVoJE")


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password fits, and what should be stored of it from now on (None: what is there is fine)."""

    fits: bool
    renewed: str | None = field(default=None, repr=False)


def hash_password(password: str) -> str:
    """A new stored form."""
    return SCHEME + _HASHER.hash(canonical(password))


def verify(stored: str, password: str) -> bool:
    """Does the password fit? Exactly one slow hash, whatever the answer."""
    return check(stored, password).fits


def check(stored: str, password: str) -> Checked:
    """Does the password fit? Exactly one argon2id, whatever the answer and the scheme. Raises UnknownScheme."""
    scheme, value = old_passwords.parted(stored)
    if scheme in ("ARGON2ID", "ARGON2I"):
        fits = argon2_fits(value, password)
        # One cost for everybody: other parameters would show in the time, and Dovecot's largest take a GiB each.
        renewed = hash_password(password) if fits and _HASHER.check_needs_rehash(value) else None
        return Checked(fits, renewed)
    fit = old_passwords.fits(scheme, value, password, canonical(password))
    if not fit:
        burn(password)
        return Checked(False)
    return Checked(True, hash_password(password) if old_passwords.whole(scheme, password) else None)


def argon2_fits(value: str, password: str) -> bool:
    """One hash with the parameters that the stored one names."""
    try:
        return _HASHER.verify(value, canonical(password))
    except argon2.exceptions.VerifyMismatchError:
        return False
    except (argon2.exceptions.InvalidHashError, argon2.exceptions.VerificationError):
        raise UnknownScheme("damaged ARGON2") from None


def burn(password: str) -> None:
    """The same work for nobody, so that an unknown user cannot be told by time."""
    argon2_fits(_NOBODY.removeprefix(SCHEME), password)


def canonical(password: str) -> str:
    """The same password typed on another system is the same password (RFC 8265, section 4.2: NFC)."""
    return unicodedata.normalize("NFC", password)
