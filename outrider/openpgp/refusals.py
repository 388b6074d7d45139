"""Why a certificate is not taken: one exception, one table of sentences.

The sentence is for the person who holds the key, so it says what to do. The code is for programs
and for translations.
"""

REASONS = {
    "private": "You uploaded your PRIVATE key. It was thrown away and not stored. Anybody who saw that file can "
    "read your mail: export the public key instead (gpg --export --armor ADDRESS).",
    "large": "The key is larger than {limit} bytes. Export it without the signatures of other people "
    "(gpg --export-options export-minimal --export --armor ADDRESS).",
    "empty": "There is no key in the input.",
    "armor": "The text around the key is damaged: {detail}. Export the key again.",
    "not-a-key": "The input is not a public key: it starts with {detail}.",
    "several": "The input holds more than one key. Publish one key at a time.",
    "framing": "The key is damaged or cut off. Export the key again.",
    "partial": "The key uses a length form that no OpenPGP program writes for keys. Export the key again.",
    "packet": "The input holds a packet of type {tag}, which does not belong in a public key.",
    "packet-large": "The key holds a packet larger than {limit} bytes.",
    "packets": "The key has more than {limit} packets. Export it without the signatures of other people "
    "(gpg --export-options export-minimal --export --armor ADDRESS).",
    "user-ids": "The key has more than {limit} user IDs.",
    "subkeys": "The key has more than {limit} subkeys.",
    "version": "The key has version {version}; only versions 4 and 6 are in use today. Make a new key.",
    "unreadable": "The key cannot be read. Export the key again; if that does not help, make a new one.",
    "no-address": "None of the key's user IDs is one of your own mail addresses.",
    "no-signature": "The user ID {address} is not signed by the key itself, so it could be anybody's.",
    "old-signature": "The key's own signature on {address} is too old (made with {detail}): renew it. With gpg, "
    "changing the expiry date of the key renews it (gpg --quick-set-expire FINGERPRINT 2y).",
    "weak": "The key uses methods that are no longer safe. Make a new key.",
    "long": "The key has {bits} bits. Keys of more than {limit} bits cannot be checked here and gain nothing: make a "
    "new one on an elliptic curve.",
    "signature-expired": "The key's own signature on {address} has run out. Renew it (gpg --quick-set-expire "
    "FINGERPRINT 2y) and publish the key again.",
    "address-revoked": "The user ID {address} has been revoked by its owner.",
    "revoked": "The key has been revoked by its owner.",
    "expired": "The key ran out on {day}. Extend it (gpg --quick-set-expire FINGERPRINT 2y) and publish it again.",
    "sign-only": "The key can only sign: it has no part that mail could be encrypted to.",
    "other-key": "The two keys are not versions of the same key.",
}


class BadCertificate(Exception):
    """The one way in which this package says no. `code` is a key of REASONS, `reason` the finished sentence.

    Neither carries a byte of the input except an address of the certificate's own.
    """

    def __init__(self, code: str, **figures: str | int) -> None:
        self.code = code
        self.reason = REASONS[code].format(**figures)
        super().__init__(self.reason)
