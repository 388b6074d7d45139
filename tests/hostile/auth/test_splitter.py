"""20,000 random users and fields against a reference that knows all right fields, not how a field is split."""

import random
from dataclasses import dataclass, replace

import pyotp

from authd.decide import Ask, Facts, Hash, No, Request, Spend, Yes, decide
from authd.methods import Token
from kit.databases import NOW
from kit.validation_server import Yubikey
from outrider.addresses import Person

USERS, SEED = 20_000, 20261124
ALICE = Person(7, "alice@provider.example", True, "en", 0, "u1")
SERVICES = frozenset({"imap", "web"})
ALPHABETS = ["0123456789", "0123456789abcdef", "cbdefghijklnrtuv", "abcXYZ $;,\"'\\=-", "äß€😀", "a-2b"]


@dataclass(frozen=True)
class User:
    """What somebody knows and has."""

    secret: str
    pin: bool
    tokens: tuple[Token, ...]
    codes: dict[int, list[str]]
    """Right codes of each token, the one shown now first."""

    @property
    def facts(self) -> Facts:
        stored = f"stored:{self.secret}"
        known = Facts(person=ALICE, stored="stored:another", level=4, tokens=self.tokens, pin=stored)
        return known if self.pin else replace(known, stored=stored, pin=None)

    def right(self) -> set[str]:
        """Every field that lets in."""
        return {self.secret + code for codes in self.codes.values() for code in codes}


def word(draw: random.Random, least: int, most: int) -> str:
    alphabet = draw.choice(ALPHABETS)
    return "".join(draw.choice(alphabet) for _ in range(draw.randint(least, most)))


def oath(draw: random.Random, number: int, kind: str) -> tuple[Token, list[str]]:
    """pyotp says which codes are right."""
    raw, digits, algorithm = draw.randbytes(20), draw.choice((6, 8)), draw.choice(("sha1", "sha256"))
    base32, digest = __import__("base64").b32encode(raw).decode(), __import__("hashlib").new
    made = pyotp.HOTP(base32, digits=digits, digest=lambda data=b"": digest(algorithm, data))
    first = draw.randint(0, 1 << 40) if kind == "hotp" else NOW // 30
    last = first - 1 if kind == "hotp" else draw.choice((-1, NOW // 30 - 1, NOW // 30))
    steps = range(first, first + 11) if kind == "hotp" else (first, first - 1, first + 1)
    token = Token(number, kind, raw, algorithm.upper(), digits, 30, last=last, drift=0)
    return token, [made.at(step) for step in steps if step > last]


def motp(draw: random.Random, number: int) -> tuple[Token, list[str]]:
    """As the reference script: MD5 over the decimal step, the secret and the PIN."""
    secret, pin = draw.randbytes(8).hex(), str(draw.randint(1000, 9999))
    token = Token(number, "motp", secret.encode(), "MD5", 6, 10, last=NOW // 10 - 2, drift=0, extra=pin.encode())
    md5 = __import__("hashlib").md5
    steps = [NOW // 10, NOW // 10 - 1, *range(NOW // 10 + 1, NOW // 10 + 19)]
    return token, [md5(f"{step}{secret}{pin}".encode()).hexdigest()[:6] for step in steps]


def yubikey(draw: random.Random, number: int, kind: str) -> tuple[Token, list[str]]:
    public_id = "".join(draw.choice("cbdefghijklnrtuv") for _ in range(12))
    key = Yubikey(public_id, draw.randbytes(6), draw.randbytes(16), draw.randint(1, 0x7FFF), draw.randint(0, 200))
    last = (key.counter << 8 | key.use) if draw.random() < 0.8 else -1
    held, extra = (key.aes_key, key.private_id) if kind == "yubikey" else (public_id.encode(), None)
    token = Token(number, kind, held, "", 0, 0, last=last, drift=0, extra=extra, public_id=public_id)
    return token, [key.press()]


def user(draw: random.Random) -> User:
    tokens, codes = [], {}
    for number in range(1, draw.randint(1, 3) + 1):
        match draw.choice(("totp", "hotp", "motp", "yubikey", "yubicloud")):
            case "totp" | "hotp" as kind:
                token, right = oath(draw, number, kind)
            case "motp":
                token, right = motp(draw, number)
            case kind:
                token, right = yubikey(draw, number, kind)
        tokens.append(token)
        codes[number] = right
    return User(word(draw, 1, 14), draw.random() < 0.3, tuple(tokens), codes)


def field(draw: random.Random, one: User) -> str:
    """What is typed: right, or wrong in one of the ways that people and attackers have."""
    codes = one.codes[draw.choice(list(one.codes))]
    code = draw.choice(codes) if codes else "123456"
    ways = [
        one.secret + code,
        one.secret + code,
        one.secret + code,
        one.secret,
        code,
        code + one.secret,
        one.secret + code + draw.choice("0aä\n "),
        one.secret + code[:-1],
        one.secret + code[1:],
        one.secret[:-1] + code,
        word(draw, 1, 10) + code,
        one.secret + word(draw, 6, 8),
        one.secret + code + code,
        word(draw, 1, 60),
    ]
    return draw.choice(ways)


def ended(step: Hash, asked: set[str]) -> tuple[Yes | No, Spend | Ask | None]:
    """What the server does, with a cheap hash and a validation server that knows what is right."""
    end = step.right if step.stored == f"stored:{step.secret}" else step.wrong
    match end:
        case Ask(otp=otp, done=done, wrong=wrong):
            return (done, end) if otp in asked else (wrong, None)
        case Spend(done=done):
            return done, end
        case Yes() | No():
            return end, None
        case _:
            raise AssertionError(end)


def test_the_split_of_random_fields() -> None:
    draw = random.Random(SEED)  # noqa: S311 - the same users every time
    let_in = 0
    for _ in range(USERS):
        one = user(draw)
        typed = field(draw, one)
        request = Request(draw.choice(("imap", "web")), SERVICES, typed)
        step = decide(request, one.facts, NOW)
        assert isinstance(step, Hash), one  # exactly one slow hash, whatever was typed
        verdict, spent = ended(step, {code for codes in one.codes.values() for code in codes})
        assert isinstance(verdict, Yes) is (typed in one.right()), (one, typed, verdict)
        if isinstance(spent, Spend):  # once used it is no longer right
            let_in += 1
            used = replace(spent.match.token, last=spent.match.step)
            tokens = tuple(used if token.id == used.id else token for token in one.tokens)
            again = decide(request, replace(one.facts, tokens=tokens), NOW)
            assert isinstance(again, Hash)
            assert isinstance(ended(again, set())[0], No), (one, typed)
    assert let_in > USERS // 10
