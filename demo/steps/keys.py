"""Keys: published by their owner, found by gpg with no configuration at all, gone when they are withdrawn."""

from __future__ import annotations

from demo.commands import call
from demo.keyring import Keyring
from demo.tour import Step, Walk, must

KEYSERVER = "keys.provider.example"


def heard(*commands: tuple[str, str]) -> list[str]:
    """Commands as a user types them, each with what gpg said."""
    lines = []
    for command, said in commands:
        lines.append(f"$ {command}")
        lines += [line for line in said.strip().splitlines() if "keybox" not in line and "trustdb" not in line]
    return lines


def owners_alone(walk: Walk) -> list[str]:
    """The operator's command takes a public key and keeps nothing of a private one."""
    address = walk.bob.address
    with Keyring() as mine:
        fingerprint = mine.make(address)
        private = mine.gpg("--armor", "--export-secret-keys", address).stdout
    command = [*walk.provider.run_prefix, "outrider", "key", "publish", address]
    refused = call(command, text=private, check=False)
    listed = walk.provider.run("outrider", "key", "list", walk.alice.address)
    lines = heard(
        (f"outrider key publish {address} < private.asc", refused.stderr),
        (f"outrider key list {walk.alice.address}", listed),
    )
    must(refused.returncode == 1 and "PRIVATE" in refused.stderr, "exit 1 for the private key", lines)
    must(str(walk.alice.fingerprint) in listed and fingerprint not in listed, "alice's key alone", lines)
    return lines


def by_itself(walk: Walk) -> list[str]:
    """Web Key Directory, over TLS: no key server, no option, a fresh keyring."""
    with Keyring(walk.provider.client_prefix) as theirs:
        found = theirs.gpg("--locate-keys", walk.alice.address, check=False)
        lines = heard((f"gpg --locate-keys {walk.alice.address}", found.stdout + found.stderr))
        must(found.returncode == 0 and str(walk.alice.fingerprint).upper() in found.stdout, "alice's key", lines)
        secret = theirs.gpg(
            "--trust-model", "always", "-e", "--armor", "-r", walk.alice.address, text="Hello", check=False
        )
        walk.made["key"] = theirs.public(walk.alice.address)
        must("BEGIN PGP MESSAGE" in secret.stdout, "a message encrypted to it", [*lines, secret.stderr])
    return lines


def by_fingerprint(walk: Walk) -> list[str]:
    """HKP on its own port, and HKP over TLS."""
    lines = []
    for server in (f"hkp://{KEYSERVER}", f"hkps://{KEYSERVER}"):
        with Keyring(walk.provider.client_prefix) as theirs:
            words = ("--keyserver", server, "--recv-keys", str(walk.alice.fingerprint))
            got = theirs.gpg(*words, check=False)
            lines += heard((f"gpg {' '.join(words)}", got.stderr))
            must(got.returncode == 0 and theirs.fingerprint(walk.alice.address) == walk.alice.fingerprint, "it", lines)
    return lines


def no_strangers(walk: Walk) -> list[str]:
    """Nobody publishes a key for somebody else by sending it to the server."""
    server = f"hkp://{KEYSERVER}"
    with Keyring(walk.provider.client_prefix) as theirs:
        fingerprint = theirs.make(walk.bob.address)
        sent = theirs.gpg("--keyserver", server, "--send-keys", fingerprint, check=False)
        lines = heard((f"gpg --keyserver {server} --send-keys {fingerprint}", sent.stderr))
        must(sent.returncode != 0 and "Not implemented" in sent.stderr, "Not implemented", lines)
    with Keyring(walk.provider.client_prefix) as fresh:
        missed = fresh.gpg("--locate-keys", walk.bob.address, check=False)
        lines += heard((f"gpg --locate-keys {walk.bob.address}", missed.stderr))
        must(missed.returncode != 0 and "No data" in missed.stderr, "No data", lines)
    return lines


def withdrawn(walk: Walk) -> list[str]:
    """Gone at once everywhere; published again for whoever looks around afterwards."""
    address, fingerprint = walk.alice.address, str(walk.alice.fingerprint)
    done = walk.provider.run("outrider", "key", "withdraw", address, fingerprint)
    lines = heard((f"outrider key withdraw {address} {fingerprint}", done))
    for words in (("--locate-keys", address), ("--keyserver", f"hkp://{KEYSERVER}", "--recv-keys", fingerprint)):
        with Keyring(walk.provider.client_prefix) as fresh:
            missed = fresh.gpg(*words, check=False)
            lines += heard((f"gpg {' '.join(words)}", missed.stderr))
            must(missed.returncode != 0 and "No data" in missed.stderr, "No data", lines)
    walk.provider.run("outrider", "key", "publish", address, text=walk.made["key"])
    return lines


STEPS = (
    Step("alice has published her OpenPGP key; a private key is refused", owners_alone),
    Step("gpg finds alice's key by itself (Web Key Directory, no configuration) and encrypts to it", by_itself),
    Step("gpg gets it by its fingerprint, over HKP and HKPS", by_fingerprint),
    Step("keys of strangers are not taken, and a miss says nothing", no_strangers),
    Step("alice withdraws her key: it is gone at once", withdrawn),
)
