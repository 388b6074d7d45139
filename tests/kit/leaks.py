"""Every secret that a test used on a host, and where it must not be found afterwards.

    secrets = Secrets()                 filled by kit.hosts.Host as the tests use the host
    found(secrets, places)              [(what it is, where it was found)…], empty if all is well
    places(host)                        the journal, files, the processes' arguments and environments

Searched for is the text itself and what a protocol makes of it: base64 of SASL PLAIN (RFC 4616) and LOGIN, whose stem
of whole triples also finds a longer secret that begins with this one; base32 and hex of a TOTP secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.hosts import Host

SHORTEST = 8  # characters; what is shorter is found by chance
APP_PASSWORD = re.compile(r"[a-z2-7]{32}")
APP_PREFIX = 8  # characters of an app password that are no secret: they name its row
CODE_DIGITS = 6
FOLDERS = ("etc", "root", "run", "tmp", "var/lib/dovecot", "var/lib/outrider", "var/log", "var/spool", "var/vmail")
# The secrets' own places, and the journal's files, which journalctl reads.
APART = ("etc/outrider/secrets", "run/credentials", "var/log/journal", "run/log/journal")
FILE_LIMIT = 64 << 20  # bytes; nothing on these hosts is larger

Place = tuple[str, bytes]


class Secrets:
    """What must not be found: needles with what they are, and one-time codes."""

    def __init__(self) -> None:
        self.needles: dict[bytes, str] = {}
        self.codes: set[str] = set()

    def text(self, what: str, text: str) -> None:
        """A secret text, as it is and in base64."""
        if len(text) < SHORTEST:
            return
        secret = text[APP_PREFIX:] if APP_PASSWORD.fullmatch(text) else text
        self.needles[secret.encode()] = what
        self.needles[stem(text)] = f"{what}, base64"

    def login(self, user: str, secret: str) -> None:
        """What somebody typed, right or wrong."""
        self.text(f"the password field of {user}", secret)
        for plain in (f"\0{user}\0{secret}", f"{user}\0{user}\0{secret}"):
            if len(secret) >= SHORTEST:
                self.needles[stem(plain)] = f"SASL PLAIN of {user}"
        if secret[:-CODE_DIGITS].encode() in self.needles:
            self.code(secret[-CODE_DIGITS:])

    def code(self, text: str) -> None:
        if re.fullmatch(r"\d{6}", text):
            self.codes.add(text)

    def totp(self, secret: str) -> None:
        """A token's secret in all its spellings; also its raw bytes."""
        raw = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
        for spelling in (secret.encode(), secret.lower().encode(), raw.hex().encode(), raw):
            self.needles[spelling] = "a TOTP secret"

    def pattern(self) -> re.Pattern[bytes]:
        """All needles at once. A code counts only as a word of its own: not as a part of a longer number."""
        words = [re.escape(needle) for needle in sorted(self.needles, key=len, reverse=True)]
        if self.codes:
            words.append(rb"(?<![\w.:/+-])(?:%s)(?![\w.:/+-])" % "|".join(sorted(self.codes)).encode())
        return re.compile(b"|".join(words)) if words else re.compile(rb"(?!)")


def stem(text: str) -> bytes:
    """Base64 of as many whole triples as the text has."""
    data = text.encode()
    return base64.b64encode(data[: len(data) // 3 * 3])


def found(secrets: Secrets, where: Iterable[Place]) -> list[tuple[str, str]]:
    """What was found, with its place and the words before it; never the secret itself."""
    pattern = secrets.pattern()
    hits = []
    for name, data in where:
        for hit in pattern.finditer(data):
            before = data[max(0, hit.start() - 60) : hit.start()].decode(errors="replace")
            hits.append((secrets.needles.get(hit[0], "a one-time code"), f"{name}: {before!r}"))
    return hits


def places(host: Host) -> Iterator[Place]:
    """Everything on the host that outlives a login."""
    yield "journal", host.run(["journalctl", "--all", "--output=export"]).stdout.encode()
    yield from processes(host)
    merged = host.world.root.folder / "merged"
    for folder in FOLDERS:
        for path in files(merged, folder):
            yield str(path.relative_to(merged)), path.read_bytes()


def files(root: Path, folder: str) -> Iterator[Path]:
    """Regular files below, without those apart; what vanishes meanwhile is passed over."""
    if folder in APART:
        return
    for path in sorted((root / folder).iterdir()):
        try:
            if path.is_symlink():
                continue
            if path.is_dir():
                yield from files(root, str(path.relative_to(root)))
            elif path.is_file() and path.stat().st_size < FILE_LIMIT:
                yield path
        except FileNotFoundError:
            continue


LOOK = """
import glob, sys, time
seen, stop = set(), sys.argv[1]
while True:
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            seen.add(open(path, "rb").read())
        except OSError:
            pass
    if not stop or glob.glob(stop):
        break
sys.stdout.buffer.write(b"\\n".join(seen))
"""


def processes(host: Host, until: str = "") -> Iterator[Place]:
    """Arguments and environments of the processes there are now, or of all there are until the file `until` exists."""
    yield "processes", host.run(["/usr/bin/python3", "-c", LOOK, until]).stdout.encode()
