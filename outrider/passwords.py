"""Account passwords: one slow hash, checked by a kept library.

Stored form is Dovecot's: `{SCHEME}hash` (doc.dovecot.org, password schemes). New hashes are argon2id with 2 passes over
19 MiB (OWASP's first choice): 41 ms on a small server, and a pool of as many threads as cores needs 40 MiB, not
Dovecot's 64 MiB each. All functions here block; callers run them in a bounded thread pool.
"""

import unicodedata

import argon2

SCHEME = "{ARGON2ID}"
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=argon2.Type.ID)
# Nobody's password, which fits nothing that is ever asked; written down because making it would cost every command
# and every start 80 ms. Its parameters are those of _HASHER (a test compares them), so it costs the same work.
_NOBODY = SCHEME + ("$argon2id$v=19$m=19456,t=2,p=1$qpoojf/NDZLAJStzGcViPA$gJEZZolkmLUtaeFC0dDHSLN9wJlBOLt+hfHJ31TVoJE")


class UnknownScheme(Exception):
    """The directory holds a hash of a scheme that this release does not know: nobody can say yes or no."""


def hash_password(password: str) -> str:
    """A new stored form."""
    return SCHEME + _HASHER.hash(canonical(password))


def verify(stored: str, password: str) -> bool:
    """Does the password fit? Exactly one slow hash, whatever the answer."""
    if not stored.startswith(SCHEME):
        raise UnknownScheme(stored.partition("}")[0].removeprefix("{")[:20])
    try:
        return _HASHER.verify(stored.removeprefix(SCHEME), canonical(password))
    except argon2.exceptions.VerifyMismatchError:
        return False
    except (argon2.exceptions.InvalidHashError, argon2.exceptions.VerificationError):
        raise UnknownScheme("damaged ARGON2ID") from None


def burn(password: str) -> None:
    """The same work for nobody, so that an unknown user cannot be told by time."""
    verify(_NOBODY, password)


def canonical(password: str) -> str:
    """The same password typed on another system is the same password (RFC 8265, section 4.2: NFC)."""
    return unicodedata.normalize("NFC", password)
