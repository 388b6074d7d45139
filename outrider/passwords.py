"""Account passwords: one slow hash, checked by a kept library.

Stored form is Dovecot's: `{SCHEME}hash` (doc.dovecot.org, password schemes). New hashes are argon2id with 2 passes over
19 MiB (OWASP's first choice): 41 ms on a small server, and a pool of as many threads as cores needs 40 MiB, not
Dovecot's 64 MiB each. All functions here block; callers run them in a bounded thread pool.

Hashes of other schemes are known as well (outrider.old_passwords). Most of them cost next to nothing, so checking one
costs an argon2id besides, right or wrong: time does not tell a stranger who has an old hash, nor a wrong code whether
the password beside it was right.

    UnknownScheme    nobody can say yes or no
"""

import unicodedata

import argon2

from outrider import old_passwords
from outrider.old_passwords import UnknownScheme

__all__ = ["SCHEME", "UnknownScheme", "burn", "canonical", "hash_password", "outdated", "verify"]

SCHEME = "{ARGON2ID}"
ARGON2 = ("ARGON2ID", "ARGON2I")
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=argon2.Type.ID)
# Nobody's password, which fits nothing that is ever asked; written down because making it would cost every command
# and every start 80 ms. Its parameters are those of _HASHER (a test compares them), so it costs the same work.
_NOBODY = SCHEME + ("$argon2id$v=19$m=19456,t=2,p=1$qpoojf/NDZLAJStzGcViPA$gJEZZolkmLUtaeFC0dDHSLN9wJlBOLt+hfHJ31TVoJE")


def hash_password(password: str) -> str:
    """A new stored form."""
    return SCHEME + _HASHER.hash(canonical(password))


def verify(stored: str, password: str) -> bool:
    """Does the password fit? Exactly one slow hash, whatever the answer and the scheme. Raises UnknownScheme."""
    scheme, value = old_passwords.parted(stored)
    if scheme in ARGON2:
        return argon2_fits(value, password)
    fits = old_passwords.fits(scheme, value, password, canonical(password))
    burn(password)
    return fits


def outdated(stored: str, password: str) -> bool:
    """Whether a password that fits should be stored anew.

    Argon2 with other parameters too: one cost for everybody, and Dovecot's largest take a GiB each. bcrypt did not look
    at what lies behind 72 bytes, so such a password may not be the one that its owner has in mind.
    """
    scheme, value = old_passwords.parted(stored)
    if scheme in ARGON2:
        return _HASHER.check_needs_rehash(value)
    return old_passwords.whole(scheme, password)


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
